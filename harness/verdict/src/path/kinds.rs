//! Operations by kind, by the names that claims use:
//! `write.kinds.get.response.p99`.

use kab_evidence::ledger::OpKind;

use super::{Place, latency, outcomes};
use crate::kinds::OfKind;

/// Every kind, also those that were not sent: they have no data.
pub(super) fn put(at: &mut Place<'_>, of: &[OfKind]) {
    for kind in OpKind::ALL {
        let found = of.iter().find(|one| one.kind == kind);
        at.group(&format!("kinds.{}", kind.name()), found, one);
    }
}

fn one(at: &mut Place<'_>, of: Option<&OfKind>) {
    at.group("ops", of.map(|o| &o.ops), outcomes);
    at.group("response", of.map(|o| &o.response), latency);
    at.group("service", of.map(|o| &o.service), latency);
}

//! The ledger held against what the store holds in the end.

use kab_evidence::join::{OpIndex, Trace};
use kab_evidence::ledger::{OpKind, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the store holds of a step's writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// Acknowledged writes: each ought to be there.
    pub expected: u64,
    /// Of these, there.
    pub present: u64,
    /// Of these, not there.
    pub missing: u64,
    /// Indeterminate writes that are there.
    pub indeterminate_present: u64,
    /// Failed writes that are there, although they were refused.
    pub failed_present: u64,
}

/// Holds `traces` against `store`; none if no write was recorded.
pub(crate) fn compare<'a>(
    traces: impl Iterator<Item = &'a Trace>,
    store: &OpIndex,
) -> Option<Stored> {
    let mut stored = Stored::default();
    let mut writes = 0u64;
    for trace in traces.filter(|trace| trace.kind == OpKind::Create) {
        writes += 1;
        let there = store.contains(trace.op);
        match trace.outcome {
            Outcome::Ok => {
                stored.expected += 1;
                stored.present += u64::from(there);
            }
            Outcome::Indeterminate => stored.indeterminate_present += u64::from(there),
            Outcome::Failed | Outcome::Missed => stored.failed_present += u64::from(there),
        }
    }
    stored.missing = stored.expected - stored.present;
    (writes > 0).then_some(stored)
}

//! One kind of operation at a time: a percentile over gets and lists is one of
//! neither.

use std::collections::BTreeMap;

use kab_evidence::join::Trace;
use kab_evidence::ledger::OpKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::{self, Latency, Ops};

/// What one kind of operation came to, of a step that sends several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfKind {
    /// Which.
    pub kind: OpKind,
    /// By outcome. How many of them were scheduled is not known, only of what
    /// share.
    pub ops: Ops,
    /// From the intended start until the end was known.
    pub response: Latency,
    /// From the sending until the end was known.
    pub service: Latency,
}

/// What each kind in `traces` came to, which are in the order of their intended
/// starts; nothing if they are all of one kind, for that is the step's own.
pub(crate) fn kinds<'a>(traces: impl Iterator<Item = &'a Trace>) -> Vec<OfKind> {
    let mut by_kind: BTreeMap<OpKind, Vec<&Trace>> = BTreeMap::new();
    traces.for_each(|trace| by_kind.entry(trace.kind).or_default().push(trace));
    if by_kind.len() < 2 {
        return Vec::new();
    }
    let measured = by_kind.into_iter().map(|(kind, traces)| {
        let traces = || traces.iter().copied();
        OfKind {
            kind,
            ops: outcome::ops(traces(), None).unwrap_or_default(),
            response: outcome::latency(traces(), outcome::response).0,
            service: outcome::latency(traces(), outcome::service).0,
        }
    });
    measured.collect()
}

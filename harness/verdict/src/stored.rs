//! The ledger held against what the store holds in the end.

use std::collections::HashSet;

use kab_evidence::folder::CellFolder;
use kab_evidence::id::OpId;
use kab_evidence::join::Trace;
use kab_evidence::jsonl::{self, JsonlError};
use kab_evidence::ledger::{OpKind, Outcome};
use kab_evidence::store::StoredEntity;
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

/// The operations that the store names, and whether the evidence was cut off.
/// None if the store was never read.
pub(crate) fn read(cell: &CellFolder) -> Result<Option<(HashSet<OpId>, bool)>, JsonlError> {
    let path = cell.store_path();
    if !path.is_file() {
        return Ok(None);
    }
    let mut found = HashSet::new();
    let cut = jsonl::for_each(&path, |entity: StoredEntity| found.extend(entity.op))?;
    Ok(Some((found, cut)))
}

/// Holds `traces` against `store`; none if no write was recorded.
pub(crate) fn compare<'a>(
    traces: impl Iterator<Item = &'a Trace>,
    store: &HashSet<OpId>,
) -> Option<Stored> {
    let mut stored = Stored::default();
    let mut writes = 0u64;
    for trace in traces.filter(|trace| trace.kind == OpKind::Create) {
        writes += 1;
        let there = store.contains(&trace.op);
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

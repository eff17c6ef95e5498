//! Whether subscribers learn what was deleted.
//!
//! A delete leaves no operation id anywhere, so that its announcements are found
//! by the id of what was deleted, and by time.

use std::collections::{HashMap, HashSet};

use kab_evidence::clock::Mono;
use kab_evidence::folder::CellFolder;
use kab_evidence::id::OpId;
use kab_evidence::join::Joined;
use kab_evidence::jsonl::{self, JsonlError};
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
use kab_evidence::record::CellRecord;
use kab_evidence::span::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::{CellMeasurements, subscribers_before};

/// Deletes of a step, and who was told of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deletes {
    /// Announcements due: acknowledged deletes x subscribers.
    pub expected: u64,
    /// Of these, received: after the delete was sent, with the id of what was
    /// deleted, and not of a write before.
    pub announced: u64,
}

/// An acknowledged delete.
struct Gone {
    step: String,
    uid: Option<String>,
    sent: Mono,
}

impl CellMeasurements {
    /// Adds what became of the deletes of each step. Nothing is read unless
    /// there were some.
    pub(crate) fn add_deletes(
        &mut self,
        folder: &CellFolder,
        cell: &CellRecord,
        joined: &Joined,
    ) -> Result<(), JsonlError> {
        let gone = |trace: &kab_evidence::join::Trace| {
            trace.kind == OpKind::Delete && trace.outcome == Outcome::Ok
        };
        if !joined.traces.iter().any(gone) {
            return Ok(());
        }
        let gone = acknowledged(folder)?;
        let told = receipts(folder, joined)?;
        for step in &mut self.steps {
            let subscribers = subscribers_before(cell, &step.name);
            let of_step = || gone.iter().filter(|gone| gone.step == step.name);
            let expected = of_step().count() as u64 * u64::from(subscribers);
            if expected == 0 {
                continue;
            }
            let heard = |gone: &Gone| -> u64 {
                let Some(receipts) = gone.uid.as_ref().and_then(|uid| told.get(uid)) else {
                    return 0;
                };
                let after = receipts.iter().filter(|(_, at)| *at > gone.sent);
                let by: HashSet<u32> =
                    after.map(|(by, _)| *by).filter(|by| *by < subscribers).collect();
                by.len() as u64
            };
            let announced = of_step().map(heard).sum();
            step.deletes = Some(Deletes { expected, announced });
        }
        Ok(())
    }
}

/// The acknowledged deletes. Where the answer does not name what was deleted,
/// it is what was last made under that key.
fn acknowledged(folder: &CellFolder) -> Result<Vec<Gone>, JsonlError> {
    let mut made: HashMap<String, String> = HashMap::new();
    let mut gone = Vec::new();
    for ledger in kab_evidence::join::ledger_files(folder)? {
        jsonl::for_each(&ledger, |line: OpRecord| {
            if line.outcome != Outcome::Ok {
                return;
            }
            match line.kind {
                OpKind::Create => {
                    made.extend(line.key.zip(line.uid));
                }
                OpKind::Delete => gone.push((line.step, line.key, line.uid, line.sent)),
                _ => {}
            }
        })?;
    }
    let known = |(step, key, uid, sent): (String, Option<String>, Option<String>, Option<Mono>)| {
        let uid = uid.or_else(|| made.get(&key?).cloned());
        Some(Gone { step, uid, sent: sent? })
    };
    Ok(gone.into_iter().filter_map(known).collect())
}

/// Who received a notification of which id, and when; without those of the writes
/// that left their ids, which may be late.
fn receipts(
    folder: &CellFolder,
    joined: &Joined,
) -> Result<HashMap<String, Vec<(u32, Mono)>>, JsonlError> {
    let written: HashMap<OpId, u64> = joined
        .traces
        .iter()
        .filter(|trace| trace.kind.leaves_its_id())
        .filter_map(|trace| Some((trace.op, trace.revision?.get())))
        .collect();
    let of_a_write = |op: Option<OpId>, rv: Option<&String>| {
        let revision = rv.and_then(|rv| rv.parse::<u64>().ok());
        revision.is_some() && op.and_then(|op| written.get(&op).copied()) == revision
    };
    let mut told: HashMap<String, Vec<(u32, Mono)>> = HashMap::new();
    for file in kab_evidence::join::span_files(folder)? {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with("subscriber-") {
            continue;
        }
        jsonl::for_each(&file, |span: Span| {
            if let Span::Delivery { op, subscriber, uid, rv, received } = span
                && !uid.is_empty()
                && !of_a_write(op, rv.as_ref())
            {
                told.entry(uid).or_default().push((subscriber, received));
            }
        })?;
    }
    Ok(told)
}

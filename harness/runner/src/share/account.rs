//! What a worker that was lost owed: each of its operations that is not in its
//! ledger is written into the cell's, so that none of the schedule is missing.

use std::collections::HashSet;

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::{self, JsonlError, JsonlWriter};
use kab_evidence::ledger::{OpRecord, Outcome};
use kab_load::crew::{Indices, Report};
use kab_load::{Arrivals, LoadSpec};

/// Why such an operation ended as it did.
const CLASS: &str = "worker-lost";

/// Accounts for the part `spec` of a load, whose worker was lost at `lost` and
/// had written `own`: what is there counts as it stands; what was due before
/// the loss and is not there may have been sent (indeterminate); what was due
/// later was not (missed). A closed loop owes nothing: what would have come due
/// depends on answers that never came.
///
/// # Errors
/// If its ledger cannot be read.
pub fn account(
    spec: &LoadSpec,
    of: u32,
    own: &std::path::Path,
    lost: Mono,
    ledger: &JsonlWriter<OpRecord>,
) -> Result<Report, JsonlError> {
    let mut report = Report::default();
    let (mut written, mut acked) = (HashSet::new(), Vec::new());
    let first = spec.work.first_sequence;
    // A last line that was cut off is told when the evidence is joined.
    jsonl::for_each(own, |record: OpRecord| {
        let index = record.op.number().wrapping_sub(first);
        if written.insert(index) {
            report.count(record.outcome, &record.class);
            acked.extend((record.outcome == Outcome::Ok).then_some(index));
            report.ledger_lines += 1;
        }
    })?;
    if let Arrivals::Open(schedule) = &spec.arrivals {
        report.scheduled = schedule.count();
        for due in schedule.offsets() {
            if written.contains(&due.index) {
                continue;
            }
            let intended = spec.start.plus(due.offset);
            let outcome = if intended <= lost { Outcome::Indeterminate } else { Outcome::Missed };
            report.count(outcome, CLASS);
            ledger.append(OpRecord {
                op: spec.work.op(due.index),
                step: spec.work.step.clone(),
                kind: spec.work.mix.action(due.index).kind(),
                key: spec.work.key(due.index),
                intended,
                sent: None,
                done: None,
                outcome,
                class: CLASS.to_owned(),
                uid: None,
                rv: None,
                bytes_out: 0,
                bytes_in: 0,
                detail: None,
            });
        }
    }
    report.reached = report.scheduled.max(report.ledger_lines);
    report.acked = Indices::of(acked, of.into());
    Ok(report)
}

//! What a reader must know of a run before its numbers, whatever the claims say.

use kab_evidence::record::{RunRecord, StepRecord};

use crate::measure::CellMeasurements;
use crate::value::grouped;

/// Sentences on the cells of `record`, as measured.
pub(crate) fn remarks(record: &RunRecord, cells: &[CellMeasurements]) -> Vec<String> {
    let mut remarks = Vec::new();
    for (cell, measured) in record.cells.iter().zip(cells) {
        for result in measured.watch.iter().flat_map(|watch| &watch.guarantees) {
            if result.broken > 0 {
                remarks.push(format!(
                    "Watch guarantee {} was broken {} times in {}: no claim need have asked for \
                     it, but what its streams say is not what was written.",
                    result.guarantee.name(),
                    grouped(result.broken),
                    cell.id
                ));
            }
        }
        for step in &cell.steps {
            if is_closed(step) {
                remarks.push(format!(
                    "Step {} of {} was a closed loop: a slow server was asked less. Its rate is a \
                     result, and its percentiles leave out what would have been asked meanwhile \
                     (coordinated omission).",
                    step.name, cell.id
                ));
            }
            if let Some(waited) = step.results.get("waitedForConnection") {
                remarks.push(format!(
                    "In step {} of {} operations waited for one of kab's own connections \
                     ({waited}): part of their service time is kab's. Give the load more \
                     `connections`.",
                    step.name, cell.id
                ));
            }
        }
    }
    remarks
}

/// Whether `step` was a closed loop.
pub(crate) fn is_closed(step: &StepRecord) -> bool {
    step.results.get("openLoop").is_some_and(|open| open == false)
}

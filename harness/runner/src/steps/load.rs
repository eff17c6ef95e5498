//! `load`: send operations on a schedule.

use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_load::{Arrivals, LoadSpec, Schedule, Waiting, run_load};
use kab_scenario::model::Load;
use serde_json::json;

use super::{StepError, results};
use crate::cell::Cell;
use crate::recorder::StepResults;

/// The first operation is due this long after the step begins, so that making
/// ready does not make it late.
const RUN_UP: Duration = Duration::from_millis(20);

pub async fn run(name: &str, step: &Load, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let schedule = Schedule::constant(step.rate.per_second(), step.duration.duration())?;
    let spec = LoadSpec {
        work: cell.work(name, &step.payload, step.deadline.duration(), schedule.count())?,
        arrivals: Arrivals::Open(schedule),
        start: Mono::now().plus(RUN_UP),
        max_in_flight: step.max_in_flight,
        connections: None,
        waiting: Waiting::Timer,
        must_succeed: false,
    };
    let stop = cell.stop();
    let summary = run_load(&spec, &cell.ledger(), stop.wait()).await?;
    let n = summary.outcomes;
    cell.say(&format!(
        "{} operations: {} ok, {} failed, {} indeterminate, {} missed",
        summary.reached, n.ok, n.failed, n.indeterminate, n.missed
    ));
    cell.acknowledged(&summary.acked);
    Ok(results([
        ("scheduled", json!(summary.scheduled)),
        ("notReached", json!(summary.not_reached())),
        ("intendedRate", json!(step.rate.per_second())),
        ("inFlightPeak", json!(summary.in_flight_peak)),
        ("processCpuSeconds", json!(summary.cpu.as_secs_f64())),
        ("generatorCpuSeconds", json!(summary.generator_cpu.as_secs_f64())),
    ]))
}

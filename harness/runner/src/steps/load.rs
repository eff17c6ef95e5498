//! `load`: send operations on a schedule.

use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_load::{Arrivals, LoadSpec, LoadSummary, Waiting, run_load};
use kab_scenario::model::{self, Load};
use serde_json::json;

use super::{StepError, results};
use crate::arrivals::arrivals;
use crate::cell::Cell;
use crate::recorder::StepResults;
use crate::target;

/// The first operation is due this long after the step begins, so that making
/// ready does not make it late.
const RUN_UP: Duration = Duration::from_millis(20);

pub async fn run(name: &str, step: &Load, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let spec = prepare(name, step, cell).await?;
    let stop = cell.stop();
    let summary = run_load(&spec, &cell.ledger(), stop.wait()).await?;
    tell(&summary, cell);
    cell.acknowledged(&summary.acked);
    Ok(results([
        ("scheduled", json!(summary.scheduled)),
        ("notReached", json!(summary.not_reached())),
        ("intendedRate", json!(step.arrivals.mean_rate())),
        ("via", json!(step.traffic.via)),
        ("openLoop", json!(matches!(spec.arrivals, Arrivals::Open(_)))),
        ("inFlightPeak", json!(summary.in_flight_peak)),
        ("processCpuSeconds", json!(summary.cpu.as_secs_f64())),
        ("generatorCpuSeconds", json!(summary.generator_cpu.as_secs_f64())),
    ]))
}

/// The load of step `name`, ready to begin.
pub async fn prepare(name: &str, step: &Load, cell: &mut Cell<'_>) -> Result<LoadSpec, StepError> {
    let Load { arrivals: wanted, traffic } = step;
    let arrivals = arrivals(name, cell.seed, wanted)?;
    let work = target::work(name, traffic, arrivals.count(), cell).await?;
    Ok(LoadSpec {
        work,
        arrivals,
        start: Mono::now().plus(RUN_UP),
        max_in_flight: traffic.max_in_flight,
        connections: traffic.connections,
        waiting: waiting(traffic.wait),
        must_succeed: false,
    })
}

/// How the generator waits.
pub const fn waiting(wanted: model::Waiting) -> Waiting {
    match wanted {
        model::Waiting::Timer => Waiting::Timer,
        model::Waiting::Hybrid => Waiting::Hybrid,
        model::Waiting::Spin => Waiting::Spin,
    }
}

fn tell(summary: &LoadSummary, cell: &Cell<'_>) {
    let n = summary.outcomes;
    cell.say(&format!(
        "{} operations: {} ok, {} failed, {} indeterminate, {} missed",
        summary.reached, n.ok, n.failed, n.indeterminate, n.missed
    ));
    if let Some(failure) = &summary.first_failure {
        let said = failure.detail.as_deref().unwrap_or("no more was said");
        cell.say(&format!("the first that was not ok: {}: {said}", failure.class));
    }
}

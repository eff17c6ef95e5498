//! `load`: send operations on a schedule.

use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_load::{Answers, Arrivals, LoadSpec, LoadSummary, Waiting, run_load};
use kab_scenario::model::{self, Encoding, Load};
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
    let mut found = results([
        ("scheduled", json!(summary.scheduled)),
        ("notReached", json!(summary.not_reached())),
        ("intendedRate", json!(step.arrivals.mean_rate())),
        ("via", json!(step.traffic.via)),
        ("openLoop", json!(matches!(spec.arrivals, Arrivals::Open(_)))),
        ("inFlightPeak", json!(summary.in_flight_peak)),
        ("processCpuSeconds", json!(summary.cpu.as_secs_f64())),
        ("generatorCpuSeconds", json!(summary.generator_cpu.as_secs_f64())),
        ("media", media(summary.media)),
    ]);
    // Nobody is notified of anything else.
    if step.traffic.resource.is_todo() {
        cell.acknowledged(&summary.acked);
    } else {
        found.extend(results([("resource", json!(step.traffic.resource.name()))]));
    }
    if let Some(warning) = not_granted(step.traffic.encoding, summary.media) {
        cell.warn(format!("step {name}: {warning}"));
    }
    Ok(found)
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

fn media(of: Answers) -> serde_json::Value {
    json!({ "json": of.json, "cbor": of.cbor, "protobuf": of.protobuf, "other": of.other })
}

/// What to say if the apiserver did not encode its answers as it was asked to.
fn not_granted(asked: Encoding, came: Answers) -> Option<String> {
    let granted = match asked {
        Encoding::Json => return None,
        Encoding::Cbor => came.cbor,
        Encoding::Protobuf => came.protobuf,
    };
    (came.json > granted).then(|| {
        format!(
            "asked for {}, the apiserver answered {} times in it, and {} times in JSON",
            asked.name(),
            granted,
            came.json
        )
    })
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

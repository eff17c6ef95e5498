//! `load`: send operations on a schedule.

use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_load::{LoadSpec, open_loop};
use kab_scenario::model::{Load, Operation, Protocol, Traffic, Via, Waiting};
use serde_json::json;

use super::{StepError, results};
use crate::arrivals::{Arrivals, arrivals};
use crate::cell::Cell;
use crate::recorder::StepResults;

/// The first operation is due this long after the step begins, so that making
/// ready does not make it late.
const RUN_UP: Duration = Duration::from_millis(20);

pub async fn run(name: &str, step: &Load, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let Load { arrivals: wanted, traffic } = step;
    if let Some(what) = beyond(traffic) {
        return Err(StepError::NotYet { step: name.to_owned(), what });
    }
    let schedule = match arrivals(name, cell.seed, wanted)? {
        Arrivals::Open(schedule) => schedule,
        Arrivals::Closed(_) => {
            return Err(StepError::NotYet { step: name.to_owned(), what: "arrivals.closed" });
        }
    };
    let count = schedule.count();
    let spec = LoadSpec {
        work: cell.work(name, &traffic.payload, traffic.deadline.duration(), count)?,
        schedule,
        start: Mono::now().plus(RUN_UP),
        max_in_flight: traffic.max_in_flight,
    };
    let stop = cell.stop();
    let summary = open_loop(&spec, cell.ledger(), stop.wait()).await?;
    let n = summary.outcomes;
    cell.say(&format!(
        "{} operations: {} ok, {} failed, {} indeterminate, {} missed",
        summary.reached, n.ok, n.failed, n.indeterminate, n.missed
    ));
    cell.acknowledged(&summary.acked);
    Ok(results([
        ("scheduled", json!(summary.scheduled)),
        ("notReached", json!(summary.not_reached())),
        ("intendedRate", json!(wanted.mean_rate())),
        ("inFlightPeak", json!(summary.in_flight_peak)),
        ("generatorCpuSeconds", json!(summary.cpu.as_secs_f64())),
    ]))
}

/// What of a load the present generator cannot do.
fn beyond(traffic: &Traffic) -> Option<&'static str> {
    let creates = |(kind, weight): (&Operation, &u32)| *kind == Operation::Create || *weight == 0;
    [
        (!traffic.mix.iter().all(creates), "mix"),
        (traffic.via != Via::Gateway, "via"),
        (traffic.protocol == Protocol::Http2, "protocol"),
        (traffic.connections.is_some(), "connections"),
        (traffic.identities > 1, "identities"),
        (!traffic.deadlines.is_empty(), "deadlines"),
        (traffic.wait != Waiting::Timer, "wait"),
    ]
    .into_iter()
    .find_map(|(beyond, what)| beyond.then_some(what))
}

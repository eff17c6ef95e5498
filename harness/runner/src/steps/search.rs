//! `search`: the highest rate at which an objective holds.
//!
//! Each probe is one load, of which the beginning is warm-up, into a ledger of
//! its own that is closed and read before the next probe is chosen. So what the
//! search decides by is what lies on disk, and what `kab report` reads again.

use std::sync::Arc;
use std::time::Duration;

use kab_evidence::capacity::{CapacityRecord, ProbeRecord, ProbeResult, RESULT};
use kab_evidence::clock::Mono;
use kab_evidence::join::Joined;
use kab_evidence::jsonl::JsonlWriter;
use kab_load::capacity::{Capacity, Probe, ProbeOutcome, Purpose, Search as Searching, SearchSpec};
use kab_load::{Schedule, run_load};
use kab_scenario::model::{self, Load, Search, Steady};
use kab_scenario::unit::{Rate, Span};
use kab_verdict::objective::{Objective, Said, probe as measured};
use serde_json::json;

use super::{StepError, results, wait};
use crate::arrivals::BadLoad;
use crate::cell::Cell;
use crate::recorder::StepResults;
use crate::target;

/// The first operation is due this long after a probe begins, so that making
/// ready does not make it late.
const RUN_UP: Duration = Duration::from_millis(20);

pub async fn run(name: &str, step: &Search, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let objective = Objective::new(&step.hold, step.late_at_most.duration())?;
    let mut search = Searching::new(spec(step))?;
    let mut probes = Vec::new();
    while let Some(probe) = search.next() {
        let Some(made) = make(name, step, &objective, probe, probes.len(), cell).await? else {
            break;
        };
        search.record(outcome(&made));
        probes.push(made);
    }
    let capacity = search.capacity();
    cell.say(&format!("{name}: {capacity}"));
    Ok(results([(RESULT, json!(record(step, &capacity, probes)))]))
}

fn spec(step: &Search) -> SearchSpec {
    SearchSpec {
        from: step.rate.from.per_second(),
        up_to: step.rate.up_to.per_second(),
        resolution: step.rate.resolution,
        repeats: step.repeats,
    }
}

/// Makes one probe; none if the run is to stop.
async fn make(
    name: &str,
    step: &Search,
    objective: &Objective,
    probe: Probe,
    index: usize,
    cell: &mut Cell<'_>,
) -> Result<Option<ProbeRecord>, StepError> {
    let (warm_up, measure) = (step.warm_up.duration(), step.measure.duration());
    // Entities have names of their own in each probe; the ledger says which
    // probe it was.
    let duration = Span::from(warm_up.saturating_add(measure));
    let rate = Rate::of(probe.rate).unwrap_or(step.rate.from);
    let arrivals = model::Arrivals::Constant(Steady { rate, duration });
    let load = Load { arrivals, traffic: step.load.traffic() };
    let count = load.arrivals.operations();
    let job = target::job(&format!("{name}P{index}"), &load, count, cell).await?;
    let start = Mono::now().plus(RUN_UP);
    let mut spec = job.spec(0, 1, start).await?;
    let step_name = format!("{name}@{}#{}", probe.rate, probe.number);
    spec.work.step.clone_from(&step_name);
    let before = Schedule::constant(probe.rate, warm_up).map_err(BadLoad::from)?.count();
    let scheduled = spec.arrivals.count().unwrap_or(0).saturating_sub(before);
    let path = cell.folder().ops_part_path(&format!("{name}-{index:03}"));
    let ledger = Arc::new(JsonlWriter::append_to(&path)?);
    let stop = cell.stop();
    let summary = run_load(&spec, &ledger, stop.wait()).await?;
    if let Some(ledger) = Arc::into_inner(ledger) {
        ledger.finish()?;
    }
    cell.acknowledged(&summary.acked);
    if stop.requested() {
        return Ok(None);
    }
    let counted_from = start.plus(warm_up);
    let joined = Joined::ledgers(&[path])?;
    let (outcome, reason) =
        match objective.ask(&measured(&step_name, counted_from, scheduled, &joined)) {
            Said::Held => (ProbeResult::Held, String::new()),
            Said::Broke(reason) => (ProbeResult::Broke, reason),
            Said::Invalid(reason) => (ProbeResult::Invalid, reason),
        };
    cell.say(&told(&step_name, outcome, &reason));
    // Nothing is in flight any more; what follows from the writes may be.
    if let Some(settle) = &step.settle {
        wait::run(settle, cell).await?;
    }
    let purpose = match probe.purpose {
        Purpose::Climb => "climb",
        Purpose::Halve => "halve",
        Purpose::Confirm => "confirm",
    };
    Ok(Some(ProbeRecord {
        step: step_name,
        rate: probe.rate,
        counted_from,
        scheduled,
        purpose: purpose.to_owned(),
        outcome,
        reason,
    }))
}

fn told(step: &str, outcome: ProbeResult, reason: &str) -> String {
    match outcome {
        ProbeResult::Held => format!("{step}: held"),
        ProbeResult::Broke => format!("{step}: broke: {reason}"),
        ProbeResult::Invalid => format!("{step}: says nothing: {reason}"),
    }
}

fn outcome(made: &ProbeRecord) -> ProbeOutcome {
    let reason = made.reason.clone();
    match made.outcome {
        ProbeResult::Held => ProbeOutcome::Held,
        ProbeResult::Broke => ProbeOutcome::Broke { reason },
        ProbeResult::Invalid => ProbeOutcome::Invalid { reason },
    }
}

fn record(step: &Search, capacity: &Capacity, probes: Vec<ProbeRecord>) -> CapacityRecord {
    CapacityRecord {
        hold: step.hold.clone(),
        late_at_most: step.late_at_most.duration(),
        probes,
        held: capacity.held,
        broke: capacity.broke,
        ceiling: capacity.ceiling,
        contradictions: capacity.contradictions.iter().map(|c| (c.broke, c.held)).collect(),
        split: capacity.split.clone(),
        complete: capacity.complete,
        summary: capacity.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `--dry-run` promises is what the search keeps.
    #[test]
    fn a_plan_counts_as_many_probes_as_the_search_makes() {
        for (from, up_to, resolution, repeats) in
            [(10, 10, 0.1, 1), (10, 5000, 0.1, 3), (3, 100, 0.01, 2), (50, 800, 1.0, 5)]
        {
            let step: Search = serde_json::from_value(json!({
                "rate": {
                    "from": format!("{from}/s"), "upTo": format!("{up_to}/s"),
                    "resolution": resolution,
                },
                "hold": "ops.failed == 0",
                "repeats": repeats,
            }))
            .unwrap();
            let search = Searching::new(spec(&step)).unwrap();
            assert_eq!(search.planned_probes(), step.probes());
        }
    }
}

//! `load`: send operations on a schedule.

use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_load::crew::{Lost, Report};
use kab_load::{Answers, Arrivals, Waiting, run_load};
use kab_scenario::model::{self, Encoding, Load, Traffic};
use serde_json::json;

use super::{StepError, results};
use crate::arrivals::arrivals;
use crate::cell::Cell;
use crate::recorder::StepResults;
use crate::share::{Job, Outcome, share};
use crate::target;

/// The first operation is due this long after the step begins, so that making
/// ready does not make it late.
const RUN_UP: Duration = Duration::from_millis(20);

pub async fn run(name: &str, step: &Load, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let arrivals = arrivals(name, cell.seed, &step.arrivals)?;
    let job = target::job(name, step, arrivals.count(), cell).await?;
    let open = matches!(arrivals, Arrivals::Open(_));
    let mut found = match step.traffic.workers {
        0 | 1 => alone(&job, cell).await?,
        of => shared(&job, of, cell).await?,
    };
    found.extend(results([
        ("intendedRate", json!(step.arrivals.mean_rate())),
        ("openLoop", json!(open)),
        ("via", json!(step.traffic.via)),
    ]));
    let resource = step.traffic.resource;
    if !resource.is_todo() {
        found.extend(results([("resource", json!(resource.name()))]));
    }
    Ok(found)
}

/// In this process.
async fn alone(job: &Job, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let mut spec = job.spec(0, 1, Mono::now()).await?;
    spec.start = Mono::now().plus(RUN_UP);
    let stop = cell.stop();
    let summary = run_load(&spec, &cell.ledger(), stop.wait()).await?;
    if let Some(failure) = &summary.first_failure {
        let said = failure.detail.as_deref().unwrap_or("no more was said");
        cell.say(&format!("the first that was not ok: {}: {said}", failure.class));
    }
    acknowledged(&summary.acked, &job.load.traffic, cell);
    let waited = (summary.waited.count() > 0).then(|| {
        let (count, p99) = (summary.waited.count(), summary.waited.quantile(0.99));
        let millis = p99.unwrap_or_default().as_secs_f64() * 1e3;
        format!("{count} of them, 99 % of these for at most {millis:.1} ms")
    });
    let report = Report::of(&summary, job.first_sequence, 1, summary.reached);
    let mut found = told(&report, job, cell);
    if let Some(waited) = waited {
        found.insert("waitedForConnection".into(), json!(waited));
    }
    Ok(found)
}

/// By `of` child processes.
async fn shared(job: &Job, of: u32, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let Some(Outcome { report, lost }) = share(job, of, cell).await? else {
        return Ok(StepResults::new());
    };
    let acked: Vec<OpId> = report
        .acked
        .iter()
        .map(|index| OpId::new(job.nonce, job.first_sequence.wrapping_add(index)))
        .collect();
    acknowledged(&acked, &job.load.traffic, cell);
    let mut found = told(&report, job, cell);
    found.insert("workers".into(), json!(of));
    if !lost.is_empty() {
        let lost = lost.iter().map(|Lost { worker, why, .. }| format!("worker {worker}: {why}"));
        let lost: Vec<_> = lost.collect();
        cell.warn(format!("not all workers did their part: {}", lost.join("; ")));
        found.insert("lostWorkers".into(), json!(lost));
    }
    Ok(found)
}

/// Remembers what subscribers will hear of: nobody is notified of anything but
/// Todos.
fn acknowledged(acked: &[OpId], traffic: &Traffic, cell: &mut Cell<'_>) {
    if traffic.resource.is_todo() {
        cell.acknowledged(acked);
    }
}

/// Says what a load came to, and writes it down.
fn told(report: &Report, job: &Job, cell: &Cell<'_>) -> StepResults {
    let Report { ok, failed, indeterminate, missed, .. } = report;
    cell.say(&format!(
        "{} operations: {ok} ok, {failed} failed, {indeterminate} indeterminate, {missed} missed",
        report.reached
    ));
    if let Some(warning) = not_granted(job.load.traffic.encoding, report.media) {
        cell.warn(format!("step {}: {warning}", job.step));
    }
    results([
        ("scheduled", json!(report.scheduled)),
        ("notReached", json!(report.scheduled.saturating_sub(report.reached))),
        ("inFlightPeak", json!(report.in_flight_peak)),
        ("processCpuSeconds", json!(report.cpu.as_secs_f64())),
        ("generatorCpuSeconds", json!(report.generator_cpu.as_secs_f64())),
        ("media", media(report.media)),
    ])
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

/// How the generator waits.
pub const fn waiting(wanted: model::Waiting) -> Waiting {
    match wanted {
        model::Waiting::Timer => Waiting::Timer,
        model::Waiting::Hybrid => Waiting::Hybrid,
        model::Waiting::Spin => Waiting::Spin,
    }
}

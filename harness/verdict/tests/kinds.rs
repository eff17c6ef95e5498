//! Operations of several kinds in one step, measured apart.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use kab_evidence::ledger::{OpKind, Outcome};
use kab_evidence::record::{Verdict, VerdictRecord};
use kab_verdict::kinds::OfKind;
use kab_verdict::path::Paths;
use kab_verdict::{CellMeasurements, Nanos, StepMeasurements, Value};
use support::*;

/// 600 creates, and after each a get that takes 1 ms; the tenth get fails.
fn mixed() -> Synthetic {
    let mut run = Synthetic::noisy(1_200, 0);
    for (n, op) in run.ops.iter_mut().skip(1).step_by(2).enumerate() {
        op.kind = OpKind::Get;
        op.done = op.sent.map(|sent| sent.plus(Duration::from_millis(1)));
        if n == 9 {
            op.outcome = Outcome::Failed;
        }
    }
    run
}

fn measured(run: &Synthetic) -> CellMeasurements {
    let dir = tempfile::tempdir().unwrap();
    let folder = run.save(dir.path());
    CellMeasurements::read(&folder.cell(CELL), &run.record.cells[0]).unwrap()
}

fn written(run: &Synthetic) -> StepMeasurements {
    measured(run).step("write").unwrap().clone()
}

fn of(step: &StepMeasurements, kind: OpKind) -> &OfKind {
    step.kinds.iter().find(|one| one.kind == kind).unwrap()
}

#[test]
fn each_kind_has_its_own_counts_and_percentiles() {
    let step = written(&mixed());
    assert_eq!(step.kinds.len(), 2);
    let (create, get) = (of(&step, OpKind::Create), of(&step, OpKind::Get));
    assert_eq!((create.ops.sent, create.ops.ok, create.ops.failed), (600, 600, 0));
    assert_eq!((get.ops.sent, get.ops.ok, get.ops.failed), (600, 599, 1));
    assert_eq!((get.ops.scheduled, get.ops.unrecorded), (None, 0));
    // Sent 0.1 ms late each.
    assert_eq!(get.response.all.p50, Some(Nanos(1_100_000)));
    assert_eq!(get.service.all.p99, Some(Nanos(1_000_000)));
    assert_eq!((get.response.all.count, get.response.ok.count), (600, 599));
    // The mixture is neither of the two: half of all is what every get took.
    assert_eq!(step.response.all.p50, Some(Nanos(1_100_000)));
    let half = create.response.all.p50.unwrap();
    assert!(half > Nanos(6_000_000), "{half}");
    // What a step of creates alone would have come to.
    let mut creates = mixed();
    creates.ops.retain(|op| op.kind == OpKind::Create);
    creates.step_mut("write").results.remove("scheduled");
    let alone = written(&creates);
    assert_eq!(alone.response, create.response);
    assert_eq!(alone.service, create.service);
}

#[test]
fn a_step_of_one_kind_stays_as_it_is() {
    let step = written(&Synthetic::flawless(200));
    assert!(step.kinds.is_empty());
    let json = serde_json::to_value(&step).unwrap();
    assert!(json.get("kinds").is_none());
    let paths = Paths::of(&measured(&Synthetic::flawless(200)));
    assert!(paths.names("write.kinds.create.response.p99"));
    assert_eq!(paths.get("write.kinds.create.response.p99"), None);
}

fn verdict(confirmed: &str, refuted: &str) -> VerdictRecord {
    let dir = tempfile::tempdir().unwrap();
    let folder = mixed().save(dir.path());
    let judged = kab_verdict::judge_claims(&folder, &[claim(confirmed, refuted)]).unwrap();
    judged.record.verdicts[0].clone()
}

#[test]
fn a_claim_about_one_kind_is_judged_by_that_kind() {
    let within = |kind: &str, time: &str| {
        verdict(
            &format!("write.kinds.{kind}.response.interval.p99.high < duration('{time}')"),
            &format!("write.kinds.{kind}.response.interval.p99.low >= duration('{time}')"),
        )
    };
    let gets = within("get", "2ms");
    assert_eq!(gets.verdict, Verdict::Confirmed, "{}", gets.reason);
    assert!(gets.reason.contains("kind `get`, 99 % of the 600 operations"), "{}", gets.reason);
    let creates = within("create", "2ms");
    assert_eq!(creates.verdict, Verdict::Refuted, "{}", creates.reason);
    let lists = within("list", "2ms");
    assert_eq!(lists.verdict, Verdict::Inconclusive, "{}", lists.reason);
    assert!(lists.reason.contains("no data"), "{}", lists.reason);
}

#[test]
fn failures_are_of_the_kind_that_failed() {
    let failed = |kind: &str| {
        let of = format!("write.kinds.{kind}.ops.failed");
        verdict(&format!("{of} == 0"), &format!("{of} > 0")).verdict
    };
    assert_eq!((failed("create"), failed("get")), (Verdict::Confirmed, Verdict::Refuted));
    let paths = Paths::of(&measured(&mixed()));
    assert_eq!(paths.get("write.kinds.get.ops.failed"), Some(Value::Count(1)));
}

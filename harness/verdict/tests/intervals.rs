//! Intervals of synthetic evidence: where they are, where they are not, and
//! what a claim makes of them.
#![allow(clippy::unwrap_used)]

mod support;

use kab_evidence::ledger::Outcome;
use kab_evidence::record::Verdict;
use kab_verdict::claim::judge_claim;
use kab_verdict::{CellMeasurements, Nanos, StepMeasurements};
use support::*;

fn measured(run: &Synthetic) -> CellMeasurements {
    let dir = tempfile::tempdir().unwrap();
    let folder = run.save(dir.path());
    CellMeasurements::read(&folder.cell(CELL), &run.record.cells[0]).unwrap()
}

fn written(run: &Synthetic) -> StepMeasurements {
    measured(run).step("write").unwrap().clone()
}

/// A claim on the 99th percentile of the response, decided by its interval.
fn within(limit: &str) -> kab_scenario::model::Claim {
    claim(
        &format!("write.response.interval.p99.high <= duration('{limit}')"),
        &format!("write.response.interval.p99.low > duration('{limit}')"),
    )
}

fn verdict(run: &Synthetic, limit: &str) -> (Verdict, String) {
    let judged = judge_claim(&within(limit), &measured(run), &[]);
    (judged.verdict, judged.reason)
}

#[test]
fn percentiles_have_intervals_that_hold_them() {
    let step = written(&Synthetic::noisy(1_000, 0));
    let lag = &step.delivery.as_ref().unwrap().lag;
    for of in [&step.response.all, &step.response.ok, &step.service.all, lag] {
        let found = of.interval.clone().unwrap();
        for (value, range) in
            [(of.p50, found.p50), (of.p90, found.p90), (of.p99, found.p99), (of.mean, found.mean)]
        {
            let (value, range) = (value.unwrap(), range.unwrap());
            assert!(range.low < value && value < range.high, "{value} {range:?}");
        }
        // One sample lies beyond the 99.9th percentile, which bounds nothing.
        assert!(of.p999.is_some() && found.p999.is_none());
        assert!(of.effective_samples.unwrap() <= of.count);
    }
    assert_eq!((step.lateness.interval, step.lateness.effective_samples), (None, None));
}

#[test]
fn the_order_of_the_ledger_does_not_matter() {
    let mut run = Synthetic::noisy(1_000, 0);
    let before = written(&run).response;
    run.ops.reverse();
    assert_eq!(written(&run).response, before);
}

#[test]
fn a_threshold_outside_the_interval_decides() {
    let run = Synthetic::noisy(1_000, 0);
    let (confirmed, why) = verdict(&run, "1s");
    assert_eq!(confirmed, Verdict::Confirmed, "{why}");
    assert!(why.contains("95 % interval"), "{why}");
    let (refuted, why) = verdict(&run, "3ms");
    assert_eq!(refuted, Verdict::Refuted, "{why}");
}

#[test]
fn a_threshold_inside_the_interval_does_not() {
    let run = Synthetic::noisy(1_000, 0);
    let Nanos(p99) = written(&run).response.all.p99.unwrap();
    let (open, why) = verdict(&run, &format!("{p99}ns"));
    assert_eq!(open, Verdict::Inconclusive);
    let said = "The threshold lies inside the 95 % interval of write.response.p99";
    assert!(why.starts_with(said), "{why}");
}

#[test]
fn too_few_samples_have_no_interval_and_the_claim_says_so() {
    let (open, why) = verdict(&Synthetic::noisy(200, 0), "1s");
    assert_eq!(open, Verdict::Inconclusive);
    assert!(
        why.contains("no 95 % interval for write.response.p99: of its n = 200 samples"),
        "{why}"
    );
}

#[test]
fn a_single_stall_is_not_many_slow_writes() {
    let mut run = Synthetic::noisy(1_000, 0);
    let slow = Parts { store: 3_000_000, ..PLAIN };
    for _ in 0..30 {
        run.write(slow, Outcome::Ok);
    }
    for _ in 0..1_000 {
        run.write(PLAIN, Outcome::Ok);
    }
    run.schedule(2_030);
    let response = written(&run).response.all;
    assert!(response.p99.unwrap() > Nanos(3_000_000_000));
    assert_eq!(response.interval.unwrap_or_default().p99, None);
    assert_eq!(verdict(&run, "1s").0, Verdict::Inconclusive);
}

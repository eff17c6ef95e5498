//! What is measured from synthetic evidence with known content.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use kab_evidence::ledger::Outcome;
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

#[test]
fn a_flawless_run_is_measured_as_it_was_made() {
    let step = written(&Synthetic::flawless(200));
    let ops = step.ops.unwrap();
    assert_eq!(
        (ops.scheduled, ops.recorded, ops.unrecorded, ops.sent, ops.ok),
        (Some(200), 200, 0, 200, 200)
    );
    assert_eq!(step.classes, [("http-201".to_owned(), 200)].into());
    let rate = step.rate.unwrap();
    assert!((rate.intended - 40.0).abs() < 1e-6, "{rate:?}");
    assert!((rate.achieved - 40.0).abs() < 0.01, "{rate:?}");
    assert_eq!(step.response.all.p50, Some(Nanos(6_400_000)));
    assert_eq!(step.service.all.p99, Some(Nanos(6_300_000)));
    assert_eq!(step.lateness.max, Some(Nanos(100_000)));
    let delivery = step.delivery.unwrap();
    assert_eq!((delivery.subscribers, delivery.expected, delivery.delivered), (1, 200, 200));
    assert_eq!((delivery.lost, delivery.duplicated, delivery.unacknowledged), (0, 0, 0));
    assert_eq!(delivery.lag.p99, Some(Nanos(7_950_000)));
    let coverage = step.coverage.unwrap();
    assert_eq!(
        (coverage.gateway, coverage.complete, coverage.delivery),
        (Some(1.0), 1.0, Some(1.0))
    );
    let stored = step.stored.unwrap();
    assert_eq!((stored.expected, stored.present, stored.missing), (200, 200, 0));
}

/// Of a write that went straight to the apiserver no gateway is to be expected,
/// and the store has all the time that is not the webhook's.
#[test]
fn writes_without_a_gateway_are_whole_without_its_spans() {
    let mut run = Synthetic::flawless(200);
    let step = run.step_mut("write");
    step.results.insert("via".into(), serde_json::json!("apiserver"));
    let step = written(&run);
    let coverage = step.coverage.unwrap();
    assert_eq!((coverage.gateway, coverage.complete), (None, 1.0));
    let chain = step.waterfall.unwrap().acknowledgement;
    let names: Vec<_> = chain.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(names, ["queue", "store", "webhookHop", "rules"]);
    assert_eq!((chain.count, chain.whole.p50), (200, step.response.all.p50));
}

#[test]
fn of_a_closed_loop_nobody_intended_a_rate() {
    let mut run = Synthetic::flawless(200);
    run.step_mut("write").results.insert("openLoop".into(), serde_json::json!(false));
    let dir = tempfile::tempdir().unwrap();
    let folder = run.save(dir.path());
    let judged = kab_verdict::judge_claims(&folder, &[]).unwrap();
    assert!(judged.notes.iter().any(|note| note.contains("closed loop")), "{:?}", judged.notes);
    let paths = kab_verdict::path::Paths::of(&judged.cells[0]);
    assert!(paths.get("write.rate.intended").is_none());
    assert!(paths.get("write.rate.achieved").is_some());

    let dir = tempfile::tempdir().unwrap();
    let folder = Synthetic::flawless(200).save(dir.path());
    assert!(kab_verdict::judge_claims(&folder, &[]).unwrap().notes.is_empty());
}

/// Bursts of 50 each second: 50/s, though the last ones lie a second before the end.
#[test]
fn the_schedules_own_mean_is_the_intended_rate() {
    let mut run = Synthetic::flawless(200);
    run.step_mut("write").results.insert("intendedRate".into(), serde_json::json!(50.0));
    let rate = written(&run).rate.unwrap();
    assert_eq!(rate.intended, 50.0);
    assert!(rate.achieved <= 50.0);
}

#[test]
fn a_lost_notification_is_counted_and_has_no_lag() {
    let mut run = Synthetic::flawless(200);
    run.lose(op(17));
    let step = written(&run);
    let delivery = step.delivery.unwrap();
    assert_eq!((delivery.lost, delivery.delivered, delivery.lag.count), (1, 199, 199));
    let untold: u64 = step.timeline.unwrap().outcomes.iter().map(|b| b.undelivered).sum();
    assert_eq!(untold, 1);
    assert_eq!(step.coverage.unwrap().complete, 0.995);
}

#[test]
fn a_second_notification_of_the_same_write_is_a_duplicate() {
    let mut run = Synthetic::flawless(200);
    run.deliver(op(3), 0, Some("1003"), at(30_000_000_000));
    let delivery = written(&run).delivery.unwrap();
    assert_eq!((delivery.duplicated, delivery.delivered, delivery.lost), (1, 200, 0));
    // The lag is the first one's.
    assert_eq!(delivery.lag.max, Some(Nanos(7_950_000)));
}

#[test]
fn a_later_revision_of_the_entity_is_not_a_duplicate() {
    let mut run = Synthetic::flawless(200);
    run.deliver(op(3), 0, Some("99999"), at(30_000_000_000));
    let cell = measured(&run);
    assert_eq!(cell.step("write").unwrap().delivery.as_ref().unwrap().duplicated, 0);
    assert_eq!(cell.join.other_revisions, 1);
}

#[test]
fn a_notification_of_a_write_never_acknowledged_is_neither_delivered_nor_duplicate() {
    let mut run = Synthetic::flawless(200);
    let lost = run.write(PLAIN, Outcome::Indeterminate);
    run.schedule(201);
    run.deliver(lost, 0, None, at(30_000_000_000));
    let delivery = written(&run).delivery.unwrap();
    assert_eq!((delivery.unacknowledged, delivery.delivered, delivery.duplicated), (1, 200, 0));
}

#[test]
fn each_subscriber_is_due_its_own_notification() {
    let mut run = Synthetic::flawless(100);
    run.step_mut("listen").results.insert("subscribers".into(), 2.into());
    run.deliver(op(0), 1, Some("1000"), at(500_000_000));
    let delivery = written(&run).delivery.unwrap();
    assert_eq!((delivery.expected, delivery.delivered, delivery.lost), (200, 101, 99));
    assert_eq!(delivery.duplicated, 0);
}

#[test]
fn an_acknowledged_write_that_the_store_lacks_is_missing() {
    let mut run = Synthetic::flawless(200);
    run.store.as_mut().unwrap().remove(5);
    let lost = run.write(PLAIN, Outcome::Indeterminate);
    let refused = run.write(PLAIN, Outcome::Failed);
    run.keep(lost);
    run.keep(refused);
    run.schedule(202);
    let stored = written(&run).stored.unwrap();
    assert_eq!((stored.expected, stored.missing), (200, 1));
    assert_eq!((stored.indeterminate_present, stored.failed_present), (1, 1));
}

#[test]
fn a_store_that_was_not_read_says_nothing() {
    let mut run = Synthetic::flawless(10);
    run.store = None;
    assert_eq!(written(&run).stored, None);
    let mut run = Synthetic::flawless(10);
    run.step_mut("check").ended = None;
    assert_eq!(written(&run).stored, None);
}

#[test]
fn failures_do_not_vanish_from_percentiles() {
    let mut run = Synthetic::flawless(150);
    let slow = Parts { store: 9_900_000, ..PLAIN };
    (0..50).for_each(|_| {
        run.write(slow, Outcome::Indeterminate);
    });
    let missed = run.write(PLAIN, Outcome::Missed);
    let _ = missed;
    run.schedule(201);
    let step = written(&run);
    assert_eq!((step.response.all.count, step.response.ok.count), (200, 150));
    assert!(step.response.all.p90 > Some(Nanos(9_000_000_000)), "{:?}", step.response.all);
    assert_eq!(step.response.ok.p90, Some(Nanos(6_400_000)));
    // A missed one has no latency, and is counted as what it is.
    let ops = step.ops.unwrap();
    assert_eq!((ops.missed, ops.indeterminate, ops.recorded, ops.sent), (1, 50, 201, 200));
    assert!(step.rate.unwrap().achieved < step.rate.unwrap().intended);
}

#[test]
fn segments_add_up_to_the_whole() {
    let mut run = Synthetic::new(1);
    for i in 0..300u64 {
        let parts =
            Parts { queue: i % 7 * 31, store: 3_000 + i * i % 911, notify: i * 13 % 501, ..PLAIN };
        run.write(parts, Outcome::Ok);
    }
    run.schedule(300);
    let falls = written(&run).waterfall.unwrap();
    for chain in [&falls.acknowledgement, &falls.delivery] {
        assert_eq!(chain.count, 300);
        let sum: i64 = chain.segments.iter().map(|s| s.mean.unwrap().0).sum();
        let whole = chain.whole.mean.unwrap().0;
        // Each mean is rounded to a nanosecond.
        assert!(sum.abs_diff(whole) <= chain.segments.len() as u64, "{sum} is not {whole}");
    }
    let mean =
        |name: &str| falls.acknowledgement.segments.iter().find(|s| s.name == name).unwrap().mean;
    assert_eq!(mean("rules"), Some(Nanos(50_000)));
    assert_eq!(mean("webhookHop"), Some(Nanos(400_000)));
    assert_eq!(mean("gateway"), Some(Nanos(500_000)));
}

#[test]
fn a_contradiction_between_clocks_is_kept_and_counted() {
    let mut run = Synthetic::flawless(100);
    for span in &mut run.spans {
        if let kab_evidence::span::Span::Informer { seen, .. } = span {
            *seen = at(0);
        }
    }
    let falls = written(&run).waterfall.unwrap();
    let segment = falls.delivery.segments.iter().find(|s| s.name == "storeAndWatch").unwrap();
    assert_eq!(segment.negative, 100);
    assert!(segment.mean.unwrap() < Nanos(0));
}

#[test]
fn writes_from_before_the_subscription_are_replayed_not_delivered() {
    let mut run = Synthetic::flawless(50);
    run.record.cells[0].steps.insert(0, step("fill", "seed", &[("scheduled", 1.into())]));
    run.ops[0].step = "fill".into();
    run.schedule(49);
    let cell = measured(&run);
    assert_eq!(cell.join.replayed, 1);
    assert_eq!(cell.step("fill").unwrap().delivery, None);
    assert_eq!(cell.step("fill").unwrap().rate, None);
    assert_eq!(cell.step("write").unwrap().delivery.as_ref().unwrap().expected, 49);
}

#[test]
fn no_evidence_no_numbers() {
    let cell = measured(&Synthetic::new(1));
    let step = cell.step("write").unwrap();
    assert_eq!(
        (&step.ops, &step.rate, &step.delivery, &step.coverage),
        (&None, &None, &None, &None)
    );
    assert_eq!(step.response.all.count, 0);
    assert_eq!(step.timeline, None);
}

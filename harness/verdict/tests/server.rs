//! What the servers did, from synthetic series: numbers where both ends of a
//! stretch were read, and none where one was not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use kab_evidence::record::Verdict;
use kab_evidence::series::Sample;
use kab_verdict::server::{AllSeries, Servers, observed, servers};
use kab_verdict::{CellMeasurements, Nanos};
use proptest::prelude::*;
use support::servers::*;
use support::*;

/// Of the ten seconds from 10 s on.
fn ten_seconds(samples: Vec<Sample>) -> Servers {
    servers(&AllSeries::of(samples), when(10.0), when(20.0), 100).unwrap()
}

#[test]
fn counts_are_those_between_the_readings_around_the_stretch() {
    let found = ten_seconds(healthy());
    // Read at 9 s and at 21 s: six times two seconds.
    let api = found.apiserver.unwrap();
    assert_eq!(api.cpu, Nanos::from_seconds(3.0));
    assert_eq!(api.cpu_per_ok, Some(Nanos::from_seconds(0.03)));
    assert!((api.cores - 0.25).abs() < 1e-9, "{}", api.cores);
    assert_eq!(api.resident_peak, 211_000_000);
    assert_eq!(api.written, Some(6 * 4096));
    let apf = found.apf.unwrap();
    assert_eq!((apf.dispatched, apf.rejected, apf.queue_peak, apf.seats_peak), (480, 0, 0, 4));
    let db = found.db.unwrap();
    assert_eq!((db.growth, db.in_use_growth), (6 * 65_536, 300_000));
    let fsync = found.wal_fsync.unwrap();
    assert_eq!((fsync.count, fsync.mean), (1_200, Some(Nanos::from_seconds(0.0015))));
    let p99 = fsync.p99.unwrap();
    assert_eq!((p99.above, p99.at_most), (Nanos(2_000_000), Some(Nanos(4_000_000))));
    let p50 = fsync.p50.unwrap();
    assert_eq!((p50.above, p50.at_most), (Nanos(0), Some(Nanos(1_000_000))));
    assert_eq!((found.scrapes.apiserver, found.scrapes.failed), (5, 0));
    // Nothing was told of these, so there is nothing to say.
    assert_eq!((found.webhook, found.watch, found.requests), (None, None, None));
}

#[test]
fn a_counter_that_appears_midway_was_zero_before() {
    let mut samples = healthy();
    let rejected = "apiserver_flowcontrol_rejected_requests_total";
    let labels = [("priority_level", "workload-low"), ("reason", "queue-full")];
    samples.push(labelled(sample(15.0, API, rejected, 7.0), &labels));
    assert_eq!(ten_seconds(samples).apf.unwrap().rejected, 7);
}

#[test]
fn without_a_reading_after_the_end_there_is_no_number() {
    let found = ten_seconds(silent_from(API, 15.0));
    assert_eq!((&found.apiserver, &found.apf), (&None, &None));
    assert_eq!(found.scrapes.failed, 3);
    // The other server is not touched by it.
    assert!(found.etcd.is_some() && found.wal_fsync.is_some());
}

#[test]
fn a_server_that_began_anew_has_lost_what_it_counted() {
    let mut samples = healthy();
    for sample in &mut samples {
        if sample.at > when(15.0) && sample.metric == "process_start_time_seconds" {
            sample.value += 100.0;
        }
    }
    let found = ten_seconds(samples);
    assert_eq!((&found.apf, &found.wal_fsync, &found.db), (&None, &None, &None));
}

#[test]
fn without_series_there_is_nothing() {
    assert_eq!(servers(&AllSeries::default(), when(0.0), when(1.0), 1), None);
    let dir = tempfile::tempdir().unwrap();
    let run = Synthetic::flawless(100);
    let folder = run.save(dir.path());
    let cell = &run.record.cells[0];
    let measured = CellMeasurements::read(&folder.cell(CELL), cell).unwrap();
    assert_eq!((measured.servers, measured.servers_over_time), (None, None));
}

fn verdict(series: Vec<Sample>, confirmed: &str, refuted: &str) -> (Verdict, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Synthetic::flawless(200);
    run.series = series;
    let folder = run.save(dir.path());
    let judged = kab_verdict::judge_claims(&folder, &[claim(confirmed, refuted)]).unwrap();
    let verdict = &judged.record.verdicts[0];
    (verdict.verdict, verdict.reason.clone())
}

#[test]
fn claims_speak_of_servers_in_a_step_and_over_all() {
    let fast = "write.server.walFsync.p99.atMost <= duration('4ms') && server.apf.rejected == 0";
    let slow = "write.server.walFsync.p99.above >= duration('4ms') || server.apf.rejected > 0";
    assert_eq!(verdict(healthy(), fast, slow).0, Verdict::Confirmed);
    // The bucket straddles 3 ms: neither can be said.
    let between = |text: &str| text.replace("4ms", "3ms");
    let (open, why) = verdict(healthy(), &between(fast), &between(slow));
    assert_eq!(open, Verdict::Inconclusive, "{why}");
}

#[test]
fn a_server_that_fell_silent_confirms_nothing() {
    let (open, why) =
        verdict(silent_from(API, 30.0), "server.apf.rejected == 0", "server.apf.rejected > 0");
    assert_eq!(open, Verdict::Inconclusive);
    assert!(why.contains("no data for server.apf.rejected"), "{why}");
}

#[test]
fn over_time_knows_steps_and_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Synthetic::flawless(100);
    run.series = silent_from(API, 30.0);
    let folder = run.save(dir.path());
    let measured = CellMeasurements::read(&folder.cell(CELL), &run.record.cells[0]).unwrap();
    let time = measured.servers_over_time.unwrap();
    assert_eq!(time.steps.len(), 4);
    assert_eq!(time.gaps.len(), 1);
    assert_eq!((time.gaps[0].of.as_str(), time.gaps[0].to), (API, None));
    let names: Vec<_> = time.cpu.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, [ETCD, API]);
    assert!(time.cpu[0].points.iter().all(|(_, cores)| (cores - 0.25).abs() < 1e-9));
    assert_eq!(time.disk.len(), 1);
    assert!(time.disk[0].points.iter().all(|(_, p99)| *p99 == 0.004));
}

proptest! {
    #[test]
    fn a_percentile_lies_in_its_bucket(
        before in prop::collection::vec(0u32..20_000, 0..300),
        during in prop::collection::vec(0u32..20_000, 100..300),
    ) {
        let bounds = [1_000u32, 2_000, 4_000, 8_000, 16_000];
        let reading = |seconds: f64, seen: &[u32]| {
            let at_most = |bound: u32| seen.iter().filter(|v| **v <= bound).count() as u64;
            let mut all: Vec<_> =
                bounds.iter().map(|b| (f64::from(*b) / 1e6, at_most(*b))).collect();
            all.push((f64::INFINITY, seen.len() as u64));
            let sum = seen.iter().map(|v| f64::from(*v) / 1e6).sum();
            histogram(seconds, ETCD, "took", sum, &all)
        };
        let both = [before.clone(), during.clone()].concat();
        let all = AllSeries::of([reading(1.0, &before), reading(3.0, &both)]);
        let span = kab_verdict::server::Span { from: when(1.0), to: when(3.0) };
        let found = observed(&all, ETCD, "took", span, |_| true).unwrap();
        prop_assert_eq!(found.count, during.len() as u64);
        let mut sorted = during;
        sorted.sort_unstable();
        let exact = |part: usize, of: usize| {
            let rank = (sorted.len() * part).div_ceil(of);
            Nanos(i64::from(sorted[rank - 1]) * 1_000)
        };
        for (between, exact) in [(found.p50, exact(1, 2)), (found.p99, exact(99, 100))] {
            let between = between.unwrap();
            // 0 is in the first bucket, whose lower end is 0.
            prop_assert!(between.above < exact || exact == Nanos(0));
            prop_assert!(between.at_most.is_none_or(|most| exact <= most));
            prop_assert!(between.at_most.is_some() || exact > Nanos(16_000_000));
        }
    }
}

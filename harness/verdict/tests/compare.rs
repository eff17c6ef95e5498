//! Two synthetic runs held against each other.
#![allow(clippy::unwrap_used)]

mod support;

use kab_evidence::folder::RunFolder;
use kab_verdict::compare::{CompareError, Comparison, Direction, LatencyComparison};
use kab_verdict::{Nanos, compare};
use support::*;

struct Pair {
    _dir: tempfile::TempDir,
    a: RunFolder,
    b: RunFolder,
}

/// Saves two runs with a scenario that they can be judged by.
fn pair(mut a: Synthetic, mut b: Synthetic) -> Pair {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = [("a", &mut a), ("b", &mut b)].map(|(name, run)| {
        run.judgeable();
        run.record.run = name.to_owned();
        run.save(&dir.path().join(name))
    });
    Pair { _dir: dir, a, b }
}

fn compared(a: Synthetic, b: Synthetic) -> Comparison {
    let pair = pair(a, b);
    compare(&pair.a, &pair.b).unwrap()
}

fn of<'a>(comparison: &'a Comparison, latency: &str, statistic: &str) -> &'a LatencyComparison {
    let step = comparison.steps.iter().find(|step| step.step == "write").unwrap();
    let wanted = |l: &&LatencyComparison| l.latency == latency && l.statistic == statistic;
    step.latencies.iter().find(wanted).unwrap()
}

#[test]
fn a_slower_run_is_shown_slower_and_the_other_way_faster() {
    let slow = || Synthetic::noisy(2_000, 2_000);
    let fast = || Synthetic::noisy(2_000, 0);
    for (a, b, direction, by) in [
        (fast(), slow(), Direction::Slower, 2_000_000),
        (slow(), fast(), Direction::Faster, -2_000_000),
    ] {
        let comparison = compared(a, b);
        for latency in ["response", "service"] {
            let p50 = of(&comparison, latency, "p50");
            let found = p50.found.clone().unwrap();
            assert_eq!((found.direction, p50.difference), (direction, Nanos(by)));
            assert!(found.interval.low <= Nanos(by) && Nanos(by) <= found.interval.high);
            assert!(found.detectable < Nanos(2_000_000), "{found:?}");
            assert!((found.ratio.unwrap() > 1.0) == (direction == Direction::Slower));
        }
        assert_eq!(comparison.conditions, []);
    }
}

#[test]
fn a_run_against_itself_shows_nothing_and_says_what_it_would_have_seen() {
    let comparison = compared(Synthetic::noisy(2_000, 0), Synthetic::noisy(2_000, 0));
    let step = &comparison.steps[0];
    for latency in &step.latencies {
        let Some(found) = &latency.found else {
            assert_eq!(latency.statistic, "p999");
            continue;
        };
        assert_eq!((found.direction, latency.difference), (Direction::NoneShown, Nanos(0)));
        assert!(found.detectable > Nanos(0));
    }
    assert_eq!(step.counts["ops.ok"], (Some(2_000.0), Some(2_000.0)));
    assert!(comparison.unmatched.is_empty());
}

#[test]
fn few_samples_are_set_side_by_side_without_a_word_on_the_difference() {
    let comparison = compared(Synthetic::noisy(200, 0), Synthetic::noisy(200, 50_000));
    let p99 = of(&comparison, "response", "p99");
    assert!(p99.difference > Nanos(0) && p99.found.is_none());
}

#[test]
fn conditions_that_differ_are_listed() {
    let mut b = Synthetic::noisy(200, 0);
    b.record.kab_version = "9.9.9".into();
    b.record.scenario.seed = 43;
    b.record.conditions.fsync = false;
    b.record.conditions.versions.insert("etcd".into(), "3.7.0".into());
    b.record.conditions.host.kernel = "Linux 7.0".into();
    let flags = b.record.conditions.command_lines.get_mut("etcd").unwrap();
    flags.push("--unsafe-no-fsync".into());
    // A path is the run's own.
    flags.push("--cert-file=/a/b".into());
    b.record.cells[0].pressure.as_mut().unwrap().busy_cores += 0.5;
    let mut a = Synthetic::noisy(200, 0);
    for (run, defect, pool) in [(&mut a, "noRetry", "8"), (&mut b, "oneStatus", "16")] {
        run.record.cells[0].defects = vec![defect.into()];
        run.record.cells[0].settings = [("pool".to_owned(), pool.to_owned())].into();
    }
    let flags = a.record.conditions.command_lines.get_mut("etcd").unwrap();
    flags.push("--cert-file=/c/d".into());
    let comparison = compared(a, b);
    let whats: Vec<_> = comparison.conditions.iter().map(|c| c.what.as_str()).collect();
    assert_eq!(
        whats,
        [
            "kab",
            "seed",
            "version of etcd",
            "etcd fsync",
            "kernel",
            "flags of etcd",
            "defects of naive",
            "pool of naive",
            "processors busy with anything else during naive"
        ]
    );
    let flags = comparison.conditions.iter().find(|c| c.what == "flags of etcd").unwrap();
    assert_eq!((flags.a.as_str(), flags.b.as_str()), ("none", "--unsafe-no-fsync"));
}

#[test]
fn nothing_is_said_of_an_invalid_run() {
    let mut died = Synthetic::noisy(200, 0);
    died.died("webhook", 5);
    let pair = pair(Synthetic::noisy(200, 0), died);
    let error = compare(&pair.a, &pair.b).unwrap_err();
    assert!(matches!(&error, CompareError::Invalid { run, .. } if run == "b"), "{error}");
    assert!(error.to_string().contains("Process webhook ended"), "{error}");
}

#[test]
fn runs_without_a_common_cell_are_not_compared() {
    let mut other = Synthetic::noisy(200, 0);
    other.record.cells[0].id = "hardened".into();
    let pair = pair(Synthetic::noisy(200, 0), other);
    let error = compare(&pair.a, &pair.b).unwrap_err();
    assert!(matches!(error, CompareError::NothingInCommon { .. }), "{error}");
}

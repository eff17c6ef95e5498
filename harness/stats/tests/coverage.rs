//! How often 95 % intervals hold the true value, on series whose true values
//! are known.
//!
//! The tolerance is 3 points: with 400 simulated runs a coverage of 95 % comes
//! out within 2.2 points of it 19 times of 20, and a block bootstrap of a
//! finite run is itself off by a point or two. Everything is seeded, so that a
//! test which passes once passes always.
#![allow(clippy::unwrap_used)]

mod support;

use kab_stats::{Blocks, Percentile, Series, Statistic};
use support::*;

const RUNS: u64 = 400;
const TOLERANCE: std::ops::RangeInclusive<f64> = 0.92..=0.98;

const P50: Statistic = Statistic::Percentile(Percentile::P50);
const P90: Statistic = Statistic::Percentile(Percentile::P90);
const P99: Statistic = Statistic::Percentile(Percentile::P99);
const P999: Statistic = Statistic::Percentile(Percentile::P999);

struct Covered {
    /// Share of the runs with an interval in which it holds the true value.
    share: f64,
    /// Share of the runs that have an interval.
    given: f64,
}

fn coverage(
    make: impl Fn(u64) -> Vec<i64>,
    truth: f64,
    statistic: Statistic,
    blocks: Blocks,
) -> Covered {
    let (mut held, mut given) = (0u64, 0u64);
    for run in 0..RUNS {
        let samples = make(1_000 + run);
        let estimate = Series::new(&samples).estimate_by(statistic, blocks, run).unwrap();
        if let Ok(interval) = estimate.interval {
            given += 1;
            held += u64::from(interval.holds(truth * UNIT));
        }
    }
    Covered { share: held as f64 / given as f64, given: given as f64 / RUNS as f64 }
}

/// Every statistic of `known` has an interval that covers as it says.
fn covers(known: &Known, statistics: &[(Statistic, f64)]) {
    for (statistic, truth) in statistics {
        let found = coverage(known.make, *truth, *statistic, Blocks::Chosen);
        let of = format!("{}, {statistic:?}: {:.3} of {:.3}", known.name, found.share, found.given);
        assert!(TOLERANCE.contains(&found.share) && found.given > 0.95, "{of}");
    }
}

#[test]
fn independent_exponential() {
    let known = exponential();
    covers(
        &known,
        &[(P50, known.p50), (P90, known.p90), (P99, known.p99), (Statistic::Mean, known.mean)],
    );
}

#[test]
fn independent_lognormal() {
    let known = lognormal();
    covers(
        &known,
        &[(P50, known.p50), (P90, known.p90), (P99, known.p99), (Statistic::Mean, known.mean)],
    );
}

#[test]
fn autocorrelated_lognormal() {
    let known = autocorrelated();
    covers(
        &known,
        &[
            (P50, known.p50),
            (P90, known.p90),
            (P99, known.p99),
            (P999, known.p999),
            (Statistic::Mean, known.mean),
        ],
    );
}

#[test]
fn bursts_of_stalls() {
    let known = stalls();
    covers(
        &known,
        &[
            (P50, known.p50),
            (P90, known.p90),
            (P99, known.p99),
            (P999, known.p999),
            (Statistic::Mean, known.mean),
        ],
    );
}

/// A run as short as the quickstart's: eight samples lie beyond its p99.
#[test]
fn a_short_run_covers_its_p99() {
    let known = autocorrelated();
    for rho in [0.0, 0.3] {
        let make = |seed| autocorrelated_of(seed, 800, rho);
        let found = coverage(make, known.p99, P99, Blocks::Chosen);
        assert!((0.92..=1.0).contains(&found.share), "{rho}: {:.3}", found.share);
    }
}

/// The ordinary bootstrap, which takes the samples as independent, fails the
/// same test: its 95 % interval of the median holds it less than 7 times of 10.
#[test]
fn the_ordinary_bootstrap_fails_on_autocorrelated_samples() {
    let known = autocorrelated();
    let make = |seed| autocorrelated_of(seed, 2_000, 0.9);
    let naive = coverage(make, known.p50, P50, Blocks::Of(1));
    let blocks = coverage(make, known.p50, P50, Blocks::Chosen);
    assert!(naive.share < 0.70, "{:.3}", naive.share);
    assert!(blocks.share > 0.90, "{:.3} of {:.3}", blocks.share, blocks.given);
}

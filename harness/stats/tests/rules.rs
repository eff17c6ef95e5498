//! When there is an interval and when there is none; block lengths; effective
//! samples; the same seed, the same interval.
#![allow(clippy::unwrap_used)]

mod support;

use kab_stats::{NoInterval, Percentile, Series, Statistic};
use support::*;

const P50: Statistic = Statistic::Percentile(Percentile::P50);
const P99: Statistic = Statistic::Percentile(Percentile::P99);
const P999: Statistic = Statistic::Percentile(Percentile::P999);

fn why_none(samples: &[i64], statistic: Statistic) -> Option<NoInterval> {
    Series::new(samples).estimate(statistic, 1).unwrap().interval.err()
}

#[test]
fn a_percentile_needs_independent_samples_beyond_it() {
    let independent = |n| autocorrelated_of(3, n, 0.0);
    assert_eq!(why_none(&independent(15), P50), Some(NoInterval::TooFew));
    assert_eq!(why_none(&independent(300), P99), Some(NoInterval::Unbounded));
    assert_eq!(why_none(&independent(1_000), P99), None);
    assert_eq!(why_none(&independent(1_000), P999), Some(NoInterval::Unbounded));
    assert_eq!(why_none(&independent(20_000), P999), None);
    assert_eq!(Series::new(&[]).estimate(P50, 1), None);
}

#[test]
fn a_single_stall_bounds_no_percentile() {
    // 30 of 3,000 samples lie beyond the 99th percentile, all of one stall.
    let mut samples = autocorrelated_of(3, 3_000, 0.0);
    assert_eq!(why_none(&samples, P99), None);
    samples[1_000..1_030].iter_mut().for_each(|x| *x += 100_000_000);
    assert!(why_none(&samples, P99).is_some());
}

#[test]
fn a_trend_is_no_sample_of_anything() {
    let rising: Vec<i64> = (0..5_000).collect();
    assert_eq!(why_none(&rising, P50), Some(NoInterval::TooDependent));
    assert_eq!(Series::new(&rising).effective_samples(), None);
}

#[test]
fn equal_samples_have_no_error_but_need_as_many() {
    assert_eq!(why_none(&[5; 300], P99), Some(NoInterval::Unbounded));
    let interval = Series::new(&[5; 1_000]).estimate(P99, 1).unwrap().interval.unwrap();
    assert_eq!((interval.low, interval.high), (5.0, 5.0));
}

#[test]
fn ties_do_not_hide_the_sampling_error() {
    // 1.05 % of the samples are 1, the others 0: p99 is 1, but might be 0.
    let samples: Vec<i64> = (0..20_000).map(|i| i64::from(i * 105 % 10_000 < 105)).collect();
    let estimate = Series::new(&samples).estimate(P99, 1).unwrap();
    assert_eq!(estimate.value, 1.0);
    assert_eq!(estimate.interval.unwrap().low, 0.0);
}

#[test]
fn dependence_makes_blocks_longer_and_samples_fewer() {
    let of = |rho| {
        let samples = autocorrelated_of(5, 20_000, rho);
        let series = Series::new(&samples);
        let estimate = series.estimate(P50, 1).unwrap();
        let lag_one = series.autocorrelation().unwrap();
        (estimate.block.unwrap(), series.effective_samples().unwrap(), lag_one)
    };
    let (independent, dependent) = (of(0.0), of(0.9));
    assert!(independent.0 < dependent.0, "{independent:?} {dependent:?}");
    // Of 20,000 with an inefficiency of s, 20,000 / s are left. For exp(0.8 z)
    // the autocorrelation at lag k is (exp(0.64 0.9^k) - 1) / (exp(0.64) - 1).
    let at = |k: i32| ((0.64 * 0.9f64.powi(k)).exp() - 1.0) / (0.64f64.exp() - 1.0);
    let s = 1.0 + 2.0 * (1..200).map(at).sum::<f64>();
    assert!((dependent.1 * s / 20_000.0 - 1.0).abs() < 0.2, "{} {}", dependent.1, 20_000.0 / s);
    assert!(independent.1 > 16_000.0 && independent.1 <= 20_000.0, "{}", independent.1);
    assert!((dependent.2 - at(1)).abs() < 0.03 && independent.2.abs() < 0.03);
}

#[test]
fn the_same_seed_gives_the_same_interval_and_another_nearly_so() {
    let samples = autocorrelated_of(9, 20_000, 0.9);
    let series = Series::new(&samples);
    let mut sorted = samples.clone();
    sorted.sort_unstable();
    let again = Series::with_sorted(&samples, &sorted);
    assert_eq!(series.estimate(P99, 1), again.estimate(P99, 1));
    let (one, other) = (series.estimate(P99, 1).unwrap(), series.estimate(P99, 2).unwrap());
    let (one, other) = (one.interval.unwrap(), other.interval.unwrap());
    assert_ne!(one, other);
    assert!((one.high - other.high).abs() < 0.2 * (one.high - one.low));
}

//! Two runs compared: how often a difference is shown where there is none, and
//! where there is one as large as the minimum detectable effect.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod support;

use kab_stats::{Difference, Percentile, Series, Statistic};
use support::*;

const PAIRS: u64 = 400;
const P50: Statistic = Statistic::Percentile(Percentile::P50);
const P99: Statistic = Statistic::Percentile(Percentile::P99);

/// Pairs of runs of 10,000 autocorrelated samples, those of B later by `shift`.
fn differences(statistic: Statistic, shift: f64) -> Vec<Difference> {
    let run = |seed, shift: f64| -> Vec<i64> {
        let samples = autocorrelated_of(seed, 10_000, 0.9);
        samples.into_iter().map(|x| x + (shift * UNIT).round() as i64).collect()
    };
    let pair = |i: u64| {
        let (a, b) = (run(2 * i, 0.0), run(2 * i + 1, shift));
        let of = |samples: &[i64]| Series::new(samples).estimate(statistic, 7).unwrap();
        Difference::of(&of(&a), &of(&b))
    };
    (0..PAIRS).filter_map(pair).collect()
}

fn share(of: &[Difference], what: impl Fn(&Difference) -> bool) -> f64 {
    of.iter().filter(|d| what(d)).count() as f64 / of.len() as f64
}

/// Where nothing differs, 1 of 20 comparisons shows a difference: within 1 to
/// 9 of 100 (400 pairs, as in the tests of coverage). A shift as large as the
/// stated minimum is shown 8 times of 10, within 8 points.
fn errs_and_sees_as_stated(statistic: Statistic) {
    let same = differences(statistic, 0.0);
    assert!(same.len() as u64 > PAIRS * 95 / 100);
    let shown = share(&same, Difference::shown);
    let mut effects: Vec<f64> = same.iter().map(|d| d.detectable / UNIT).collect();
    effects.sort_by(f64::total_cmp);
    let effect = effects[effects.len() / 2];
    let shifted = differences(statistic, effect);
    let seen = share(&shifted, Difference::shown);
    let covered = share(&shifted, |d| d.interval.holds(effect * UNIT));
    assert!((0.01..=0.09).contains(&shown), "{statistic:?}: {shown:.3} shown where nothing is");
    assert!((0.72..=0.88).contains(&seen), "{statistic:?}: power {seen:.3}");
    assert!((0.91..=0.99).contains(&covered), "{statistic:?}: coverage {covered:.3}");
}

#[test]
fn differences_of_medians() {
    errs_and_sees_as_stated(P50);
}

#[test]
fn differences_of_99th_percentiles() {
    errs_and_sees_as_stated(P99);
}

#[test]
fn differences_of_means() {
    errs_and_sees_as_stated(Statistic::Mean);
}

#[test]
fn a_run_does_not_differ_from_itself_and_a_doubled_one_is_twice_as_slow() {
    let samples = autocorrelated_of(1, 10_000, 0.9);
    let doubled: Vec<i64> = samples.iter().map(|x| 2 * x).collect();
    let of = |samples: &[i64]| Series::new(samples).estimate(P99, 7).unwrap();
    let itself = Difference::of(&of(&samples), &of(&samples)).unwrap();
    assert_eq!((itself.difference, itself.ratio), (0.0, Some(1.0)));
    assert!(!itself.shown() && itself.interval.low < 0.0 && itself.interval.high > 0.0);
    let twice = Difference::of(&of(&samples), &of(&doubled)).unwrap();
    assert!(twice.shown() && twice.ratio == Some(2.0));
    assert!(twice.ratio_interval.unwrap().holds(2.0) && !twice.ratio_interval.unwrap().holds(1.0));
}

#[test]
fn without_an_interval_nothing_is_compared() {
    let (few, many) = (vec![1; 10], autocorrelated_of(1, 2_000, 0.0));
    let of = |samples: &[i64]| Series::new(samples).estimate(P50, 7).unwrap();
    assert_eq!(Difference::of(&of(&few), &of(&many)), None);
    assert_eq!(Difference::of(&of(&many), &of(&few)), None);
}

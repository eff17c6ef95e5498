//! Percentiles that exist only where there are samples.
//!
//! The ledger holds every operation, so percentiles are exact (nearest rank):
//! no bucket rounds them. A percentile is given only if at least one sample is
//! expected beyond it (p99 from 100 samples on, p99.9 from 1,000): below that
//! it would be the maximum under another name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::interval::Intervals;
use crate::value::Nanos;

/// A share as a fraction, so that ranks are computed without rounding.
type Fraction = (usize, usize);

/// The percentiles of a [`Summary`].
const P50: Fraction = (1, 2);
const P90: Fraction = (9, 10);
const P99: Fraction = (99, 100);
const P999: Fraction = (999, 1000);

/// Bins of a histogram in each decade.
const BINS_A_DECADE: u32 = 16;

/// Samples in rising order.
#[derive(Debug, Default)]
pub struct Sorted(Vec<i64>);

impl From<Vec<i64>> for Sorted {
    fn from(mut samples: Vec<i64>) -> Self {
        samples.sort_unstable();
        Self(samples)
    }
}

/// A distribution in a few numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many samples.
    pub count: u64,
    /// Half are at or below it. Needs 2 samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<Nanos>,
    /// 90 % are at or below it. Needs 10 samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90: Option<Nanos>,
    /// 99 % are at or below it. Needs 100 samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Nanos>,
    /// 99.9 % are at or below it. Needs 1,000 samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999: Option<Nanos>,
    /// The longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Nanos>,
    /// The arithmetic mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Nanos>,
    /// How many independent samples would tell the mean as well. None for what
    /// has no intervals, and where neighbours depend on each other over too
    /// long a time to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_samples: Option<u64>,
    /// 95 % intervals; none for what has none, such as the generator's lateness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Intervals>,
}

/// One point of a cumulative distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CurvePoint {
    /// Share of the samples at or below `value`, above 0 and below 1.
    pub quantile: f64,
    /// The sample there.
    pub value: Nanos,
}

/// One bin of a histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bin {
    /// Lower end, not in the bin.
    pub from: Nanos,
    /// Upper end, in the bin.
    pub to: Nanos,
    /// How many samples.
    pub count: u64,
}

/// Where among `n` samples in rising order the percentile lies; none if no
/// sample can be expected beyond it.
fn place(n: usize, (part, whole): Fraction) -> Option<usize> {
    let enough = n * (whole - part) >= whole;
    let rank = (n * part).div_ceil(whole);
    enough.then(|| rank.saturating_sub(1))
}

fn mean(samples: &[i64]) -> Option<Nanos> {
    let n = i128::try_from(samples.len()).ok().filter(|n| *n > 0)?;
    let sum: i128 = samples.iter().map(|v| i128::from(*v)).sum();
    i64::try_from((sum + n / 2).div_euclid(n)).ok().map(Nanos)
}

/// Samples of which only a few numbers are wanted: finding these takes a
/// fraction of the time of sorting.
#[derive(Debug)]
pub(crate) struct Unsorted {
    samples: Vec<i64>,
    /// The samples at p50 and p99, if there are enough.
    p50: Option<Nanos>,
    p99: Option<Nanos>,
}

impl From<Vec<i64>> for Unsorted {
    fn from(mut samples: Vec<i64>) -> Self {
        let n = samples.len();
        // From right to left: what is left of the one holds the other.
        let mut upto = n;
        let mut select = |of: Fraction| {
            let place = place(n, of).filter(|place| *place < upto)?;
            let (_, found, _) = samples[..upto].select_nth_unstable(place);
            upto = place + 1;
            Some(Nanos(*found))
        };
        let p99 = select(P99);
        let p50 = select(P50);
        Self { samples, p50, p99 }
    }
}

impl Unsorted {
    /// As [`Sorted::p50`].
    pub(crate) const fn p50(&self) -> Option<Nanos> {
        self.p50
    }

    /// As [`Sorted::p99`].
    pub(crate) const fn p99(&self) -> Option<Nanos> {
        self.p99
    }

    /// As [`Sorted::mean`].
    pub(crate) fn mean(&self) -> Option<Nanos> {
        mean(&self.samples)
    }

    /// As [`Sorted::negative`].
    pub(crate) fn negative(&self) -> u64 {
        self.samples.iter().filter(|v| **v < 0).count() as u64
    }
}

impl Sorted {
    /// How many samples.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The sample at or below which the share `of.0 / of.1` lies; none if no
    /// sample can be expected beyond it.
    fn percentile(&self, of: Fraction) -> Option<Nanos> {
        self.0.get(place(self.0.len(), of)?).copied().map(Nanos)
    }

    /// The median; none below 2 samples.
    pub fn p50(&self) -> Option<Nanos> {
        self.percentile(P50)
    }

    /// The 99th percentile; none below 100 samples.
    pub fn p99(&self) -> Option<Nanos> {
        self.percentile(P99)
    }

    /// The longest; none without samples.
    pub fn max(&self) -> Option<Nanos> {
        self.0.last().copied().map(Nanos)
    }

    /// The arithmetic mean, to the nanosecond; none without samples.
    pub fn mean(&self) -> Option<Nanos> {
        mean(&self.0)
    }

    /// How many samples are below zero.
    pub fn negative(&self) -> u64 {
        self.0.partition_point(|v| *v < 0) as u64
    }

    /// In a few numbers.
    pub fn summary(&self) -> Summary {
        Summary {
            count: self.count(),
            p50: self.p50(),
            p90: self.percentile(P90),
            p99: self.p99(),
            p999: self.percentile(P999),
            max: self.max(),
            mean: self.mean(),
            effective_samples: None,
            interval: None,
        }
    }

    /// The samples, in rising order.
    pub(crate) fn samples(&self) -> &[i64] {
        &self.0
    }

    /// The cumulative distribution up to the 99.9th percentile, denser towards
    /// the tail: about 20 points for each tenfold of rarity.
    pub fn curve(&self) -> Vec<CurvePoint> {
        let n = self.0.len();
        let mut points = Vec::new();
        // Samples beyond the point: a tenth fewer each time, down to a thousandth.
        let fewest = n.div_ceil(1000);
        let mut beyond = n.saturating_sub(1);
        while beyond >= fewest && beyond > 0 {
            let rank = n - beyond;
            if let Some(value) = self.0.get(rank - 1) {
                let quantile = rank as f64 / n as f64;
                points.push(CurvePoint { quantile, value: Nanos(*value) });
            }
            let next = (beyond * 9 / 10).min(beyond - 1);
            beyond = if beyond > fewest { next.max(fewest) } else { 0 };
        }
        points
    }

    /// A histogram whose bins grow by the same factor each, from the smallest
    /// sample to the largest; samples below a microsecond count as one.
    pub fn bins(&self) -> Vec<Bin> {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else {
            return Vec::new();
        };
        let edge = |k: u32| {
            Nanos::from_seconds(1e-6 * 10f64.powf(f64::from(k) / f64::from(BINS_A_DECADE)))
        };
        let mut bins = Vec::new();
        let mut below = 0;
        for k in 0..16 * BINS_A_DECADE {
            let (from, to) = (edge(k), edge(k + 1));
            if to.0 < *first {
                continue;
            }
            let up_to = self.0.partition_point(|v| *v <= to.0) as u64;
            bins.push(Bin { from, to, count: up_to - below });
            below = up_to;
            if to.0 >= *last {
                break;
            }
        }
        bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(samples: impl IntoIterator<Item = i64>) -> Sorted {
        Sorted::from(samples.into_iter().collect::<Vec<_>>())
    }

    #[test]
    fn no_samples_no_numbers() {
        let none = sorted([]);
        assert_eq!(none.summary(), Summary::default());
        assert!(none.curve().is_empty() && none.bins().is_empty());
    }

    #[test]
    fn a_percentile_needs_samples_beyond_it() {
        assert_eq!(sorted(1..=99).p99(), None);
        assert_eq!(sorted(1..=100).p99(), Some(Nanos(99)));
        assert_eq!(sorted(1..=999).summary().p999, None);
        assert_eq!(sorted(1..=1000).summary().p999, Some(Nanos(999)));
        assert_eq!(
            sorted([7]).summary(),
            Summary { count: 1, max: Some(Nanos(7)), mean: Some(Nanos(7)), ..Summary::default() }
        );
    }

    #[test]
    fn negative_samples_are_kept_and_counted() {
        let mixed = sorted([-3, 1, 5]);
        assert_eq!((mixed.negative(), mixed.mean()), (1, Some(Nanos(1))));
    }

    #[test]
    fn the_curve_reaches_the_last_percentile_it_can() {
        let last = |n| sorted(1..=n).curve().last().map(|p| p.quantile);
        assert_eq!(last(100), Some(0.99));
        assert_eq!(last(100_000), Some(0.999));
        assert!(sorted(0..1_000_000).curve().len() < 100);
    }

    proptest! {
        #[test]
        fn a_share_lies_at_or_below_its_percentile(samples in prop::collection::vec(0i64..1 << 40, 100..400)) {
            let n = samples.len();
            let p99 = sorted(samples.clone()).p99().unwrap().0;
            let at_or_below = samples.iter().filter(|v| **v <= p99).count();
            let below = samples.iter().filter(|v| **v < p99).count();
            prop_assert!(at_or_below * 100 >= n * 99);
            prop_assert!(below * 100 < n * 99);
        }

        #[test]
        fn unsorted_samples_say_the_same(samples in prop::collection::vec(-50i64..1000, 0..300)) {
            let (quick, slow) = (Unsorted::from(samples.clone()), Sorted::from(samples));
            prop_assert_eq!((quick.p50(), quick.p99()), (slow.p50(), slow.p99()));
            prop_assert_eq!((quick.mean(), quick.negative()), (slow.mean(), slow.negative()));
        }

        #[test]
        fn every_sample_is_in_one_bin(samples in prop::collection::vec(0i64..1 << 50, 0..200)) {
            let n = samples.len() as u64;
            let bins = sorted(samples).bins();
            prop_assert_eq!(bins.iter().map(|b| b.count).sum::<u64>(), n);
            prop_assert!(bins.windows(2).all(|pair| pair[0].to == pair[1].from));
        }
    }
}

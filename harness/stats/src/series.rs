//! Samples in time order and by size, and what each of them says about a
//! statistic.

use std::borrow::Cow;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

/// A percentile as a fraction, so that ranks are computed without rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentile {
    part: usize,
    whole: usize,
}

impl Percentile {
    /// The median.
    pub const P50: Self = Self { part: 1, whole: 2 };
    /// The 90th percentile.
    pub const P90: Self = Self { part: 9, whole: 10 };
    /// The 99th percentile.
    pub const P99: Self = Self { part: 99, whole: 100 };
    /// The 99.9th percentile.
    pub const P999: Self = Self { part: 999, whole: 1000 };

    /// Its nearest rank among `n` samples, from 1.
    pub(crate) fn rank(self, n: usize) -> usize {
        (n * self.part).div_ceil(self.whole).max(1)
    }
}

/// What is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The arithmetic mean.
    Mean,
    /// A percentile, by nearest rank.
    Percentile(Percentile),
}

/// Samples of one run, in any one unit (kab's are nanoseconds).
#[derive(Debug, Clone)]
pub struct Series<'a> {
    ordered: &'a [i64],
    sorted: Cow<'a, [i64]>,
}

impl<'a> Series<'a> {
    /// Samples in the order of their intended starts.
    pub fn new(ordered: &'a [i64]) -> Self {
        let mut sorted = ordered.to_vec();
        sorted.sort_unstable();
        Self { ordered, sorted: sorted.into() }
    }

    /// The same, where the samples are already there in rising order, too.
    /// `sorted` must hold the very samples of `ordered`.
    pub fn with_sorted(ordered: &'a [i64], sorted: &'a [i64]) -> Self {
        debug_assert_eq!(ordered.len(), sorted.len());
        Self { ordered, sorted: sorted.into() }
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    /// The sample of `rank`, from 1; the nearest one beyond either end.
    pub(crate) fn of_rank(&self, rank: usize) -> i64 {
        let last = self.sorted.len().saturating_sub(1);
        self.sorted.get(rank.saturating_sub(1).min(last)).copied().unwrap_or(0)
    }

    /// The value at a position between ranks, by linear interpolation.
    pub(crate) fn at_position(&self, position: f64) -> f64 {
        let position = position.clamp(1.0, self.len() as f64);
        let below = whole(position);
        let (low, high) = (self.of_rank(below) as f64, self.of_rank(below + 1) as f64);
        low + (high - low) * (position - below as f64)
    }

    /// The arithmetic mean; 0 without samples.
    pub(crate) fn mean(&self) -> f64 {
        let sum: i128 = self.ordered.iter().map(|x| i128::from(*x)).sum();
        sum as f64 / self.len().max(1) as f64
    }

    /// The correlation of each sample with the next one, -1 to 1; none below
    /// two samples, or if all are the same.
    pub fn autocorrelation(&self) -> Option<f64> {
        let mean = self.mean();
        let from_mean = |x: &i64| *x as f64 - mean;
        let square: f64 = self.ordered.iter().map(|x| from_mean(x).powi(2)).sum();
        let pairs = self.ordered.windows(2);
        let product: f64 = pairs.map(|pair| from_mean(&pair[0]) * from_mean(&pair[1])).sum();
        (square > 0.0).then(|| product / square)
    }

    /// How many independent samples would tell the mean as well as these do:
    /// the number of samples over their statistical inefficiency, which comes
    /// from batch means (see [`crate::dependence`]). None if the samples are
    /// too few or depend on each other over too long a time to say.
    pub fn effective_samples(&self) -> Option<f64> {
        let prefix = Prefix::of(self, Statistic::Mean, 0);
        crate::dependence::dependence(&prefix).map(|found| found.effective(self.len()))
    }
}

/// Running sums of each sample's influence on a statistic: its deviation from
/// the mean, or for a percentile whether it is at or below it, less the share
/// that is. All of them add up to 0.
#[derive(Debug)]
pub(crate) struct Prefix {
    sums: Vec<f64>,
    /// Mean square of an influence.
    pub variance: f64,
}

impl Prefix {
    /// Of `statistic`. Samples equal to a percentile are put below or above it
    /// at random (from `seed`), so that exactly its rank is below: otherwise
    /// ties would hide the sampling error.
    pub fn of(series: &Series<'_>, statistic: Statistic, seed: u64) -> Self {
        match statistic {
            Statistic::Mean => {
                let mean = series.mean();
                Self::sum(series.ordered.iter().map(|x| *x as f64 - mean))
            }
            Statistic::Percentile(percentile) => {
                let rank = percentile.rank(series.len());
                let value = series.of_rank(rank);
                let below = series.sorted.partition_point(|x| *x < value);
                let mut ties = series.sorted.partition_point(|x| *x <= value) - below;
                let mut wanted = rank - below;
                let share = rank as f64 / series.len().max(1) as f64;
                let mut random = ChaCha12Rng::seed_from_u64(seed);
                // Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S).
                let mut taken = || {
                    let take = below_bound(&mut random, ties) < wanted;
                    ties -= 1;
                    wanted -= usize::from(take);
                    take
                };
                Self::sum(series.ordered.iter().map(|x| {
                    let at_or_below = *x < value || (*x == value && taken());
                    f64::from(u8::from(at_or_below)) - share
                }))
            }
        }
    }

    fn sum(influences: impl ExactSizeIterator<Item = f64>) -> Self {
        let n = influences.len();
        let mut sums = Vec::with_capacity(n + 1);
        let (mut sum, mut squares) = (0.0, 0.0);
        sums.push(0.0);
        for influence in influences {
            sum += influence;
            squares += influence * influence;
            sums.push(sum);
        }
        Self { sums, variance: squares / n.max(1) as f64 }
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.sums.len() - 1
    }

    /// The sum over the `length` samples from `start` on; after the last comes
    /// the first again.
    pub fn block(&self, start: usize, length: usize) -> f64 {
        let n = self.len();
        let end = start + length;
        if end <= n {
            self.sums[end] - self.sums[start]
        } else {
            self.sums[n] - self.sums[start] + self.sums[end - n]
        }
    }
}

/// A number from 0 to below `bound`, drawn evenly to within 2^-32 of it.
pub(crate) fn below_bound(random: &mut ChaCha12Rng, bound: usize) -> usize {
    let scaled = (u64::from(random.next_u32()) * bound as u64) >> 32;
    usize::try_from(scaled).unwrap_or(0)
}

/// The whole part of a number that is a rank or a position, hence not negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates at both ends.
pub(crate) fn whole(position: f64) -> usize {
    position.max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lag_one_autocorrelation_of_known_series() {
        let alternating: Vec<i64> = (0..1000).map(|i| i % 2).collect();
        assert!((Series::new(&alternating).autocorrelation().unwrap() + 0.999).abs() < 1e-9);
        assert_eq!(Series::new(&[5; 100]).autocorrelation(), None);
        assert_eq!(Series::new(&[]).autocorrelation(), None);
    }

    #[test]
    fn positions_lie_between_ranks() {
        let series = Series::new(&[30, 10, 20]);
        assert_eq!(
            [0.2, 1.0, 1.5, 3.0, 9.0].map(|at| series.at_position(at)),
            [10.0, 10.0, 15.0, 30.0, 30.0]
        );
    }

    proptest! {
        #[test]
        fn influences_add_up_to_nothing_whatever_the_ties(
            samples in prop::collection::vec(0i64..5, 20..200), seed: u64
        ) {
            let series = Series::new(&samples);
            for statistic in [Statistic::Mean, Statistic::Percentile(Percentile::P90)] {
                let prefix = Prefix::of(&series, statistic, seed);
                prop_assert!(prefix.block(0, samples.len()).abs() < 1e-9);
                // Every block and the rest of the circle, too.
                let (start, length) = (samples.len() - 3, 7);
                let rest = prefix.block(4, samples.len() - length);
                prop_assert!((prefix.block(start, length) + rest).abs() < 1e-9);
            }
        }
    }
}

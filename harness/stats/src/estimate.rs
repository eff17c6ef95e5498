//! A statistic with its 95 % interval, or why there is none.

use crate::bootstrap::{deviations, quantile};
use crate::dependence::{FEWEST_BLOCKS, dependence, of_blocks};
use crate::series::{Percentile, Prefix, Series, Statistic, whole};
use crate::{LEVEL, Z95};

/// From where to where a true value may lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` is inside, ends included.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Why there is no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoInterval {
    /// There are fewer samples than blocks are needed.
    #[error("fewer than {FEWEST_BLOCKS} samples")]
    TooFew,
    /// The dependence of neighbours reaches too far: see [`crate::dependence`].
    #[error("neighbours depend on each other over too long a time")]
    TooDependent,
    /// The percentile may lie beyond the largest or the smallest sample. For
    /// independent samples that is so below about 370 for p99, 3,700 for p99.9.
    #[error("too few independent samples lie beyond it")]
    Unbounded,
}

/// How blocks are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// From the samples themselves, by the rule in [`crate::dependence`].
    Chosen,
    /// So many samples each. A block of one sample is the ordinary bootstrap,
    /// which is wrong for samples that depend on each other.
    Of(usize),
}

/// A statistic of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The statistic itself.
    pub value: f64,
    /// Its 95 % interval, or why there is none.
    pub interval: Result<Interval, NoInterval>,
    /// How many independent samples would tell the statistic as well; none
    /// where that cannot be said.
    pub effective: Option<f64>,
    /// Samples a block; none where no length could be chosen.
    pub block: Option<usize>,
    /// Where the true value may lie, by draw; empty without an interval.
    pub(crate) draws: Vec<f64>,
}

impl Series<'_> {
    /// `statistic` with its interval; none without samples. The same samples
    /// and `seed` give the same interval.
    pub fn estimate(&self, statistic: Statistic, seed: u64) -> Option<Estimate> {
        self.estimate_by(statistic, Blocks::Chosen, seed)
    }

    /// The same with blocks as `blocks` says.
    pub fn estimate_by(&self, statistic: Statistic, blocks: Blocks, seed: u64) -> Option<Estimate> {
        if self.is_empty() {
            return None;
        }
        let value = match statistic {
            Statistic::Mean => self.mean(),
            Statistic::Percentile(p) => self.of_rank(p.rank(self.len())) as f64,
        };
        let none = |why| Estimate {
            value,
            interval: Err(why),
            effective: None,
            block: None,
            draws: Vec::new(),
        };
        if self.len() < FEWEST_BLOCKS {
            return Some(none(NoInterval::TooFew));
        }
        let prefix = Prefix::of(self, statistic, seed);
        let found = match blocks {
            Blocks::Chosen => dependence(&prefix),
            Blocks::Of(length) => {
                Some(of_blocks(&prefix, length.clamp(1, self.len() / FEWEST_BLOCKS)))
            }
        };
        let Some(found) = found else { return Some(none(NoInterval::TooDependent)) };
        let mut estimate = Estimate {
            effective: Some(found.effective(self.len())),
            block: Some(found.block),
            ..none(NoInterval::Unbounded)
        };
        let drawn = deviations(&prefix, found.block, seed);
        let ends = ends(&drawn);
        match statistic {
            Statistic::Mean => {
                estimate.draws = drawn.into_iter().map(|d| value + d).collect();
                estimate.interval = Ok(Interval { low: value + ends.low, high: value + ends.high });
            }
            Statistic::Percentile(percentile) => self.bound(&mut estimate, percentile, ends, drawn),
        }
        Some(estimate)
    }

    /// Carries deviations of the share at or below `percentile` over to time.
    fn bound(
        &self,
        estimate: &mut Estimate,
        percentile: Percentile,
        ends: Interval,
        drawn: Vec<f64>,
    ) {
        let n = self.len() as f64;
        let rank = percentile.rank(self.len()) as f64;
        // If N samples are at or below the true percentile, it lies between
        // those of rank N and N + 1. N may be anything from `ends`.
        let (first, last) = ((rank + n * ends.low).round(), (rank + n * ends.high).round());
        if first < 1.0 || last + 1.0 > n {
            return;
        }
        estimate.interval = Ok(Interval {
            low: self.of_rank(whole(first)) as f64,
            high: self.of_rank(whole(last) + 1) as f64,
        });
        estimate.draws = drawn.into_iter().map(|d| self.at_position(rank + n * d + 0.5)).collect();
    }
}

/// The ends that leave out half of what [`LEVEL`] leaves on either side.
pub(crate) fn ends(drawn: &[f64]) -> Interval {
    let mut sorted = drawn.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let outside = (1.0 - LEVEL) / 2.0;
    Interval { low: quantile(&sorted, outside), high: quantile(&sorted, 1.0 - outside) }
}

impl Interval {
    /// The standard error that a normal interval of this width has.
    pub(crate) fn error(&self) -> f64 {
        (self.high - self.low) / (2.0 * Z95)
    }
}

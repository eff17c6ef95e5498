//! 95 % intervals of a latency's percentiles and mean.
//!
//! [`kab_stats`] makes them from the samples in the order of their intended
//! starts. Where it gives none, there is no data: a claim that needs an end of
//! the interval is then inconclusive.

use kab_stats::{Percentile, Series, Statistic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::{Sorted, Summary};
use crate::value::Nanos;

/// Draws are random, but not from one judgement of a run to the next.
const SEED: u64 = 0x6b61_6221;

/// The method, in a sentence or two for those who read the numbers.
pub const METHOD: &str = "Intervals are at the 95 % level, from a block bootstrap over the samples in the order of \
     their intended starts (circular moving blocks, 2,000 draws; block length from batch means), carried over to \
     time by the order statistics: operations that one stall makes slow together count as one. They speak of this \
     run alone; how much another run would differ only another run shows (`kab compare`).";

/// From where to where the true value may lie, at the 95 % level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// Lower end.
    pub low: Nanos,
    /// Upper end.
    pub high: Nanos,
}

/// 95 % intervals; none for what too few independent samples speak of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intervals {
    /// Of the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<Range>,
    /// Of the 90th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90: Option<Range>,
    /// Of the 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Range>,
    /// Of the 99.9th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999: Option<Range>,
    /// Of the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Range>,
}

/// The statistics that have intervals, by the name that claims use.
pub const STATISTICS: [(&str, Statistic); 5] = [
    ("p50", Statistic::Percentile(Percentile::P50)),
    ("p90", Statistic::Percentile(Percentile::P90)),
    ("p99", Statistic::Percentile(Percentile::P99)),
    ("p999", Statistic::Percentile(Percentile::P999)),
    ("mean", Statistic::Mean),
];

impl Intervals {
    /// The interval of the statistic called `name`.
    pub fn get(&self, name: &str) -> Option<Range> {
        match name {
            "p50" => self.p50,
            "p90" => self.p90,
            "p99" => self.p99,
            "p999" => self.p999,
            "mean" => self.mean,
            _ => None,
        }
    }
}

/// Adds to `summary` what the samples say in the order of time: `ordered` and
/// `sorted` are the same samples, those that `summary` is of.
pub(crate) fn add_intervals(summary: &mut Summary, ordered: &[i64], sorted: &Sorted) {
    let series = Series::with_sorted(ordered, sorted.samples());
    let range = |statistic, there: Option<Nanos>| {
        there?;
        let found = series.estimate(statistic, SEED)?.interval.ok()?;
        Some(Range { low: nanos(found.low), high: nanos(found.high) })
    };
    let [p50, p90, p99, p999, mean] = STATISTICS.map(|(_, statistic)| statistic);
    let found = Intervals {
        p50: range(p50, summary.p50),
        p90: range(p90, summary.p90),
        p99: range(p99, summary.p99),
        p999: range(p999, summary.p999),
        mean: range(mean, summary.mean),
    };
    summary.interval = (found != Intervals::default()).then_some(found);
    summary.effective_samples = series.effective_samples().map(|n| whole(n.floor()));
}

/// To the nanosecond; what does not fit is cut off.
#[allow(clippy::cast_possible_truncation)] // Saturates.
pub(crate) fn nanos(value: f64) -> Nanos {
    Nanos(value.round() as i64)
}

/// A count that is not negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates at both ends.
fn whole(count: f64) -> u64 {
    count as u64
}

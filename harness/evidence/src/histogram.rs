//! Latency distributions: HDR histograms of nanoseconds, three significant
//! digits, one nanosecond to ten minutes. Merging loses nothing.

mod text;

use std::time::Duration;

use hdrhistogram::Histogram;

pub use text::BadHistogram;

/// The longest latency that is told apart; longer ones count as this.
pub const LONGEST: Duration = Duration::from_secs(600);

const SIGNIFICANT_DIGITS: u8 = 3;

/// A distribution of durations.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Latencies {
    /// An empty distribution.
    pub fn new() -> Self {
        // The bounds are constants that hdrhistogram accepts (the test below
        // makes one), so an unbounded histogram never has to stand in.
        let longest = u64::try_from(LONGEST.as_nanos()).unwrap_or(u64::MAX);
        Self(
            Histogram::new_with_bounds(1, longest, SIGNIFICANT_DIGITS)
                .unwrap_or_else(|_| unreachable!("constant bounds are valid")),
        )
    }

    /// Counts one duration, in nanoseconds.
    pub fn record_nanos(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// Adds every count of `other`.
    pub fn merge(&mut self, other: &Self) {
        // Same bounds on both sides, so this cannot fail.
        let _ = self.0.add(&other.0);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration at or below which `quantile` (0 to 1) of all lie; none if
    /// nothing was counted.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_nanos(self.0.value_at_quantile(quantile)))
    }

    /// The longest; none if nothing was counted.
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_nanos(self.0.max()))
    }

    /// The arithmetic mean; none if nothing was counted.
    pub fn mean(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_secs_f64(self.0.mean() / 1e9))
    }

    /// Pairs of (duration, share of all at or below it), rising: the curve of
    /// the cumulative distribution, one point for each bucket in use.
    pub fn curve(&self) -> Vec<(Duration, f64)> {
        self.0
            .iter_recorded()
            .map(|step| (Duration::from_nanos(step.value_iterated_to()), step.quantile()))
            .collect()
    }
}

impl FromIterator<u64> for Latencies {
    fn from_iter<I: IntoIterator<Item = u64>>(nanos: I) -> Self {
        let mut latencies = Self::new();
        nanos.into_iter().for_each(|n| latencies.record_nanos(n));
        latencies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_distribution_has_no_percentiles() {
        let none = Latencies::new();
        assert_eq!((none.quantile(0.5), none.max(), none.mean()), (None, None, None));
    }

    proptest! {
        #[test]
        fn merging_equals_counting_together(a: Vec<u32>, b: Vec<u32>) {
            let of = |v: &[u32]| v.iter().map(|&n| u64::from(n)).collect::<Latencies>();
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let together = of(&[a, b].concat());
            prop_assert_eq!(merged.0, together.0);
        }

        #[test]
        fn quantiles_are_within_a_thousandth(mut nanos in prop::collection::vec(1u64..600_000_000_000, 1..200), q in 0.0f64..=1.0) {
            let got = nanos.iter().copied().collect::<Latencies>().quantile(q).unwrap();
            nanos.sort_unstable();
            // Definition of a quantile: a share q lies at or below it, and no
            // smaller value has that property; a thousandth is the resolution.
            let got = got.as_nanos() as f64;
            let share = |limit: f64| nanos.iter().filter(|&&n| n as f64 <= limit).count() as f64 / nanos.len() as f64;
            prop_assert!(share(got * 1.001) >= q - 1e-9, "{got} is too small");
            prop_assert!(share(got * 0.998) < q + 1.0 / nanos.len() as f64 + 1e-9, "{got} is too large");
        }
    }
}

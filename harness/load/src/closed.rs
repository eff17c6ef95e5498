//! A closed loop: clients that wait for an answer, think, and ask again.
//!
//! **This is not open loop.** A server that is slow is asked less, so that the
//! rate is a result and not a condition, and response times leave out the
//! operations that would have been asked meanwhile (coordinated omission).
//! It answers "how much do n clients get done", never "how does the system
//! behave at this rate". With clients, rate and times bound by Little's law:
//! rate · (response + think) = clients.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::draw::{Draw, Draws};

/// A closed loop.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// How many clients; each has one operation in flight at most.
    pub clients: NonZeroU32,
    /// How long each thinks between an answer and its next operation.
    pub think: ThinkTime,
    /// When it ends.
    pub until: Until,
    /// What thinking is drawn from.
    pub draws: Draws,
}

/// When a closed loop ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After this time no client begins another operation.
    Elapsed(Duration),
    /// After so many operations of all clients together.
    Operations(u64),
}

/// The time between an answer and the next operation of the same client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ThinkTime {
    /// None at all.
    None,
    /// Always the same.
    Fixed(Duration),
    /// Exponentially distributed.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// Lognormally distributed, as people's times are.
    LogNormal {
        /// Half of the times are longer.
        median: Duration,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

impl ThinkTime {
    /// One time of it.
    pub fn sample(&self, draw: &mut Draw) -> Duration {
        match *self {
            Self::None => Duration::ZERO,
            Self::Fixed(time) => time,
            Self::Exponential { mean } => seconds(mean.as_secs_f64() * draw.exponential()),
            Self::LogNormal { median, sigma } => {
                seconds(draw.lognormal(median.as_secs_f64(), sigma))
            }
        }
    }

    /// Its mean; of the lognormal, median · exp(sigma²/2).
    pub fn mean(&self) -> Duration {
        match *self {
            Self::None => Duration::ZERO,
            Self::Fixed(time) => time,
            Self::Exponential { mean } => mean,
            Self::LogNormal { median, sigma } => {
                seconds(median.as_secs_f64() * (sigma * sigma / 2.0).exp())
            }
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

impl Closed {
    /// How long `client` thinks before its operation `turn`, both counted from
    /// 0. Before its first, too: else all would begin at once, and stay
    /// together when answers take equally long.
    pub fn think(&self, client: u32, turn: u32) -> Duration {
        let index = u64::from(client) << 32 | u64::from(turn);
        self.think.sample(&mut self.draws.at(index))
    }

    /// The clients of slice `slice` of `of`, and how many operations are theirs
    /// if the loop is counted: together the slices have all.
    pub fn slice(&self, slice: u32, of: NonZeroU32) -> Option<ClosedSlice> {
        if slice >= of.get() {
            return None;
        }
        let operations = match self.until {
            Until::Elapsed(_) => None,
            Until::Operations(all) => {
                let parts = u64::from(of.get());
                Some(all / parts + u64::from(u64::from(slice) < all % parts))
            }
        };
        Some(ClosedSlice { next: u64::from(slice), of, clients: self.clients, operations })
    }
}

/// What one of several processes does of a closed loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSlice {
    next: u64,
    of: NonZeroU32,
    clients: NonZeroU32,
    /// How many operations, if they are counted.
    pub operations: Option<u64>,
}

impl Iterator for ClosedSlice {
    /// The clients of the slice, by their index in the whole loop.
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let client = u32::try_from(self.next).ok().filter(|&c| c < self.clients.get())?;
        self.next += u64::from(self.of.get());
        Some(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{KOLMOGOROV_LIMIT, kolmogorov};

    fn closed(clients: u32, think: ThinkTime, until: Until) -> Closed {
        let clients = NonZeroU32::new(clients).unwrap();
        Closed { clients, think, until, draws: Draws::new(5, "think") }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn times(think: ThinkTime) -> Vec<f64> {
        let closed = closed(10, think, Until::Elapsed(SECOND));
        (0..10)
            .flat_map(|client| (0..2000).map(move |turn| (client, turn)))
            .map(|(client, turn)| closed.think(client, turn).as_secs_f64())
            .collect()
    }

    #[test]
    fn thinking_is_distributed_as_asked() {
        let exponential = times(ThinkTime::Exponential { mean: SECOND * 2 });
        let cdf = |t: f64| 1.0 - (-t / 2.0).exp();
        assert!(kolmogorov(exponential.clone(), cdf) < KOLMOGOROV_LIMIT);
        // Of another mean it is not.
        assert!(kolmogorov(exponential, |t| 1.0 - (-t / 2.1).exp()) > KOLMOGOROV_LIMIT);

        let mut sorted = times(ThinkTime::LogNormal { median: SECOND, sigma: 1.0 });
        sorted.sort_by(f64::total_cmp);
        // Quantiles of exp(N(0, 1)): exp(-1.2816), 1, exp(1.2816).
        for (share, expected) in [(10, 0.2776), (50, 1.0), (90, 3.6022)] {
            let at = sorted[share * sorted.len() / 100];
            assert!((at / expected - 1.0).abs() < 0.04, "{share} %: {at}");
        }
    }

    #[test]
    fn means_are_known() {
        assert_eq!(ThinkTime::None.mean(), Duration::ZERO);
        assert_eq!(ThinkTime::Fixed(SECOND).mean(), SECOND);
        assert_eq!(times(ThinkTime::Fixed(SECOND))[17], 1.0);
        let mean = ThinkTime::LogNormal { median: SECOND, sigma: 1.0 }.mean();
        assert!((mean.as_secs_f64() - 0.5f64.exp()).abs() < 1e-6);
    }

    #[test]
    fn slices_together_are_the_whole() {
        let closed = closed(10, ThinkTime::None, Until::Operations(11));
        let of = NonZeroU32::new(4).unwrap();
        let slices: Vec<_> = (0..4).map(|k| closed.slice(k, of).unwrap()).collect();
        let counts: Vec<_> = slices.iter().map(|slice| slice.operations.unwrap()).collect();
        assert_eq!(counts, [3, 3, 3, 2]);
        let mut clients: Vec<_> = slices.into_iter().flatten().collect();
        clients.sort_unstable();
        assert_eq!(clients, Vec::from_iter(0..10));
        assert_eq!(closed.slice(4, of), None);
    }
}

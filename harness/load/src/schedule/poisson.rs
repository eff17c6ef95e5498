//! Arrivals that know nothing of one another, as those of many users do.
//!
//! The gaps of a Poisson process of rate r are independent and exponentially
//! distributed with mean 1/r (Kingman, Poisson Processes, 1993, section 4.1).

use std::time::Duration;

use super::ScheduleError;
use super::rate::{GIGA, NanoRate, nanos};
use crate::draw::{Draw, Draws};

/// Gaps are added up in 2^-20 ns, as integers: the sum has no rounding of its
/// own, however long it grows.
const FRACTION: f64 = (1u64 << 20) as f64;

/// Poisson arrivals: a seed is one realisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Poisson {
    draws: Draws,
    /// Mean gap, in 2^-20 ns.
    mean: f64,
    count: u64,
}

impl Poisson {
    pub fn new(rate: NanoRate, duration: Duration, draws: Draws) -> Result<Self, ScheduleError> {
        let end = nanos(duration)?;
        #[allow(clippy::cast_precision_loss)] // the mean need not be exact
        let mean = GIGA as f64 * GIGA as f64 * FRACTION / rate.get() as f64;
        let mut poisson = Self { draws, mean, count: 0 };
        // Only by going through them can one know how many there are.
        let mut arrivals = poisson.arrivals();
        let mut count = 0;
        while arrivals.next() < end {
            count += 1;
        }
        poisson.count = count;
        Ok(poisson)
    }

    /// How many arrive before the end.
    pub const fn count(&self) -> u64 {
        self.count
    }

    pub const fn arrivals(&self) -> Arrivals {
        Arrivals { draw: self.draws.at(0), mean: self.mean, now: 0, due: None }
    }
}

/// The arrivals, one after the other.
#[derive(Debug, Clone)]
pub struct Arrivals {
    draw: Draw,
    mean: f64,
    /// In 2^-20 ns.
    now: u128,
    /// The operation that is due now.
    due: Option<u64>,
}

impl Arrivals {
    /// The next arrival, in nanoseconds, rounded down.
    fn next(&mut self) -> u64 {
        // A float-to-integer cast saturates; no gap is that long.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let gap = (self.draw.exponential() * self.mean) as u128;
        self.now = self.now.saturating_add(gap);
        self.due = Some(self.due.map_or(0, |index| index + 1));
        u64::try_from(self.now >> 20).unwrap_or(u64::MAX)
    }

    /// When operation `index` is due, in nanoseconds; a later one each time.
    pub fn offset(&mut self, index: u64) -> u64 {
        let mut offset = u64::try_from(self.now >> 20).unwrap_or(u64::MAX);
        while self.due.is_none_or(|due| due < index) {
            offset = self.next();
        }
        offset
    }
}

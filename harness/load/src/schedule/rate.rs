//! Rates and times as integers, so that offsets can be exact.

use std::time::Duration;

use super::ScheduleError;

/// Nanoseconds in a second; also, rates of this many units are one a second.
pub const GIGA: u64 = 1_000_000_000;

/// Operations in a billion seconds: a rate to the billionth of an operation a
/// second. From zero to a billion a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NanoRate(u64);

impl NanoRate {
    /// The rate nearest to `per_second`; perhaps zero.
    pub fn new(per_second: f64) -> Result<Self, ScheduleError> {
        let bad = ScheduleError::Rate { per_second };
        // A number with nine decimals, rounded to an integer, is just what a
        // `Duration` makes of seconds; it also refuses what is no such number.
        let rate = Duration::try_from_secs_f64(per_second).map_err(|_| bad)?.as_nanos();
        if rate > u128::from(GIGA) * u128::from(GIGA) || (rate == 0 && per_second > 0.0) {
            return Err(bad);
        }
        u64::try_from(rate).map(Self).map_err(|_| bad)
    }

    /// As [`Self::new`], and above zero.
    pub fn positive(per_second: f64) -> Result<Self, ScheduleError> {
        Self::new(per_second)
            .ok()
            .filter(|rate| rate.0 > 0)
            .ok_or(ScheduleError::Rate { per_second })
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// `duration` in nanoseconds.
pub fn nanos(duration: Duration) -> Result<u64, ScheduleError> {
    u64::try_from(duration.as_nanos()).map_err(|_| ScheduleError::TooMuch)
}

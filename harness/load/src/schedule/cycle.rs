//! Load that repeats: many at once each period, or on and off.

use std::num::NonZeroU64;
use std::time::Duration;

use super::ScheduleError;
use super::rate::{GIGA, NanoRate, nanos};

/// The area of one operation, in (a billionth of an operation a second) · (a
/// nanosecond).
const OPERATION: u128 = GIGA as u128 * GIGA as u128;

/// `size` operations at once, every `period` nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    size: NonZeroU64,
    period: NonZeroU64,
    count: u64,
}

impl Burst {
    pub fn new(
        size: NonZeroU64,
        every: Duration,
        duration: Duration,
    ) -> Result<Self, ScheduleError> {
        let period = NonZeroU64::new(nanos(every)?).ok_or(ScheduleError::NoPeriod)?;
        let bursts = nanos(duration)?.div_ceil(period.get());
        let count = bursts.checked_mul(size.get()).ok_or(ScheduleError::TooMuch)?;
        Ok(Self { size, period, count })
    }

    pub const fn count(&self) -> u64 {
        self.count
    }

    /// In nanoseconds. Operation i belongs to burst i / size.
    pub const fn offset(&self, index: u64) -> u64 {
        (index / self.size.get()).saturating_mul(self.period.get())
    }
}

/// A constant rate for `on`, then nothing for the rest of `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    rate: NonZeroU64,
    on: NonZeroU64,
    period: NonZeroU64,
    count: u64,
}

impl Pulse {
    pub fn new(
        rate: NanoRate,
        on: Duration,
        off: Duration,
        duration: Duration,
    ) -> Result<Self, ScheduleError> {
        let rate = NonZeroU64::new(rate.get()).ok_or(ScheduleError::Rate { per_second: 0.0 })?;
        let on = NonZeroU64::new(nanos(on)?).ok_or(ScheduleError::NoPeriod)?;
        let period = on.checked_add(nanos(off)?).ok_or(ScheduleError::TooMuch)?;
        let duration = nanos(duration)?;
        let mut pulse = Self { rate, on, period, count: 0 };
        // The time that it is on: whole periods, and what begins of the next.
        let whole = u128::from(duration / period) * u128::from(on.get());
        let time_on = whole + u128::from((duration % period).min(on.get()));
        let area = u128::from(rate.get()).checked_mul(time_on).ok_or(ScheduleError::TooMuch)?;
        pulse.count =
            u64::try_from(area.div_ceil(OPERATION)).map_err(|_| ScheduleError::TooMuch)?;
        Ok(pulse)
    }

    pub const fn count(&self) -> u64 {
        self.count
    }

    /// In nanoseconds, rounded down: the time on that operation i takes,
    /// i / rate, spread over the periods. An operation that would fall on the
    /// end of one is due at the beginning of the next.
    pub fn offset(&self, index: u64) -> u64 {
        let area = u128::from(index) * OPERATION;
        let rate = u128::from(self.rate.get());
        let each = rate * u128::from(self.on.get());
        let offset = (area / each) * u128::from(self.period.get()) + (area % each) / rate;
        u64::try_from(offset).unwrap_or(u64::MAX)
    }
}

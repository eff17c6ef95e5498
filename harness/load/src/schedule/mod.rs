//! When each operation is due.
//!
//! A schedule is a sequence of offsets from one start, fixed before the first
//! operation is sent. Nothing that happens later moves, skips or thins it: that
//! is what makes the load open-loop, and a stalled server visible in every
//! operation that it delayed (coordinated omission is leaving those out).
//!
//! Each offset is computed from the operation's index, never by adding up, so
//! that nothing drifts, and is rounded down to the nanosecond; Poisson arrivals
//! are the sum of their gaps by nature, and that sum is exact. The offsets of a
//! schedule never fall, and all are below its duration.

mod curve;
mod cycle;
mod poisson;
mod rate;
mod replay;
mod wide;

#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::time::Duration;

use kab_evidence::clock::Mono;

use crate::draw::Draws;
use curve::Curve;
use cycle::{Burst, Pulse};
use poisson::{Arrivals, Poisson};
use rate::NanoRate;
pub use replay::{Between, Series, SeriesError};

/// The offsets at which operations are due, counted from one start; or every
/// n-th of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    shape: Shape,
    duration: Duration,
    /// The first operation of the slice.
    first: u64,
    /// Each that many operations on there is another; 1 for the whole.
    step: NonZeroU64,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Curve(Curve),
    Burst(Burst),
    Pulse(Pulse),
    Poisson(Poisson),
}

/// A schedule cannot be made from these numbers.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// A rate is none, or has no sense here.
    #[error(
        "making a schedule of {per_second} operations a second: the rate must be from 0.000000001 \
         to 1000000000 a second (or 0, where a load may pause)"
    )]
    Rate {
        /// The rate.
        per_second: f64,
    },
    /// A period has no length.
    #[error("making a schedule that repeats every 0 s: the period must be longer")]
    NoPeriod,
    /// More than can be counted.
    #[error(
        "making a schedule with more than 2^64 operations or nanoseconds (584 years): lower a rate \
         or a duration"
    )]
    TooMuch,
    /// A slice that does not exist.
    #[error("taking slice {slice} of a schedule cut into {of}: slices are counted from 0")]
    Slice {
        /// Which.
        slice: u64,
        /// Of how many.
        of: u64,
    },
}

/// When one operation is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The operation's index in the whole schedule, also of a slice.
    pub index: u64,
    /// Counted from the start.
    pub offset: Duration,
}

impl Schedule {
    fn whole(shape: Shape, duration: Duration) -> Self {
        Self { shape, duration, first: 0, step: NonZeroU64::MIN }
    }

    /// `per_second` operations a second, for `duration`: operation i is due at
    /// i / rate, and every operation whose offset is below `duration` is. Here
    /// and below, rates are taken to the billionth of an operation a second.
    ///
    /// # Errors
    /// If the rate is no number from a billionth to a billion.
    pub fn constant(per_second: f64, duration: Duration) -> Result<Self, ScheduleError> {
        let rate = NanoRate::positive(per_second)?;
        let curve = Curve::new([(duration, rate, rate)])?;
        Ok(Self::whole(Shape::Curve(curve), duration))
    }

    /// A rate that goes from one value to another in a straight line; one of
    /// them may be zero. There are (from + to) / 2 · duration operations.
    ///
    /// # Errors
    /// If a rate is out of bounds, or both are zero.
    pub fn ramp(from: f64, to: f64, duration: Duration) -> Result<Self, ScheduleError> {
        let (first, last) = (NanoRate::new(from)?, NanoRate::new(to)?);
        NanoRate::positive(from.max(to))?;
        let curve = Curve::new([(duration, first, last)])?;
        Ok(Self::whole(Shape::Curve(curve), duration))
    }

    /// One rate after the other, each for its time; a rate may be zero. What a
    /// step leaves of an operation is carried into the next, so that the total
    /// is the sum of rate · time.
    ///
    /// # Errors
    /// If a rate is out of bounds.
    pub fn steps(steps: &[(f64, Duration)]) -> Result<Self, ScheduleError> {
        let mut stretches = Vec::with_capacity(steps.len());
        for &(rate, length) in steps {
            let rate = NanoRate::new(rate)?;
            stretches.push((length, rate, rate));
        }
        let curve = Curve::new(stretches)?;
        let duration = Duration::from_nanos(curve.length());
        Ok(Self::whole(Shape::Curve(curve), duration))
    }

    /// `size` operations at once every `every`, the first at the start.
    ///
    /// # Errors
    /// If `every` is zero.
    pub fn burst(
        size: NonZeroU64,
        every: Duration,
        duration: Duration,
    ) -> Result<Self, ScheduleError> {
        Ok(Self::whole(Shape::Burst(Burst::new(size, every, duration)?), duration))
    }

    /// A constant rate for `on`, then nothing for `off`, and so on.
    ///
    /// # Errors
    /// If the rate is out of bounds, or `on` is zero.
    pub fn pulse(
        per_second: f64,
        on: Duration,
        off: Duration,
        duration: Duration,
    ) -> Result<Self, ScheduleError> {
        let pulse = Pulse::new(NanoRate::positive(per_second)?, on, off, duration)?;
        Ok(Self::whole(Shape::Pulse(pulse), duration))
    }

    /// Poisson arrivals of a mean rate: gaps drawn from the exponential
    /// distribution. `draws` is one realisation, the same in every run. How
    /// many there are is decided by them, and found out here by going through
    /// them once, at some nanoseconds each.
    ///
    /// # Errors
    /// If the rate is out of bounds.
    pub fn poisson(
        per_second: f64,
        duration: Duration,
        draws: Draws,
    ) -> Result<Self, ScheduleError> {
        let poisson = Poisson::new(NanoRate::positive(per_second)?, duration, draws)?;
        Ok(Self::whole(Shape::Poisson(poisson), duration))
    }

    /// A recorded series of rates, played again.
    ///
    /// # Errors
    /// If a rate is out of bounds.
    pub fn replay(series: &Series) -> Result<Self, ScheduleError> {
        let curve = Curve::new(series.stretches()?)?;
        let duration = Duration::from_nanos(curve.length());
        Ok(Self::whole(Shape::Curve(curve), duration))
    }

    /// The operations `slice`, `slice + of`, `slice + 2·of`, … of this one, with
    /// their indices and their offsets: so that `of` generators with one start
    /// send together what one would have sent.
    ///
    /// # Errors
    /// If there is no such slice: it must be below `of`.
    pub fn slice(&self, slice: u64, of: u64) -> Result<Self, ScheduleError> {
        let error = ScheduleError::Slice { slice, of };
        let parts = NonZeroU64::new(of).filter(|_| slice < of).ok_or(error)?;
        // Of a slice, too: each of its operations is `step` apart.
        let first =
            slice.checked_mul(self.step.get()).and_then(|more| self.first.checked_add(more));
        Ok(Self {
            first: first.ok_or(error)?,
            step: self.step.checked_mul(parts).ok_or(error)?,
            ..self.clone()
        })
    }

    /// How many operations there are, in the slice if it is one.
    pub fn count(&self) -> u64 {
        self.total().saturating_sub(self.first).div_ceil(self.step.get())
    }

    /// How many operations there are in the whole.
    pub fn total(&self) -> u64 {
        match &self.shape {
            Shape::Curve(curve) => curve.count(),
            Shape::Burst(burst) => burst.count(),
            Shape::Pulse(pulse) => pulse.count(),
            Shape::Poisson(poisson) => poisson.count(),
        }
    }

    /// From the start to the end; every offset is below.
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// Every operation, in order, in constant memory.
    pub fn offsets(&self) -> Offsets {
        let cursor = match &self.shape {
            Shape::Curve(curve) => Cursor::Curve { curve: curve.clone(), segment: 0 },
            Shape::Burst(burst) => Cursor::Burst(*burst),
            Shape::Pulse(pulse) => Cursor::Pulse(*pulse),
            Shape::Poisson(poisson) => Cursor::Poisson(poisson.arrivals()),
        };
        Offsets { cursor, next: self.first, left: self.count(), step: self.step }
    }

    /// Every operation's index and due time, if the schedule begins at `start`.
    pub fn from(&self, start: Mono) -> impl Iterator<Item = (u64, Mono)> + Send + use<> {
        self.offsets().map(move |due| (due.index, start.plus(due.offset)))
    }
}

/// The operations of a schedule, one after the other.
#[derive(Debug, Clone)]
pub struct Offsets {
    cursor: Cursor,
    next: u64,
    left: u64,
    step: NonZeroU64,
}

#[derive(Debug, Clone)]
enum Cursor {
    Curve { curve: Curve, segment: usize },
    Burst(Burst),
    Pulse(Pulse),
    Poisson(Arrivals),
}

impl Iterator for Offsets {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        self.left = self.left.checked_sub(1)?;
        let index = self.next;
        self.next = index.saturating_add(self.step.get());
        let nanos = match &mut self.cursor {
            Cursor::Curve { curve, segment } => curve.offset(index, segment),
            Cursor::Burst(burst) => burst.offset(index),
            Cursor::Pulse(pulse) => pulse.offset(index),
            Cursor::Poisson(arrivals) => arrivals.offset(index),
        };
        Some(Due { index, offset: Duration::from_nanos(nanos) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left);
        (left.unwrap_or(usize::MAX), left.ok())
    }
}

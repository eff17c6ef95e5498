//! Rates that are linear in stretches: constant, ramp, steps, replay.
//!
//! With Λ(t) the area under the rate from 0 to t, that is the number of
//! operations to expect by then, operation i is due at the last instant at
//! which Λ is i: as soon as anything more is to come. For a constant rate that
//! is i / rate; for a linear one the root of a quadratic. Areas are integers,
//! so neither the number of operations nor any offset depends on how floating
//! point rounds.

use std::sync::Arc;
use std::time::Duration;

use super::ScheduleError;
use super::rate::{GIGA, NanoRate, nanos};
use super::wide::Wide;

/// The area of one operation: areas are in halves of (a billionth of an
/// operation a second) · (a nanosecond), so that a triangle's is an integer.
const OPERATION: u128 = 2 * GIGA as u128 * GIGA as u128;

/// A rate over time, linear in each segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    segments: Arc<[Segment]>,
    area: u128,
}

/// A stretch of time in which the rate goes from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    /// Nanoseconds from the schedule's start.
    begins: u64,
    /// Nanoseconds.
    length: u64,
    from: u64,
    to: u64,
    /// Area under all that comes before.
    before: u128,
}

impl Curve {
    /// The curve of stretches `(length, rate at its beginning, rate at its end)`.
    pub fn new(
        stretches: impl IntoIterator<Item = (Duration, NanoRate, NanoRate)>,
    ) -> Result<Self, ScheduleError> {
        let (mut begins, mut area) = (0u64, 0u128);
        let mut segments = Vec::new();
        for (length, from, to) in stretches {
            let length = nanos(length)?;
            let (from, to) = (from.get(), to.get());
            segments.push(Segment { begins, length, from, to, before: area });
            let more = (u128::from(from) + u128::from(to)) * u128::from(length);
            area = area.checked_add(more).ok_or(ScheduleError::TooMuch)?;
            begins = begins.checked_add(length).ok_or(ScheduleError::TooMuch)?;
        }
        let curve = Self { segments: segments.into(), area };
        // From here on every area below that of the last operation fits.
        u64::try_from(area.div_ceil(OPERATION)).map_err(|_| ScheduleError::TooMuch)?;
        Ok(curve)
    }

    /// How many operations are due before the end: the area, rounded up,
    /// since the first is due at once.
    pub fn count(&self) -> u64 {
        u64::try_from(self.area.div_ceil(OPERATION)).unwrap_or(u64::MAX)
    }

    /// Nanoseconds from the start to the end.
    pub fn length(&self) -> u64 {
        self.segments.last().map_or(0, |last| last.begins + last.length)
    }

    /// When operation `index` is due, in nanoseconds, rounded down. `hint` is
    /// the segment of an earlier operation, and becomes that of this one.
    pub fn offset(&self, index: u64, hint: &mut usize) -> u64 {
        let area = u128::from(index) * OPERATION;
        let after = |segment: &Segment| segment.before > area;
        while self.segments.get(*hint + 1).is_some_and(|next| !after(next)) {
            *hint += 1;
        }
        self.segments.get(*hint).map_or(0, |s| s.begins + s.reaches(area - s.before))
    }
}

impl Segment {
    /// Nanoseconds into the segment, rounded down, at which its area is `area`:
    /// the largest whole x with 2·from·x + (to - from)·x²/length <= area.
    fn reaches(&self, area: u128) -> u64 {
        if self.from == self.to {
            return match self.from {
                0 => 0,
                rate => u64::try_from(area / (2 * u128::from(rate))).unwrap_or(u64::MAX),
            };
        }
        // Floating point finds the place to within a few nanoseconds, integers
        // the nanosecond: widen until it is enclosed, then halve.
        let guess = self.estimate(area).min(self.length);
        let (mut least, mut most, mut step) = (guess, guess, 1);
        while least > 0 && !self.within(least, area) {
            least = least.saturating_sub(step);
            step *= 2;
        }
        step = 1;
        while most < self.length && self.within(most, area) {
            most = most.saturating_add(step).min(self.length);
            step *= 2;
        }
        while most - least > 1 {
            let middle = least + (most - least) / 2;
            if self.within(middle, area) {
                least = middle;
            } else {
                most = middle;
            }
        }
        if most > least && self.within(most, area) { most } else { least }
    }

    /// The root of the quadratic, in the form that does not cancel:
    /// x = area / (from + sqrt(from² + (to - from)·area/length)).
    #[allow(clippy::cast_precision_loss)] // an estimate
    fn estimate(&self, area: u128) -> u64 {
        let (from, area) = (self.from as f64, area as f64);
        let slope = (self.to as f64 - from) / self.length as f64;
        let root = area / (from + slope.mul_add(area, from * from).max(0.0).sqrt());
        // A float-to-integer cast saturates, and makes 0 of what is no number.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let root = root as u64;
        root
    }

    /// Whether the area of the first `x` nanoseconds is at most `area`; both
    /// sides times `length`, and each term where it is positive.
    fn within(&self, x: u64, area: u128) -> bool {
        let rectangle = Wide::product(2 * u128::from(self.from) * u128::from(x), self.length);
        let bend = u128::from(self.to.abs_diff(self.from)) * u128::from(x);
        let bend = Wide::product(bend, x);
        let area = Wide::product(area, self.length);
        if self.to > self.from {
            rectangle.plus(bend) <= area
        } else {
            rectangle <= area.plus(bend)
        }
    }
}

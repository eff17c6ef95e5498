//! When each operation is due.
//!
//! A schedule is a sequence of offsets from one start, fixed before the first
//! operation is sent. Nothing that happens later moves, skips or thins it: that
//! is what makes the load open-loop, and a stalled server visible in every
//! operation that it delayed (coordinated omission is leaving those out).

use std::time::Duration;

use kab_evidence::clock::Mono;

/// Nanoseconds in a second times the resolution of a rate.
const NANOS_PER_RATE_UNIT: u128 = 1_000_000_000 * 1_000_000_000;

/// The offsets at which operations are due, counted from one start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Operation `i` is due at `i / rate`.
    Constant(Constant),
}

/// Operations at equal distances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Operations in a billion seconds: the rate as an integer, so that every
    /// offset is exact.
    rate: u64,
    count: u64,
}

/// A schedule cannot be made from these numbers.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "making a schedule of {per_second} operations a second: the rate must be from 0.000000001 to \
     1000000000 a second"
)]
pub struct BadRate {
    per_second: f64,
}

impl Schedule {
    /// `per_second` operations a second, for `duration`: every operation whose
    /// offset is below it. The rate is taken to the billionth of an operation a
    /// second.
    ///
    /// # Errors
    /// If the rate is no number from a billionth to a billion.
    pub fn constant(per_second: f64, duration: Duration) -> Result<Self, BadRate> {
        let bad = BadRate { per_second };
        // A count with nine decimals, rounded to an integer, is just what a
        // `Duration` makes of seconds; it also refuses what is no such number.
        let rate = Duration::try_from_secs_f64(per_second).map_err(|_| bad)?.as_nanos();
        if rate == 0 || rate > NANOS_PER_RATE_UNIT {
            return Err(bad);
        }
        // The number of i with i * UNIT / rate < duration.
        let count = (duration.as_nanos().saturating_mul(rate)).div_ceil(NANOS_PER_RATE_UNIT);
        Ok(Self::Constant(Constant {
            rate: u64::try_from(rate).map_err(|_| bad)?,
            count: u64::try_from(count).unwrap_or(u64::MAX),
        }))
    }

    /// How many operations there are.
    pub const fn count(&self) -> u64 {
        match self {
            Self::Constant(constant) => constant.count,
        }
    }

    /// When operation `index` is due, counted from the start. Computed from the
    /// index alone, never by adding up, so that nothing drifts; rounded down to
    /// the nanosecond.
    pub fn offset(&self, index: u64) -> Duration {
        let nanos = match self {
            Self::Constant(constant) => {
                u128::from(index) * NANOS_PER_RATE_UNIT / u128::from(constant.rate)
            }
        };
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Every operation's index and due time, if the schedule begins at `start`.
    pub fn from(&self, start: Mono) -> impl Iterator<Item = (u64, Mono)> + Send + '_ {
        (0..self.count()).map(move |index| (index, start.plus(self.offset(index))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forty_a_second_are_25_ms_apart() {
        let schedule = Schedule::constant(40.0, Duration::from_secs(20)).unwrap();
        assert_eq!(schedule.count(), 800);
        assert_eq!(schedule.offset(1), Duration::from_millis(25));
        assert_eq!(schedule.offset(799), Duration::from_millis(19_975));
    }

    #[test]
    fn a_third_does_not_drift() {
        let schedule = Schedule::constant(3.0, Duration::from_secs(1_000_000)).unwrap();
        assert_eq!(schedule.offset(1).as_nanos(), 333_333_333);
        assert_eq!(schedule.offset(3_000_000), Duration::from_secs(1_000_000));
        assert_eq!(schedule.count(), 3_000_000);
    }

    #[test]
    fn an_operation_due_at_the_very_end_is_not_part_of_it() {
        let just = |nanos| Schedule::constant(2.0, Duration::from_nanos(nanos)).unwrap().count();
        assert_eq!([just(0), just(1), just(500_000_000), just(500_000_001)], [0, 1, 1, 2]);
    }

    #[test]
    fn rates_without_sense_are_refused() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-12, 1e10] {
            assert!(Schedule::constant(bad, Duration::from_secs(1)).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_operation_below_the_duration_and_no_other(
            milli_rate in 1u64..100_000_000,
            millis in 0u64..100_000_000,
        ) {
            let duration = Duration::from_millis(millis);
            let schedule = Schedule::constant(milli_rate as f64 / 1000.0, duration).unwrap();
            let count = schedule.count();
            prop_assert!(count == 0 || schedule.offset(count - 1) < duration);
            prop_assert!(schedule.offset(count) >= duration);
            // rate x duration, rounded up: nothing thinned.
            prop_assert_eq!(u128::from(count), (u128::from(milli_rate) * u128::from(millis)).div_ceil(1_000_000));
        }

        #[test]
        fn offsets_are_exact_wherever_one_looks(
            milli_rate in 1u64..100_000_000,
            index in 0u64..1 << 32,
        ) {
            let schedule = Schedule::constant(milli_rate as f64 / 1000.0, Duration::ZERO).unwrap();
            let exact = u128::from(index) * 1_000_000_000_000 / u128::from(milli_rate);
            prop_assume!(exact < u128::from(u64::MAX));
            prop_assert_eq!(schedule.offset(index).as_nanos(), exact);
        }

        #[test]
        fn it_is_anchored_to_its_start(start in 0u64..1 << 50, rate in 1u32..5000) {
            let schedule = Schedule::constant(rate.into(), Duration::from_millis(100)).unwrap();
            let start = Mono::from_nanos(start);
            let due: Vec<_> = schedule.from(start).collect();
            prop_assert_eq!(due.len() as u64, schedule.count());
            prop_assert!(due.is_sorted());
            for (index, at) in due {
                prop_assert_eq!(at.since(start), schedule.offset(index));
            }
        }
    }
}

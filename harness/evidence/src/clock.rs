//! The only place where time is read.
//!
//! `CLOCK_MONOTONIC` has one origin for all processes of a host, so the
//! gateway, the webhook, the informer and the generator can be compared to the
//! nanosecond without any exchange. Wall-clock time appears once a run, as an
//! anchor, and is never subtracted.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An instant on the host's `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(transparent)]
// One more than the nanoseconds, so that an `Option<Mono>` takes no more space:
// traces hold a dozen each, and there are millions.
pub struct Mono(#[schemars(with = "u64")] NonZeroU64);

impl Mono {
    /// Reads the clock.
    pub fn now() -> Self {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let secs = u64::try_from(t.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(t.tv_nsec).unwrap_or(0);
        Self::from_nanos(secs * 1_000_000_000 + nanos)
    }

    /// An instant from its nanoseconds, as read back from evidence.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the clock's origin (the host's boot).
    pub const fn nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos().saturating_sub(earlier.nanos()))
    }

    /// Nanoseconds from `earlier` to `self`, negative if `earlier` is later.
    /// For segments of a trace, where a negative value is a finding that must
    /// not be clamped away.
    pub fn signed_since(self, earlier: Self) -> i64 {
        let (a, b) = (i128::from(self.nanos()), i128::from(earlier.nanos()));
        i64::try_from(a - b).unwrap_or(if a > b { i64::MAX } else { i64::MIN })
    }

    /// The instant `before` earlier than this one, at the earliest the origin.
    pub fn minus(self, before: Duration) -> Self {
        let nanos = u64::try_from(before.as_nanos()).unwrap_or(u64::MAX);
        Self::from_nanos(self.nanos().saturating_sub(nanos))
    }

    /// The instant `after` later than this one.
    pub fn plus(self, after: Duration) -> Self {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl fmt::Debug for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mono").field(&self.nanos()).finish()
    }
}

impl Serialize for Mono {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.nanos().serialize(s)
    }
}

impl<'de> Deserialize<'de> for Mono {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        u64::deserialize(d).map(Self::from_nanos)
    }
}

/// Ties the monotonic clock of a run to the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClockAnchor {
    /// The monotonic reading.
    pub monotonic: Mono,
    /// The wall-clock time at that reading, RFC 3339 in UTC.
    #[schemars(with = "String")]
    pub wall: jiff::Timestamp,
}

impl ClockAnchor {
    /// Reads both clocks, one directly after the other.
    pub fn now() -> Self {
        Self { monotonic: Mono::now(), wall: wall() }
    }
}

/// How far the calendar's clock is ahead of the monotonic one, at one moment.
/// For the times of programs that know no other clock; a span of time is still
/// never measured by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallOffset {
    /// Nanoseconds since 1970 minus nanoseconds of the monotonic clock.
    pub ahead: i64,
    /// How wrong that may be, in nanoseconds: half the time that the reading took.
    pub error: u64,
}

impl WallOffset {
    /// Reads one clock between two readings of the other, and takes the
    /// shortest of a few tries.
    pub fn measure() -> Self {
        let once = || {
            let (before, wall, after) = (Mono::now(), wall(), Mono::now());
            let width = after.nanos().saturating_sub(before.nanos());
            let middle = before.nanos() + width / 2;
            let ahead = wall.as_nanosecond() - i128::from(middle);
            Self { ahead: i64::try_from(ahead).unwrap_or(i64::MAX), error: width / 2 + 1 }
        };
        let tries = (0..4).map(|_| once());
        tries.fold(once(), |best, found| if found.error < best.error { found } else { best })
    }

    /// The monotonic time of a calendar time in nanoseconds since 1970; the
    /// clock's origin if that was earlier.
    pub fn monotonic(self, unix_nanos: u64) -> Mono {
        let nanos = i128::from(unix_nanos) - i128::from(self.ahead);
        Mono::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

/// CPU time that the calling thread has used, user and system.
pub fn thread_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    // A thread's CPU time is never negative.
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// Which clock [`Mono`] reads here: the boot of the kernel, and the time
/// namespace, within which `CLOCK_MONOTONIC` has one origin. Instants of
/// processes for which it differs cannot be compared.
pub fn origin() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    format!("boot {} {}", boot.trim(), namespace.display()).trim().to_owned()
}

/// The calendar time, for people; never for measuring.
pub fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_goes_back() {
        let readings: Vec<_> = (0..1000).map(|_| Mono::now()).collect();
        assert!(readings.is_sorted());
    }

    #[test]
    fn an_instant_that_may_be_missing_takes_no_more_space() {
        assert_eq!(size_of::<Option<Mono>>(), size_of::<u64>());
        let first = Mono::from_nanos(0);
        assert_eq!((first.nanos(), format!("{first:?}")), (0, "Mono(0)".to_owned()));
        let text = serde_json::to_string(&first).unwrap();
        assert_eq!((text.as_str(), serde_json::from_str(&text).unwrap()), ("0", first));
    }

    #[test]
    fn calendar_times_are_found_on_the_monotonic_clock() {
        let offset = WallOffset { ahead: 1_000, error: 1 };
        assert_eq!(offset.monotonic(1_500), Mono::from_nanos(500));
        assert_eq!(offset.monotonic(900), Mono::from_nanos(0));
        let (before, offset, after) = (Mono::now(), WallOffset::measure(), Mono::now());
        assert!(offset.error <= after.nanos() - before.nanos() + 1);
    }

    #[test]
    fn differences_keep_their_sign_only_where_asked() {
        let (a, b) = (Mono::from_nanos(5), Mono::from_nanos(8));
        assert_eq!(b.since(a), Duration::from_nanos(3));
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(a.signed_since(b), -3);
        assert_eq!(a.plus(Duration::from_nanos(3)), b);
    }
}

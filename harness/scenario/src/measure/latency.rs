//! Distributions of durations: with intervals and without, each name written
//! down once.

use super::Kind::{self, Duration, Group, Int};

/// What is under a name.
type Field = (&'static str, Kind);

/// The names of `some`, and then `more`: `ALL` in all.
const fn with<const N: usize, const M: usize, const ALL: usize>(
    some: [Field; N],
    more: [Field; M],
) -> [Field; ALL] {
    assert!(N + M == ALL, "as many names as there are");
    let mut all = [("", Int); ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < N { some[at] } else { more[at - N] };
        at += 1;
    }
    all
}

/// A 95 % interval.
const INTERVAL: Kind = Group(&[("low", Duration), ("high", Duration)]);

/// The 95 % intervals of a distribution. One has no value where too few
/// independent samples speak of it.
const INTERVALS: Kind = Group(&[
    ("p50", INTERVAL),
    ("p90", INTERVAL),
    ("p99", INTERVAL),
    ("p999", INTERVAL),
    ("mean", INTERVAL),
]);

const NUMBERS: [Field; 7] = [
    ("count", Int),
    ("p50", Duration),
    ("p90", Duration),
    ("p99", Duration),
    ("p999", Duration),
    ("max", Duration),
    ("mean", Duration),
];

const SURE_NUMBERS: [Field; 9] =
    with(NUMBERS, [("effectiveSamples", Int), ("interval", INTERVALS)]);

const SURE_NUMBERS_AND_OK: [Field; 10] = with(SURE_NUMBERS, [("ok", SAMPLED)]);

/// A distribution of durations.
pub(super) const LATENCIES: Kind = Group(&NUMBERS);

/// The same with intervals.
pub(super) const SAMPLED: Kind = Group(&SURE_NUMBERS);

/// A distribution over all operations whose end is known, and over the
/// acknowledged ones.
pub(super) const LATENCIES_AND_OK: Kind = Group(&SURE_NUMBERS_AND_OK);

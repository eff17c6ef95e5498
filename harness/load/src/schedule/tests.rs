//! Every schedule: rising, below its end, complete, anchored, the same in
//! slices. Each kind: exact against arithmetic of its own.

use super::*;
use crate::testing::{KOLMOGOROV_LIMIT, kolmogorov};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn nanos(schedule: &Schedule) -> Vec<u128> {
    schedule.offsets().map(|due| due.offset.as_nanos()).collect()
}

fn millis(schedule: &Schedule) -> Vec<u128> {
    schedule.offsets().map(|due| due.offset.as_millis()).collect()
}

fn nth(schedule: &Schedule, index: u64) -> Duration {
    schedule.slice(index, u64::MAX).unwrap().offsets().next().unwrap().offset
}

#[test]
fn forty_a_second_are_25_ms_apart() {
    let schedule = Schedule::constant(40.0, SECOND * 20).unwrap();
    assert_eq!(schedule.count(), 800);
    assert_eq!(nth(&schedule, 1), Duration::from_millis(25));
    assert_eq!(nth(&schedule, 799), Duration::from_millis(19_975));
}

#[test]
fn a_third_does_not_drift() {
    let schedule = Schedule::constant(3.0, SECOND * 1_000_001).unwrap();
    assert_eq!(nth(&schedule, 1).as_nanos(), 333_333_333);
    assert_eq!(nth(&schedule, 3_000_000), SECOND * 1_000_000);
    assert_eq!(schedule.count(), 3_000_003);
}

#[test]
fn an_operation_due_at_the_very_end_is_not_part_of_it() {
    let just = |nanos| Schedule::constant(2.0, Duration::from_nanos(nanos)).unwrap().count();
    assert_eq!([just(0), just(1), just(500_000_000), just(500_000_001)], [0, 1, 1, 2]);
}

#[test]
fn rates_without_sense_are_refused() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-12, 1e10] {
        assert!(Schedule::constant(bad, SECOND).is_err(), "{bad}");
        assert!(Schedule::poisson(bad, SECOND, Draws::new(1, "x")).is_err(), "{bad}");
        assert!(Schedule::pulse(bad, SECOND, SECOND, SECOND).is_err(), "{bad}");
        if bad != 0.0 {
            assert!(Schedule::ramp(1.0, bad, SECOND).is_err(), "{bad}");
            assert!(Schedule::steps(&[(bad, SECOND)]).is_err(), "{bad}");
        }
    }
    assert!(Schedule::ramp(0.0, 0.0, SECOND).is_err());
    assert!(Schedule::burst(NonZeroU64::MIN, Duration::ZERO, SECOND).is_err());
    assert!(Schedule::pulse(1.0, Duration::ZERO, SECOND, SECOND).is_err());
    assert!(Schedule::constant(1e9, Duration::MAX).is_err());
    let whole = Schedule::constant(1.0, SECOND).unwrap();
    assert!(whole.slice(2, 2).is_err() && whole.slice(0, 0).is_err());
}

/// From 0 to 2/s in 10 s: the area is t²/10, so operation i is due at √(10 i).
#[test]
fn a_ramp_from_nothing_goes_with_the_root() {
    let schedule = Schedule::ramp(0.0, 2.0, SECOND * 10).unwrap();
    assert_eq!(schedule.count(), 10);
    let expected = [0u128, 3162277660, 4472135954, 5477225575, 6324555320, 7071067811, 7745966692];
    assert_eq!(nanos(&schedule)[..7], expected);
}

/// Down from 2/s to 0 is the same, seen from the end: i of 10 operations are
/// over when 10 - i are left, at 10 s - √(10 (10 - i)).
#[test]
fn a_ramp_to_nothing_ends_sparsely() {
    let schedule = Schedule::ramp(2.0, 0.0, SECOND * 10).unwrap();
    let found = nanos(&schedule);
    assert_eq!(found.len(), 10);
    assert_eq!(found[9], 10_000_000_000 - 3_162_277_661);
}

#[test]
fn a_step_hands_on_what_it_leaves() {
    // 1.5 operations, then 1.5: three in all, the second in the middle of the
    // first step's last third, the third half an operation into the second.
    let steps = [(1.0, SECOND * 3 / 2), (0.0, SECOND), (3.0, SECOND / 2)];
    let schedule = Schedule::steps(&steps).unwrap();
    assert_eq!(schedule.count(), 3);
    assert_eq!(nanos(&schedule), [0, 1_000_000_000, 2_666_666_666]);
}

#[test]
fn an_operation_on_the_edge_of_a_pause_comes_after_it() {
    let steps = [(0.0, SECOND), (2.0, SECOND), (0.0, SECOND * 5), (2.0, SECOND), (0.0, SECOND)];
    let schedule = Schedule::steps(&steps).unwrap();
    assert_eq!(millis(&schedule), [1000, 1500, 7000, 7500]);
    assert_eq!(schedule.duration(), SECOND * 9);
}

#[test]
fn bursts_come_together() {
    let three = NonZeroU64::new(3).unwrap();
    let schedule = Schedule::burst(three, SECOND, SECOND * 5 / 2).unwrap();
    assert_eq!(millis(&schedule), [0, 0, 0, 1000, 1000, 1000, 2000, 2000, 2000]);
}

#[test]
fn a_pulse_is_as_its_steps() {
    let on_off = Schedule::pulse(2.5, SECOND, SECOND * 2, SECOND * 8).unwrap();
    let steps: Vec<_> = [(2.5, SECOND), (0.0, SECOND * 2)].repeat(2);
    let steps = Schedule::steps(&[&steps[..], &[(2.5, SECOND), (0.0, SECOND)]].concat()).unwrap();
    assert_eq!(nanos(&on_off), nanos(&steps));
    assert_eq!(millis(&on_off), [0, 400, 800, 3200, 3600, 6000, 6400, 6800]);
}

#[test]
fn a_recorded_series_is_played_as_it_was() {
    let points = Series::points("seconds,rate\n0,2\n1, 4\n\n# the end\n2.0,0\n").unwrap();
    assert_eq!(points, [(Duration::ZERO, 2.0), (SECOND, 4.0), (SECOND * 2, 0.0)]);
    let held = Series::new(points.clone(), Between::Hold, None).unwrap();
    let schedule = Schedule::replay(&held).unwrap();
    assert_eq!(millis(&schedule), [0, 500, 1000, 1250, 1500, 1750]);
    let line = Series::new(points, Between::Line, Some(SECOND * 3)).unwrap();
    let schedule = Schedule::replay(&line).unwrap();
    // 3 in the first second, 2 in the second, none after it.
    assert_eq!((schedule.count(), schedule.duration()), (5, SECOND * 3));
    let ramps = Schedule::ramp(2.0, 4.0, SECOND).unwrap();
    assert_eq!(nanos(&schedule)[..3], nanos(&ramps));
}

#[test]
fn a_series_that_cannot_be_played_is_refused() {
    let at = |seconds: &[u64]| seconds.iter().map(|&s| (Duration::from_secs(s), 1.0)).collect();
    let new = |seconds: &[u64], most| Series::new(at(seconds), Between::Line, most);
    assert_eq!(new(&[], None), Err(SeriesError::Empty));
    assert_eq!(new(&[1], None), Err(SeriesError::NoBeginning { at: SECOND }));
    assert_eq!(new(&[0, 2, 2], None), Err(SeriesError::Order { at: SECOND * 2 }));
    let short = Err(SeriesError::TooShort { duration: SECOND, last: SECOND * 2 });
    assert_eq!(new(&[0, 2], Some(SECOND)), short);
    for bad in ["0,1\nx,1", "0", "0;1", "-1,5", "a,b\nc,d\n0,1", "0,1\n1,"] {
        assert!(Series::points(bad).is_err(), "{bad}");
    }
}

/// The gaps of 5 realisations are exponential with the mean that was asked
/// for, and not with one that is 3 % longer.
#[test]
fn poisson_gaps_are_exponential() {
    for seed in 1..=5 {
        let draws = Draws::new(seed, "write/arrivals");
        let schedule = Schedule::poisson(1000.0, SECOND * 40, draws).unwrap();
        let offsets: Vec<f64> = schedule.offsets().map(|due| due.offset.as_secs_f64()).collect();
        let gaps: Vec<f64> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let cdf = |mean: f64| move |gap: f64| 1.0 - (-gap / mean).exp();
        assert!(kolmogorov(gaps.clone(), cdf(0.001)) < KOLMOGOROV_LIMIT, "seed {seed}");
        assert!(kolmogorov(gaps, cdf(0.001_03)) > KOLMOGOROV_LIMIT, "seed {seed}");
        // Given their number, arrivals are uniform over the time.
        assert!(kolmogorov(offsets, |t| t / 40.0) < KOLMOGOROV_LIMIT, "seed {seed}");
    }
}

/// Counts of 400 realisations: mean and variance are both rate · time = 200,
/// within four standard errors (√(200/400), and 200·√(2/399)).
#[test]
fn poisson_counts_have_their_mean_and_variance() {
    let count = |seed| {
        Schedule::poisson(50.0, SECOND * 4, Draws::new(seed, "count")).unwrap().count() as f64
    };
    let counts: Vec<f64> = (0..400).map(count).collect();
    let mean = counts.iter().sum::<f64>() / 400.0;
    let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 399.0;
    assert!((mean - 200.0).abs() < 4.0 * 0.7072, "{mean}");
    assert!((variance - 200.0).abs() < 4.0 * 14.16, "{variance}");
}

#[test]
fn a_seed_stands_for_the_same_arrivals_in_every_version() {
    let schedule = Schedule::poisson(10.0, SECOND, Draws::new(42, "write/arrivals")).unwrap();
    assert_eq!(nanos(&schedule)[..3], [35_932_667, 37_769_571, 102_084_214]);
}

/// Any schedule there is.
fn anything() -> impl Strategy<Value = Schedule> {
    let millis = |most: u64| (1..most).prop_map(Duration::from_millis);
    let rate = || (1u32..500_000).prop_map(|milli| f64::from(milli) / 1000.0);
    let level =
        || prop_oneof![1 => Just(0.0), 3 => (1u32..500_000).prop_map(|m| f64::from(m) / 1e3)];
    let steps =
        prop::collection::vec((level(), (1u64..3000).prop_map(Duration::from_millis)), 1..8);
    let series = (steps.clone(), any::<bool>()).prop_map(|(steps, held)| {
        let mut at = Duration::ZERO;
        let points = steps.iter().map(|&(rate, length)| {
            let point = (at, rate);
            at += length;
            point
        });
        let points: Vec<_> = points.collect();
        let between = if held { Between::Hold } else { Between::Line };
        Schedule::replay(&Series::new(points, between, Some(at)).unwrap()).unwrap()
    });
    prop_oneof![
        (rate(), millis(5000)).prop_map(|(r, d)| Schedule::constant(r, d).unwrap()),
        (rate(), millis(5000), any::<u64>()).prop_map(|(r, d, seed)| Schedule::poisson(
            r,
            d,
            Draws::new(seed, "any")
        )
        .unwrap()),
        (level(), rate(), millis(5000)).prop_map(|(a, b, d)| Schedule::ramp(a, b, d).unwrap()),
        (rate(), level(), millis(5000)).prop_map(|(a, b, d)| Schedule::ramp(a, b, d).unwrap()),
        steps.prop_map(|steps| Schedule::steps(&steps).unwrap()),
        (1u64..50, millis(1000), millis(5000)).prop_map(|(n, p, d)| Schedule::burst(
            NonZeroU64::new(n).unwrap(),
            p,
            d
        )
        .unwrap()),
        (rate(), millis(1000), millis(1000), millis(5000))
            .prop_map(|(r, on, off, d)| Schedule::pulse(r, on, off, d).unwrap()),
        series,
    ]
}

proptest! {
    #[test]
    fn rising_complete_and_below_the_end(schedule in anything()) {
        let due: Vec<_> = schedule.offsets().collect();
        prop_assert_eq!(due.len() as u64, schedule.count());
        prop_assert!(due.windows(2).all(|pair| pair[0].offset <= pair[1].offset));
        prop_assert!(due.iter().zip(0..).all(|(due, index)| due.index == index));
        prop_assert!(due.last().is_none_or(|last| last.offset < schedule.duration()));
    }

    #[test]
    fn anchored_to_its_start(schedule in anything(), start in 0u64..1 << 50) {
        let start = Mono::from_nanos(start);
        let due: Vec<_> = schedule.from(start).map(|(i, at)| (i, at.since(start))).collect();
        let offsets: Vec<_> = schedule.offsets().map(|due| (due.index, due.offset)).collect();
        prop_assert_eq!(due, offsets);
    }

    #[test]
    fn slices_together_are_the_whole(schedule in anything(), parts in 1u64..7) {
        let mut all = Vec::new();
        let mut counted = 0;
        for k in 0..parts {
            let slice = schedule.slice(k, parts).unwrap();
            prop_assert_eq!(slice.total(), schedule.total());
            counted += slice.count();
            all.extend(slice.offsets());
            // Of a slice, slices again.
            let halves: u64 = (0..2).map(|h| slice.slice(h, 2).unwrap().count()).sum();
            prop_assert_eq!(halves, slice.count());
        }
        prop_assert_eq!(counted, schedule.count());
        all.sort_by_key(|due| due.index);
        prop_assert!(all.into_iter().eq(schedule.offsets()));
    }

    /// rate · duration, rounded up; and i / rate, rounded down.
    #[test]
    fn constant_is_exact(milli in 1u64..100_000_000, millis in 0u64..100_000_000, part: u64) {
        let schedule = Schedule::constant(milli as f64 / 1e3, Duration::from_millis(millis)).unwrap();
        let exact = (u128::from(milli) * u128::from(millis)).div_ceil(1_000_000);
        prop_assert_eq!(u128::from(schedule.count()), exact);
        prop_assume!(exact > 0);
        let index = part % schedule.count();
        let exact = u128::from(index) * 1_000_000_000_000 / u128::from(milli);
        prop_assert_eq!(nth(&schedule, index).as_nanos(), exact);
    }

    /// With rates and times that are whole milli-units, the area under a ramp is
    /// a fraction of integers: the offset is where it first leaves room for no
    /// whole nanosecond more.
    #[test]
    fn a_ramp_is_exact(a in 0u64..5_000_000, b in 0u64..5_000_000, millis in 1u64..4_000, part: u64) {
        prop_assume!(a + b > 0);
        let schedule =
            Schedule::ramp(a as f64 / 1e3, b as f64 / 1e3, Duration::from_millis(millis)).unwrap();
        // (a + b) / 2 · t, in thousandths of operations a second and of seconds.
        prop_assert_eq!(schedule.count(), ((a + b) * millis).div_ceil(2_000_000));
        let index = part % schedule.count();
        let x = i128::try_from(nth(&schedule, index).as_nanos()).unwrap();
        // 2·d·1e12 times the operations until x ns: 2·a·x·d + (b - a)·x².
        let (a, b, d) = (i128::from(a), i128::from(b), i128::from(millis) * 1_000_000);
        let until = |x: i128| 2 * a * x * d + (b - a) * x * x;
        let wanted = i128::from(index) * 2 * d * 1_000_000_000_000;
        prop_assert!(until(x) <= wanted, "{} > {wanted}", until(x));
        prop_assert!(x + 1 > d || until(x + 1) > wanted, "{} <= {wanted}", until(x + 1));
    }

    #[test]
    fn steps_add_up(steps in prop::collection::vec((0u64..500_000, 0u64..5_000), 1..10)) {
        let of = |&(milli, millis): &(u64, u64)| (milli as f64 / 1e3, Duration::from_millis(millis));
        let schedule = Schedule::steps(&steps.iter().map(of).collect::<Vec<_>>()).unwrap();
        let exact: u64 = steps.iter().map(|(milli, millis)| milli * millis).sum();
        prop_assert_eq!(schedule.count(), exact.div_ceil(1_000_000));
    }

    /// At the limits of what can be asked for, nothing overflows.
    #[test]
    fn large_numbers_stay_exact(a in 1u64..1_000_000_000, hours in 1u64..100_000, part: u64) {
        let time = Duration::from_secs(hours * 3600);
        let schedule = Schedule::ramp(a as f64, 1e9, time).unwrap();
        let count = (u128::from(a) + 1_000_000_000) * u128::from(hours * 3600);
        prop_assert_eq!(u128::from(schedule.count()), count.div_ceil(2));
        let index = part % (schedule.count() - 1);
        prop_assert!(nth(&schedule, index) <= nth(&schedule, index + 1));
        prop_assert!(nth(&schedule, schedule.count() - 1) < time);
    }
}

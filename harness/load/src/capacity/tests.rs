//! Searches against servers whose capacity is known.

use proptest::prelude::*;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use super::*;

fn spec(repeats: u32) -> SearchSpec {
    SearchSpec { from: 10.0, up_to: 5_000.0, resolution: 0.1, repeats }
}

fn outcome(held: bool) -> ProbeOutcome {
    if held { ProbeOutcome::Held } else { broke() }
}

fn broke() -> ProbeOutcome {
    ProbeOutcome::Broke { reason: "p99 was 2 s".into() }
}

fn invalid() -> ProbeOutcome {
    ProbeOutcome::Invalid { reason: "late by 1 s".into() }
}

/// Searches to the end; `server` answers each probe.
fn run(spec: SearchSpec, mut server: impl FnMut(Probe) -> ProbeOutcome) -> Search {
    let mut search = Search::new(spec).unwrap();
    while let Some(probe) = search.next() {
        let outcome = server(probe);
        search.record(outcome);
        let made = u32::try_from(search.probed().len()).unwrap();
        assert!(made <= search.most_probes(), "{made} probes and no end");
    }
    assert!(search.capacity().complete);
    search
}

/// Rates at which something was asked, in order, repeats left out.
fn road(search: &Search) -> Vec<f64> {
    let mut asked: Vec<_> =
        search.probed().iter().map(|p| (p.probe.rate, p.probe.purpose)).collect();
    asked.dedup();
    asked.into_iter().map(|(rate, _)| rate).collect()
}

#[test]
fn it_climbs_looks_further_halves_and_asks_both_ends_again() {
    let search = run(spec(1), |probe| outcome(probe.rate < 333.0));
    // 640 is not the last word before 1280 breaks, too; 330 held before 350 broke.
    let climb = [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0];
    let halve_and_confirm = [480.0, 400.0, 360.0, 340.0, 340.0, 320.0];
    assert_eq!(road(&search), [&climb[..], &halve_and_confirm].concat());
    let capacity = search.capacity();
    assert_eq!((capacity.held, capacity.broke), (Some(320.0), Some(340.0)));
    assert_eq!(capacity.to_string(), "held at 320/s, broke at 340/s");
}

#[test]
fn a_search_says_when_nothing_broke_and_when_everything_did() {
    let never = run(spec(2), |_| ProbeOutcome::Held).capacity();
    assert_eq!((never.held, never.broke, never.highest_probed), (Some(5000.0), None, Some(5000.0)));
    assert_eq!(never.to_string(), "held up to 5000/s, the highest rate probed");
    let search = run(spec(2), |_| broke());
    let always = search.capacity();
    assert_eq!((always.held, always.broke), (None, Some(10.0)));
    assert_eq!(road(&search), [10.0, 20.0]);
    assert_eq!(
        always.to_string(),
        "no rate found that holds; broke at 10/s, the lowest that surely does"
    );
}

#[test]
fn a_hiccup_far_below_does_not_end_the_climb() {
    let search = run(spec(3), |probe| {
        outcome(probe.rate < 333.0 && !(probe.rate == 40.0 && probe.number == 2))
    });
    let capacity = search.capacity();
    assert_eq!((capacity.held, capacity.broke), (Some(320.0), Some(340.0)));
    assert_eq!(capacity.split, [40.0]);
    assert!(capacity.to_string().ends_with("; repeats did not agree at 40/s"), "{capacity}");
}

#[test]
fn repeats_that_disagree_at_an_end_widen_the_interval() {
    let search = run(spec(3), |probe| {
        outcome(probe.rate < 333.0 && !(probe.rate == 320.0 && probe.number == 1))
    });
    assert_eq!((search.capacity().held, search.capacity().broke), (Some(160.0), Some(340.0)));
}

#[test]
fn an_objective_that_holds_above_a_break_is_reported_and_widens_the_interval() {
    let search = run(spec(1), |probe| outcome(probe.rate < 1000.0 && probe.rate != 40.0));
    let capacity = search.capacity();
    assert_eq!(capacity.held, Some(20.0));
    assert!(capacity.broke.unwrap() > 1000.0);
    assert_eq!(capacity.contradictions.len(), 1);
    assert_eq!(capacity.contradictions[0].broke, 40.0);
    assert!(capacity.to_string().contains("broke at 40/s although it held at 9"), "{capacity}");
}

#[test]
fn a_late_generator_is_never_called_a_broken_server() {
    let search = run(spec(2), |probe| if probe.rate > 500.0 { invalid() } else { outcome(true) });
    let capacity = search.capacity();
    assert_eq!((capacity.held, capacity.broke), (Some(480.0), None));
    assert!(capacity.generator_limited());
    assert!(capacity.ceiling.unwrap() <= 480.0 * 1.1, "{capacity}");
    assert!(capacity.to_string().contains("this is its limit, not the server's"), "{capacity}");
    // A single late probe is repeated, and no limit.
    let mut late = 0;
    let search = run(spec(2), |probe| {
        late += u32::from(probe.rate == 80.0);
        if probe.rate == 80.0 && late == 1 { invalid() } else { outcome(probe.rate < 333.0) }
    });
    assert!(!search.capacity().generator_limited());
    assert_eq!((search.capacity().held, search.capacity().broke), (Some(320.0), Some(340.0)));
}

#[test]
fn a_ceiling_above_the_break_limits_nothing() {
    let search =
        run(
            spec(1),
            |probe| {
                if probe.rate > 1000.0 { invalid() } else { outcome(probe.rate < 333.0) }
            },
        );
    let capacity = search.capacity();
    assert!(!capacity.generator_limited(), "{capacity}");
    assert_eq!((capacity.held, capacity.broke), (Some(320.0), Some(340.0)));
}

#[test]
fn a_level_under_way_says_nothing() {
    let mut search = Search::new(spec(3)).unwrap();
    for _ in 0..4 {
        search.record(ProbeOutcome::Held);
    }
    let capacity = search.capacity();
    assert_eq!((capacity.held, capacity.broke, capacity.ceiling), (Some(10.0), None, None));
    assert!(capacity.to_string().ends_with("; the search was not finished"), "{capacity}");
    assert_eq!(
        Search::new(spec(3)).unwrap().capacity().to_string(),
        "no valid probe; the search was not finished"
    );
}

#[test]
fn nonsense_is_refused() {
    let with = |from, up_to, resolution, repeats| {
        Search::new(SearchSpec { from, up_to, resolution, repeats }).is_err()
    };
    assert!(with(0.0, 10.0, 0.1, 1) && with(f64::NAN, 10.0, 0.1, 1) && with(20.0, 10.0, 0.1, 1));
    assert!(with(1.0, f64::INFINITY, 0.1, 1) && with(1.0, 2.0, 0.0, 1) && with(1.0, 2.0, 0.1, 0));
    assert!(!with(10.0, 10.0, 1.0, 1));
}

/// A server whose objective holds with a probability that falls from 1 to 0
/// around `at`: 12 % above it still every fourth probe holds.
fn noisy(at: f64, random: &mut ChaCha12Rng, rate: f64) -> bool {
    let chance = 1.0 / (1.0 + ((rate / at).ln() / 0.1).exp());
    f64::from(random.next_u32()) / f64::from(u32::MAX) < chance
}

/// The truth is the rate that holds every other time. 500 searches, the same
/// every time.
#[test]
fn a_noisy_server_is_enclosed_nineteen_times_out_of_twenty() {
    for (repeats, wanted) in [(3, 95), (5, 98)] {
        let enclosed = (0..500u64).filter(|seed| {
            let mut random = ChaCha12Rng::seed_from_u64(*seed);
            let at = 50.0 + f64::from(random.next_u32() % 3_000);
            let capacity =
                run(spec(repeats), |probe| outcome(noisy(at, &mut random, probe.rate))).capacity();
            capacity.held.is_none_or(|held| held <= at)
                && capacity.broke.is_none_or(|broke| broke >= at)
        });
        let share = enclosed.count() / 5;
        assert!(share >= wanted, "{share} % with {repeats} repeats");
    }
}

proptest! {
    #[test]
    fn the_interval_encloses_a_sharp_threshold(
        from in 0.1f64..100.0, factor in 1.0f64..1e4, at in -0.2f64..1.2,
        resolution in 0.01f64..=1.0, repeats in 1u32..4,
    ) {
        let spec = SearchSpec { from, up_to: from * factor, resolution, repeats };
        let threshold = from * factor.powf(at);
        let search = run(spec, |probe| outcome(probe.rate <= threshold));
        let capacity = search.capacity();
        prop_assert!(capacity.held.is_none_or(|held| held <= threshold));
        prop_assert!(capacity.broke.is_none_or(|broke| broke > threshold));
        prop_assert_eq!(capacity.held.is_none(), threshold < from);
        prop_assert_eq!(capacity.broke.is_none(), threshold >= spec.up_to);
        if let (Some(held), Some(broke)) = (capacity.held, capacity.broke) {
            prop_assert!(broke - held <= resolution * held);
        }
        prop_assert!(capacity.contradictions.is_empty() && capacity.split.is_empty());
        prop_assert!(search.probed().len() <= search.planned_probes() as usize);
    }

    /// Once overloaded, the server holds less than before.
    #[test]
    fn what_a_server_holds_after_overload_is_what_is_found(
        fresh in 20.0f64..4_000.0, share in 0.2f64..1.0, repeats in 1u32..4,
    ) {
        let tired = (fresh * share).max(10.0);
        let mut overloaded = false;
        let search = run(spec(repeats), |probe| {
            let held = probe.rate <= if overloaded { tired } else { fresh };
            overloaded |= !held;
            outcome(held)
        });
        let capacity = search.capacity();
        prop_assert!(capacity.held.is_none_or(|held| held <= tired), "{capacity} of {tired}");
        prop_assert!(capacity.broke.is_some_and(|broke| broke > tired), "{capacity} of {tired}");
        // A level that held and does not any more was noticed.
        let first_held = search.probed().iter().filter(|p| p.outcome == ProbeOutcome::Held);
        if first_held.map(|p| p.probe.rate).fold(0.0, f64::max) > tired {
            prop_assert!(!capacity.contradictions.is_empty() || !capacity.split.is_empty());
        }
    }

    #[test]
    fn a_ceiling_of_the_generator_is_told_from_the_servers(
        threshold in 20.0f64..4_000.0, ceiling in 20.0f64..4_000.0,
    ) {
        let capacity = run(spec(2), |probe| match probe.rate {
            rate if rate > ceiling => invalid(),
            rate => outcome(rate <= threshold),
        }).capacity();
        prop_assert!(capacity.held.is_some_and(|held| held <= threshold.min(ceiling)));
        prop_assert!(capacity.broke.is_none_or(|broke| broke > threshold && broke <= ceiling));
        prop_assert!(capacity.broke.is_some() || capacity.generator_limited());
        prop_assert!(capacity.ceiling.is_none_or(|limit| limit > ceiling));
    }

    /// Whatever comes back: it ends, repeats are never skipped, and probes have
    /// names of their own.
    #[test]
    fn any_answers_at_all_are_survived(seed: u64, repeats in 1u32..5, weights in (0u32..4, 0u32..4, 0u32..4)) {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let (held, broken, late) = (weights.0 + 1, weights.1, weights.2);
        let search = run(spec(repeats), |_| match random.next_u32() % (held + broken + late) {
            n if n < held => ProbeOutcome::Held,
            n if n < held + broken => broke(),
            _ => invalid(),
        });
        let mut names = std::collections::HashSet::new();
        for p in search.probed() {
            prop_assert!(names.insert((p.probe.rate.to_bits(), p.probe.number)));
            let pass = search.probed().iter()
                .filter(|q| q.probe.rate == p.probe.rate && q.probe.purpose == p.probe.purpose);
            let (late, valid): (Vec<_>, Vec<_>) =
                pass.partition(|q| matches!(q.outcome, ProbeOutcome::Invalid { .. }));
            let (late, valid, repeats) = (late.len(), valid.len(), repeats as usize);
            prop_assert!(valid == repeats || late == repeats + 1 && valid < repeats);
        }
        let capacity = search.capacity();
        if let (Some(held), Some(broke)) = (capacity.held, capacity.broke) {
            prop_assert!(held < broke);
        }
    }
}

//! A search, from its record and its ledgers to its verdict.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use kab_evidence::capacity::ProbeResult;
use kab_evidence::ledger::Outcome;
use kab_evidence::record::Verdict;
use kab_verdict::objective::{Objective, Said};
use kab_verdict::{Judged, Nanos, StepMeasurements, judge_claims};
use support::search::{BROKE, HELD, HOLD, SLOW, search};
use support::{PLAIN, Parts, Synthetic, claim};

fn judged(run: &Synthetic, confirmed: &str, refuted: &str) -> Judged {
    let dir = tempfile::tempdir().unwrap();
    judge_claims(&run.save(dir.path()), &[claim(confirmed, refuted)]).unwrap()
}

#[test]
fn a_claim_reads_what_the_search_found() {
    let run = search(&[HELD, BROKE]);
    let claims = ["creates.capacity.held >= 40.0", "creates.capacity.broke <= 40.0"];
    let result = judged(&run, claims[0], claims[1]);
    assert!(result.record.cells[0].validity.is_valid(), "{:?}", result.record.cells[0].validity);
    assert_eq!(result.record.verdicts[0].verdict, Verdict::Confirmed);
    let capacity = result.cells[0].step("creates").unwrap().capacity.clone().unwrap();
    assert_eq!(capacity.figure.as_deref(), Some("response.p99"));
    // The warm-up was slow, and does not count.
    let millis: Vec<_> =
        capacity.values.iter().map(|v| v.unwrap_or(Nanos(-1)).0 / 1_000_000).collect();
    assert_eq!(millis, [6, 302]);
    assert_eq!(result.cells[0].step("creates@40#1").unwrap().ops.as_ref().unwrap().recorded, 100);

    let refuted = judged(&run, "creates.capacity.held >= 80.0", "creates.capacity.broke <= 80.0");
    assert_eq!(refuted.record.verdicts[0].verdict, Verdict::Refuted);
    let between = judged(&run, "creates.capacity.held >= 60.0", "creates.capacity.broke <= 60.0");
    assert_eq!(between.record.verdicts[0].verdict, Verdict::Inconclusive);
}

#[test]
fn a_probe_whose_evidence_says_otherwise_invalidates() {
    let lie = (80.0, ProbeResult::Held, SLOW, Outcome::Ok);
    let result =
        judged(&search(&[HELD, lie]), "creates.capacity.held > 1.0", "creates.capacity.held < 1.0");
    assert_eq!(result.record.verdicts[0].verdict, Verdict::Inconclusive);
    let doubts = result.record.cells[0].validity.invalid_because.join(" ");
    assert!(
        doubts
            .contains("Probe creates@80#2 was recorded as held, but by its evidence it is broken"),
        "{doubts}"
    );
}

#[test]
fn evidence_that_is_gone_invalidates() {
    let mut run = search(&[HELD, BROKE]);
    run.ops.pop();
    let result = judged(&run, "creates.capacity.held > 1.0", "creates.capacity.held < 1.0");
    let doubts = result.record.cells[0].validity.invalid_because.join(" ");
    assert!(doubts.contains("the ledger holds 99 of 100"), "{doubts}");

    run.ops.retain(|op| op.step == "creates@40#1");
    let result = judged(&run, "creates.capacity.held > 1.0", "creates.capacity.held < 1.0");
    assert!(!result.record.cells[0].validity.is_valid());

    run.step_mut("creates").results.clear();
    let result = judged(&run, "creates.capacity.held > 1.0", "creates.capacity.held < 1.0");
    let doubts = result.record.cells[0].validity.invalid_because.join(" ");
    assert!(doubts.contains("does not say what it found"), "{doubts}");
}

/// 100 operations that count, 40 a second.
fn probe(parts: Parts, outcome: Outcome) -> StepMeasurements {
    let run = search(&[(40.0, ProbeResult::Held, parts, outcome)]);
    judged(&run, "true", "false").cells[0].step("creates@40#1").unwrap().clone()
}

fn ask(hold: &str, probe: &StepMeasurements) -> Said {
    Objective::new(hold, Duration::from_millis(10)).unwrap().ask(probe)
}

#[test]
fn an_objective_holds_or_breaks_with_its_values() {
    assert_eq!(ask(HOLD, &probe(PLAIN, Outcome::Ok)), Said::Held);
    let Said::Broke(why) = ask(HOLD, &probe(SLOW, Outcome::Ok)) else { panic!() };
    assert_eq!(why, "ops.failed = 0, response.p99 = 302 ms");
    let Said::Broke(why) = ask(HOLD, &probe(PLAIN, Outcome::Failed)) else { panic!() };
    assert!(why.starts_with("ops.failed = 100"), "{why}");
}

#[test]
fn a_load_that_was_thinned_never_holds() {
    let Said::Broke(why) = ask("ops.failed == 0", &probe(PLAIN, Outcome::Missed)) else { panic!() };
    assert!(why.starts_with("100 of 100 operations were not sent"), "{why}");
}

#[test]
fn a_generator_that_was_late_or_slow_says_nothing_of_the_server() {
    let late = probe(Parts { queue: 10_500, ..PLAIN }, Outcome::Ok);
    let Said::Invalid(why) = ask("ops.failed > 0", &late) else { panic!() };
    assert!(why.starts_with("the generator was late by 10.5 ms"), "{why}");
    assert_eq!(ask(HOLD, &probe(Parts { queue: 9_500, ..PLAIN }, Outcome::Ok)), Said::Held);
    let mut slow = probe(PLAIN, Outcome::Ok);
    slow.rate.as_mut().unwrap().achieved = 39.0;
    let Said::Invalid(why) = ask(HOLD, &slow) else { panic!() };
    assert!(why.contains("97.5 % of the rate"), "{why}");
}

#[test]
fn an_objective_without_data_says_nothing() {
    let thin = StepMeasurements { response: Default::default(), ..probe(PLAIN, Outcome::Ok) };
    let Said::Invalid(why) = ask(HOLD, &thin) else { panic!() };
    assert_eq!(why, "no data for response.p99");
    let Said::Invalid(why) = ask("true", &probe(PLAIN, Outcome::Ok)) else { panic!() };
    assert!(why.contains("nothing that was measured"), "{why}");
    let mut unwritten = probe(PLAIN, Outcome::Ok);
    unwritten.ops.as_mut().unwrap().recorded = 90;
    assert!(matches!(ask(HOLD, &unwritten), Said::Invalid(_)));
    assert!(Objective::new("a b", Duration::ZERO).is_err());
}

//! Answers that are refusals, and answers that never come: exactly counted, and
//! never dropped from the percentiles.

use kab_evidence::calibration::Finding;
use kab_verdict::value::grouped;

use super::{Asked, Case};
use crate::observed::Observed;

/// Every `nth` request was refused by `status`.
pub fn refusals(asked: &Asked, observed: &Observed, nth: u64, status: u16) -> Finding {
    let all = asked.due.len() as u64;
    let wanted = all / nth;
    let class = format!("http-{status}");
    let counted = observed.measured.classes.get(&class).copied().unwrap_or(0);
    let given = observed.seen.iter().filter(|seen| seen.status == Some(status)).count() as u64;
    let response = &observed.measured.response;
    let mut case = Case {
        truth: format!("{} refused, all of them in the percentiles", grouped(wanted)),
        observed: format!(
            "{} are {class}; the server gave {}; response times of {}, of {} ok",
            grouped(counted),
            grouped(given),
            grouped(response.all.count),
            grouped(response.ok.count)
        ),
        tolerance: "none".to_owned(),
        ..Case::default()
    };
    case.wrong(given != wanted, || "the server did not keep to its script".to_owned());
    case.wrong(counted != wanted, || format!("{} were counted", grouped(counted)));
    let (dropped, mistaken) = (response.all.count != all, response.ok.count != all - wanted);
    case.wrong(dropped, || "some are missing from the percentiles".to_owned());
    case.wrong(mistaken, || "the percentiles of good answers are over others".to_owned());
    let failed = observed.measured.ops.as_ref().map_or(0, |ops| ops.failed + ops.indeterminate);
    case.wrong(failed != wanted, || format!("{} count as not done", grouped(failed)));
    case.conclude("refusals", &asked.set, &observed.machine)
}

/// The connection of every `nth` request was reset after it had been read.
pub fn resets(asked: &Asked, observed: &Observed, nth: u64) -> Finding {
    let wanted = asked.due.len() as u64 / nth;
    let ops = observed.measured.ops.clone().unwrap_or_default();
    let given = observed.seen.iter().filter(|seen| seen.status.is_none()).count() as u64;
    let mut case = Case {
        truth: format!("{} indeterminate, none failed", grouped(wanted)),
        observed: format!(
            "{} indeterminate, {} failed, {} missed; the server reset {}",
            grouped(ops.indeterminate),
            grouped(ops.failed),
            grouped(ops.missed),
            grouped(given)
        ),
        tolerance: "none".to_owned(),
        ..Case::default()
    };
    case.wrong(given != wanted, || "the server did not keep to its script".to_owned());
    case.wrong(ops.indeterminate != wanted, || {
        format!("{} count as indeterminate", grouped(ops.indeterminate))
    });
    case.wrong(ops.failed > 0, || {
        format!(
            "{} count as certainly not applied, though the server read them",
            grouped(ops.failed)
        )
    });
    case.conclude("resets", &asked.set, &observed.machine)
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::Status;
    use kab_evidence::ledger::Outcome;

    use super::super::synthetic::Engine;
    use super::*;

    /// Every tenth refused, or reset.
    fn engine(outcome: Outcome, class: &str, status: Option<u16>) -> Engine {
        let mut engine = Engine::flawless();
        for i in (9..1000).step_by(10) {
            engine.ledger[i].outcome = outcome;
            engine.ledger[i].class = class.to_owned();
            engine.seen[i].status = status;
        }
        engine
    }

    #[test]
    fn exact_refusals_pass_and_others_fail() {
        let status =
            |engine: &Engine| refusals(&engine.asked(), &engine.observed(), 10, 429).status;
        let good = || engine(Outcome::Failed, "http-429", Some(429));
        assert_eq!(status(&good()), Status::Pass);
        let mut one_more = good();
        one_more.ledger[0].class = "http-429".into();
        assert_eq!(status(&one_more), Status::Fail);
        // As an engine does that leaves failures out.
        let mut dropped = good();
        dropped.ledger.retain(|record| record.outcome == Outcome::Ok);
        assert_eq!(status(&dropped), Status::Fail);
        // As a client does that retries by itself.
        let mut retried = good();
        for record in &mut retried.ledger {
            record.outcome = Outcome::Ok;
            record.class = "http-201".into();
        }
        assert_eq!(status(&retried), Status::Fail);
        assert_eq!(status(&Engine::flawless()), Status::Fail, "the server did not refuse");
    }

    #[test]
    fn exact_resets_pass_and_others_fail() {
        let status = |engine: &Engine| resets(&engine.asked(), &engine.observed(), 10).status;
        let good = || engine(Outcome::Indeterminate, "connection-lost", None);
        assert_eq!(status(&good()), Status::Pass);
        // As an engine does that takes a reset for a refusal.
        assert_eq!(status(&engine(Outcome::Failed, "connection-lost", None)), Status::Fail);
        let mut one_less = good();
        one_less.ledger[9].outcome = Outcome::Ok;
        assert_eq!(status(&one_less), Status::Fail);
        assert_eq!(status(&Engine::flawless()), Status::Fail, "the server did not reset");
    }
}

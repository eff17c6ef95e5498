//! The server is gone: what is sent to nobody has certainly not been applied.

use kab_evidence::calibration::Finding;
use kab_evidence::ledger::Outcome;
use kab_verdict::value::grouped;

use super::standstill::Standstill;
use super::{Asked, Case, LATENESS_LIMIT};
use crate::observed::Observed;

/// Connections were cut at `down.at` and refused until it was over.
pub fn gone(asked: &Asked, observed: &Observed, down: Standstill) -> Finding {
    let (from, until) = (down.at, down.at + down.lasts);
    let wanted = asked.count(|due| due >= from && due < until);
    // The server goes and comes within this of the instant that it should.
    let edge = LATENESS_LIMIT * 5;
    let beside = asked.count(|due| due + edge >= from && due <= from + edge)
        + asked.count(|due| due + edge >= until && due <= until + edge);
    let (mut inside, mut outside, mut doubtful) = (0_u64, 0_u64, 0_u64);
    for record in &observed.ledger {
        let due = record.intended.since(asked.start);
        let surely_in = due >= from + edge && due + edge < until;
        let surely_out = due + edge < from || due >= until + edge;
        inside += u64::from(surely_in && record.outcome != Outcome::Failed);
        outside += u64::from(surely_out && record.outcome != Outcome::Ok);
        doubtful += u64::from(record.outcome == Outcome::Indeterminate);
    }
    let ops = observed.measured.ops.clone().unwrap_or_default();
    let mut case = Case {
        truth: format!("{} failed, certainly not applied", grouped(wanted)),
        observed: format!(
            "{} failed, {} indeterminate, {} missed",
            grouped(ops.failed),
            grouped(ops.indeterminate),
            grouped(ops.missed)
        ),
        tolerance: format!("{}: those due within 5 ms of its going and coming", grouped(beside)),
        ..Case::default()
    };
    case.wrong(wanted == 0, || "nothing was due meanwhile".to_owned());
    case.wrong(inside > 0, || {
        format!("{} did not fail though there was no server", grouped(inside))
    });
    case.late(outside > 0, || format!("{} failed though there was one", grouped(outside)));
    case.wrong(doubtful > beside, || {
        format!("{} are said to be in doubt, though nobody can have seen them", grouped(doubtful))
    });
    case.wrong(ops.failed + beside < wanted, || "too few failed".to_owned());
    case.late(ops.failed > wanted + beside, || "too many failed".to_owned());
    case.conclude("refused connections", &asked.set, &observed.machine)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kab_evidence::calibration::Status;

    use super::super::synthetic::Engine;
    use super::*;

    const DOWN: Standstill =
        Standstill { at: Duration::from_millis(400), lasts: Duration::from_millis(200) };

    fn engine(outcome: Outcome) -> Engine {
        let mut engine = Engine::flawless();
        for record in &mut engine.ledger[400..600] {
            record.outcome = outcome;
        }
        engine
    }

    #[test]
    fn certain_failures_pass_and_doubts_fail() {
        let status = |engine: &Engine| gone(&engine.asked(), &engine.observed(), DOWN).status;
        assert_eq!(status(&engine(Outcome::Failed)), Status::Pass);
        assert_eq!(status(&engine(Outcome::Indeterminate)), Status::Fail);
        assert_eq!(status(&engine(Outcome::Ok)), Status::Fail);
        assert_eq!(status(&engine(Outcome::Missed)), Status::Fail);
        let mut elsewhere = engine(Outcome::Failed);
        elsewhere.ledger[100].outcome = Outcome::Failed;
        assert_eq!(status(&elsewhere), Status::Fail);
    }
}

//! The server is gone: what is sent to nobody has certainly not been applied.

use kab_evidence::calibration::Finding;
use kab_evidence::ledger::Outcome;
use kab_verdict::value::grouped;

use super::envelope::SLACK;
use super::{Asked, Case, text};
use crate::observed::Observed;
use crate::server::evidence::Absence;

/// Connections were cut, and refused for a while. When, the server itself says:
/// on a busy machine it goes and comes later than it should.
pub fn gone(asked: &Asked, observed: &Observed) -> Finding {
    let mut case = Case {
        tolerance: format!(
            "what was under way when it went, and what was sent within {} after it came back, may \
             end either way",
            text(SLACK)
        ),
        ..Case::default()
    };
    match observed.absences.as_slice() {
        [absence] => hold(&mut case, observed, *absence),
        others => {
            case.wrong(true, || format!("the server was gone {} times, not once", others.len()));
        }
    }
    let ops = observed.measured.ops.clone().unwrap_or_default();
    case.observed = format!(
        "{} failed, {} indeterminate, {} missed",
        grouped(ops.failed),
        grouped(ops.indeterminate),
        grouped(ops.missed)
    );
    case.conclude("refused connections", &asked.set, &observed.machine)
}

fn hold(case: &mut Case, observed: &Observed, absence: Absence) {
    let Absence { left, closed, back } = absence;
    let (mut meanwhile, mut otherwise, mut unsent, mut either) = (0_u64, 0_u64, 0_u64, 0_u64);
    let (mut not_failed, mut not_ok) = (0_u64, 0_u64);
    for record in &observed.ledger {
        let Some(sent) = record.sent else {
            unsent += 1;
            continue;
        };
        if sent >= closed && sent < back {
            // Some may still be waiting for a connection when it comes back.
            let outlasted = record.done.is_none_or(|done| done >= back);
            meanwhile += u64::from(!outlasted);
            either += u64::from(outlasted);
            not_failed += u64::from(!outlasted && record.outcome != Outcome::Failed);
        } else if record.done.is_some_and(|done| done < left) || sent >= back.plus(SLACK) {
            otherwise += 1;
            not_ok += u64::from(record.outcome != Outcome::Ok);
        } else {
            either += 1;
        }
    }
    case.truth = format!(
        "{} failed, certainly not applied; {} ok; {either} either",
        grouped(meanwhile),
        grouped(otherwise)
    );
    case.wrong(meanwhile == 0 || otherwise == 0, || {
        "nothing was sent while it was gone, or nothing while it was there".to_owned()
    });
    case.wrong(unsent > 0, || format!("{} were not even tried", grouped(unsent)));
    case.wrong(not_failed > 0, || {
        format!("{} did not fail, or are in doubt, though nobody was there", grouped(not_failed))
    });
    case.wrong(not_ok > 0, || format!("{} failed though it was there", grouped(not_ok)));
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::Status;

    use super::super::synthetic::{Engine, ms};
    use super::*;

    /// From operation 400 to 600 nobody is there.
    fn engine(outcome: Outcome) -> Engine {
        let mut engine = Engine::flawless();
        for record in &mut engine.ledger[400..600] {
            record.outcome = outcome;
        }
        let at = |n| engine.start.plus(ms(n));
        engine.absences = vec![Absence { left: at(399), closed: at(400), back: at(600) }];
        engine
    }

    fn status(engine: &Engine) -> Status {
        gone(&engine.asked(), &engine.observed()).status
    }

    #[test]
    fn certain_failures_pass_and_doubts_fail() {
        assert_eq!(status(&engine(Outcome::Failed)), Status::Pass);
        assert_eq!(status(&engine(Outcome::Indeterminate)), Status::Fail);
        assert_eq!(status(&engine(Outcome::Ok)), Status::Fail);
        let mut missed = engine(Outcome::Missed);
        for record in &mut missed.ledger[400..600] {
            (record.sent, record.done) = (None, None);
        }
        assert_eq!(status(&missed), Status::Fail);
    }

    #[test]
    fn failures_while_it_is_there_fail() {
        for elsewhere in [100, 700] {
            let mut engine = engine(Outcome::Failed);
            engine.ledger[elsewhere].outcome = Outcome::Failed;
            assert_eq!(status(&engine), Status::Fail);
        }
    }

    #[test]
    fn what_was_under_way_may_be_in_doubt() {
        let mut engine = engine(Outcome::Failed);
        engine.ledger[399].outcome = Outcome::Indeterminate;
        assert_eq!(status(&engine), Status::Pass);
    }

    #[test]
    fn a_server_that_never_went_fails() {
        let mut engine = engine(Outcome::Failed);
        engine.absences.clear();
        assert_eq!(status(&engine), Status::Fail);
    }
}

//! Completeness: every operation of the schedule is in the ledger, when it was
//! due, and whatever was sent reached the server exactly once.

use std::collections::HashMap;

use kab_evidence::calibration::Finding;
use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_evidence::ledger::{OpRecord, Outcome};
use kab_verdict::value::grouped;

use super::{Asked, Case};
use crate::observed::Observed;

/// Nothing is skipped, thinned, moved, doubled or lost.
pub fn complete(asked: &Asked, observed: &Observed) -> Finding {
    let Observed { ledger, seen, measured, .. } = observed;
    let wanted = asked.due.len() as u64;
    let mut case = Case {
        truth: format!("{} operations, each in the ledger once and seen once", grouped(wanted)),
        observed: format!(
            "{} in the ledger, {} requests seen by the server",
            grouped(ledger.len() as u64),
            grouped(seen.len() as u64)
        ),
        tolerance: "none".to_owned(),
        ..Case::default()
    };
    let recorded = measured.ops.as_ref().map_or(0, |ops| ops.recorded);
    case.wrong(recorded != wanted || wanted == 0, || {
        format!("the report counts {} operations", grouped(recorded))
    });
    case.wrong(ledger.len() as u64 != wanted, || {
        format!("the ledger has {} lines", grouped(ledger.len() as u64))
    });
    let moved = moved(asked, ledger);
    case.wrong(moved > 0, || format!("{} were not due when they should be", grouped(moved)));

    let mut lines: HashMap<OpId, (&OpRecord, u64)> = HashMap::new();
    let mut doubled = 0_u64;
    for record in ledger {
        doubled += u64::from(lines.insert(record.op, (record, 0)).is_some());
    }
    case.wrong(doubled > 0, || format!("{} are in the ledger twice", grouped(doubled)));
    let mut unknown = 0_u64;
    for request in seen {
        match request.op.and_then(|op| lines.get_mut(&op)) {
            Some((_, times)) => *times += 1,
            None => unknown += 1,
        }
    }
    case.wrong(unknown > 0, || {
        format!("the server saw {} that the ledger does not know", grouped(unknown))
    });
    let count = |which: &dyn Fn(&OpRecord, u64) -> bool| {
        lines.values().filter(|(record, times)| which(record, *times)).count() as u64
    };
    let again = count(&|_, times| times > 1);
    case.wrong(again > 0, || format!("the server saw {} more than once", grouped(again)));
    let unseen = count(&|record, times| times == 0 && must_be_seen(record));
    case.wrong(unseen > 0, || {
        format!("the server never saw {} that were acknowledged or in doubt", grouped(unseen))
    });
    let unsent = count(&|record, times| times > 0 && record.sent.is_none());
    case.wrong(unsent > 0, || {
        format!("the server saw {} that the ledger says were never sent", grouped(unsent))
    });
    case.conclude("completeness", &asked.set, &observed.machine)
}

/// How many due instants of the ledger are not those of the schedule, to the
/// nanosecond that rounding may cost.
fn moved(asked: &Asked, ledger: &[OpRecord]) -> u64 {
    let mut intended: Vec<Mono> = ledger.iter().map(|record| record.intended).collect();
    intended.sort_unstable();
    let pairs = intended.iter().zip(&asked.due);
    pairs.filter(|(is, due)| is.nanos().abs_diff(due.nanos()) > 1).count() as u64
}

/// Against this server, which answers or resets everything that reaches it.
fn must_be_seen(record: &OpRecord) -> bool {
    matches!(record.outcome, Outcome::Ok | Outcome::Indeterminate)
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::Status;

    use super::super::synthetic::{Engine, ms};
    use super::*;

    fn status(engine: &Engine) -> Status {
        complete(&engine.asked(), &engine.observed()).status
    }

    #[test]
    fn a_whole_ledger_passes() {
        assert_eq!(status(&Engine::flawless()), Status::Pass);
    }

    #[test]
    fn a_thinned_schedule_fails() {
        let mut engine = Engine::flawless();
        // As a generator does that skips what it is late for.
        engine.ledger.truncate(700);
        engine.seen.truncate(700);
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn a_lost_line_fails() {
        let mut engine = Engine::flawless();
        engine.ledger.remove(17);
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn a_moved_schedule_fails() {
        let mut engine = Engine::flawless();
        engine.ledger[500].intended = engine.ledger[500].intended.plus(ms(1));
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn a_hidden_retry_fails() {
        let mut engine = Engine::flawless();
        let again = engine.seen[3].clone();
        engine.seen.push(again);
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn an_acknowledgement_that_the_server_never_gave_fails() {
        let mut engine = Engine::flawless();
        engine.seen.remove(3);
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn a_doubled_line_fails() {
        let mut engine = Engine::flawless();
        engine.ledger[9] = engine.ledger[8].clone();
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn nothing_is_not_complete() {
        let mut engine = Engine::flawless();
        engine.ledger.clear();
        engine.seen.clear();
        engine.due.clear();
        assert_eq!(status(&engine), Status::Fail);
    }
}

//! One clock: what the server saw lies between what the engine saw.

use std::collections::HashMap;

use kab_evidence::calibration::Finding;
use kab_evidence::id::OpId;
use kab_verdict::value::grouped;

use super::{Asked, Case};
use crate::observed::Observed;
use crate::server::evidence::Seen;

/// Of every operation that the server saw: sent, received, answered, done, in
/// this order.
pub fn one_clock(asked: &Asked, observed: &Observed) -> Finding {
    let seen: HashMap<OpId, &Seen> =
        observed.seen.iter().filter_map(|seen| Some((seen.op?, seen))).collect();
    let (mut compared, mut contradicted) = (0_u64, 0_u64);
    for record in &observed.ledger {
        let (Some(sent), Some(done), Some(seen)) = (record.sent, record.done, seen.get(&record.op))
        else {
            continue;
        };
        compared += 1;
        let answered = seen.answered.unwrap_or(seen.received);
        let in_order = sent <= seen.received && seen.received <= answered && answered <= done;
        contradicted += u64::from(!in_order);
    }
    let mut case = Case {
        truth: "sent <= received <= answered <= done, for each operation".to_owned(),
        observed: format!("{} of {} contradict it", grouped(contradicted), grouped(compared)),
        tolerance: "none: both processes read CLOCK_MONOTONIC".to_owned(),
        ..Case::default()
    };
    case.wrong(compared == 0, || "no operation is known to both sides".to_owned());
    case.wrong(contradicted > 0, || format!("{} are not in this order", grouped(contradicted)));
    case.conclude("one clock", &asked.set, &observed.machine)
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::Status;
    use kab_evidence::clock::Mono;

    use super::super::synthetic::Engine;
    use super::*;

    fn status(engine: &Engine) -> Status {
        one_clock(&engine.asked(), &engine.observed()).status
    }

    #[test]
    fn instants_in_order_pass() {
        assert_eq!(status(&Engine::flawless()), Status::Pass);
    }

    #[test]
    fn a_clock_that_differs_fails() {
        let mut engine = Engine::flawless();
        // An engine on another clock: all its times are a second ahead.
        for record in &mut engine.ledger {
            let ahead = |at: Mono| Mono::from_nanos(at.nanos() + 1_000_000_000);
            record.sent = record.sent.map(ahead);
            record.done = record.done.map(ahead);
        }
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn one_receipt_before_the_sending_fails() {
        let mut engine = Engine::flawless();
        engine.seen[4].received = Mono::from_nanos(engine.ledger[4].intended.nanos() - 1);
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn nothing_in_common_fails() {
        let mut engine = Engine::flawless();
        engine.seen.clear();
        assert_eq!(status(&engine), Status::Fail);
    }
}

//! The bound on operations in flight: beyond it they are missed, and counted.

use kab_evidence::calibration::Finding;
use kab_evidence::ledger::Outcome;
use kab_verdict::value::grouped;

use super::standstill::Standstill;
use super::{Asked, Case, LATENESS_LIMIT};
use crate::observed::Observed;

/// While the server stands still, as many operations are in flight as may be,
/// and all others that are due are missed.
pub fn in_flight_bound(
    asked: &Asked,
    observed: &Observed,
    bound: u64,
    stall: Standstill,
) -> Finding {
    let (from, until) = (stall.at, stall.at + stall.lasts);
    let due = asked.count(|due| due >= from && due < until);
    let wanted = due.saturating_sub(bound);
    // Due within this of either end, an operation may be on either side of it.
    let edge = asked.count(|due| due + LATENESS_LIMIT >= from && due <= from + LATENESS_LIMIT)
        + asked.count(|due| due + LATENESS_LIMIT >= until && due <= until + LATENESS_LIMIT);
    let ops = observed.measured.ops.clone().unwrap_or_default();
    let peak = peak(observed);
    let mut case = Case {
        truth: format!(
            "{} due in the stall, {} in flight, {} missed",
            grouped(due),
            grouped(bound),
            grouped(wanted)
        ),
        observed: format!("{} missed, at most {} in flight", grouped(ops.missed), grouped(peak)),
        tolerance: format!("{edge}: those due within 1 ms of an end of the stall"),
        ..Case::default()
    };
    case.wrong(wanted == 0, || "the stall is too short to miss anything".to_owned());
    case.wrong(peak > bound, || format!("{} were in flight at once", grouped(peak)));
    case.wrong(ops.missed + edge < wanted, || {
        format!("{} fewer are missed", grouped(wanted - ops.missed))
    });
    case.late(ops.missed > wanted + edge, || {
        format!("{} more are missed", grouped(ops.missed - wanted))
    });
    let dropped = ops.scheduled != Some(ops.recorded);
    case.wrong(dropped, || "the ledger and the schedule differ".to_owned());
    let sent = |record: &&kab_evidence::ledger::OpRecord| {
        record.outcome == Outcome::Missed && record.sent.is_some()
    };
    let sent = observed.ledger.iter().filter(sent).count();
    case.wrong(sent > 0, || format!("{sent} count as missed though they were sent"));
    case.conclude("in-flight bound", &asked.set, &observed.machine)
}

/// Most operations that were sent and not done, at any instant.
fn peak(observed: &Observed) -> u64 {
    let mut changes: Vec<(u64, i64)> = Vec::new();
    for record in &observed.ledger {
        if let (Some(sent), Some(done)) = (record.sent, record.done) {
            changes.extend([(sent.nanos(), 1), (done.nanos(), -1)]);
        }
    }
    // At one instant what ends makes room for what begins.
    changes.sort_unstable();
    let (mut now, mut peak) = (0_i64, 0_i64);
    for (_, change) in changes {
        now += change;
        peak = peak.max(now);
    }
    u64::try_from(peak).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kab_evidence::calibration::Status;

    use super::super::synthetic::{Engine, ms};
    use super::*;

    const STALL: Standstill =
        Standstill { at: Duration::from_secs(3), lasts: Duration::from_secs(2) };

    /// 100/s for 10 s; of the 200 due in the stall, those beyond `bound` are
    /// missed.
    fn bounded(bound: usize) -> Engine {
        let held = |due: Duration| due >= STALL.at && due < STALL.at + STALL.lasts;
        let end = STALL.at + STALL.lasts;
        let mut engine =
            Engine::answering(100, 1000, |due| if held(due) { end } else { due + ms(1) });
        for record in &mut engine.ledger[300 + bound..500] {
            record.outcome = Outcome::Missed;
            (record.sent, record.done) = (None, None);
        }
        engine
    }

    #[test]
    fn the_exact_number_passes_and_another_fails() {
        let status = |engine: &Engine| {
            in_flight_bound(&engine.asked(), &engine.observed(), 50, STALL).status
        };
        assert_eq!(status(&bounded(50)), Status::Pass);
        assert_eq!(status(&bounded(40)), Status::Fail, "too many missed");
        assert_eq!(status(&bounded(60)), Status::Fail, "too few missed");
        assert_eq!(status(&bounded(200)), Status::Fail, "no bound at all");
        let mut dropped = bounded(50);
        dropped.ledger.retain(|record| record.outcome != Outcome::Missed);
        assert_eq!(status(&dropped), Status::Fail, "missed, and not written down");
    }
}

//! Pace: the rate that was asked for, each operation in its time.

use kab_evidence::calibration::Finding;
use kab_verdict::Nanos;
use kab_verdict::value::grouped;

use super::{Asked, Case, LATENESS_LIMIT, count, signed, text, text_or_none};
use crate::observed::Observed;

/// How much the achieved rate may differ from the one asked for.
const RATE_TOLERANCE: f64 = 0.001;

/// The achieved rate is the one asked for.
pub fn achieved_rate(asked: &Asked, observed: &Observed) -> Finding {
    let span = match (asked.due.first(), asked.due.last()) {
        (Some(first), Some(last)) => last.since(*first).as_secs_f64(),
        _ => 0.0,
    };
    let wanted = count(asked.due.len().saturating_sub(1) as u64) / span.max(f64::MIN_POSITIVE);
    let achieved = observed.measured.rate.map(|rate| rate.achieved);
    let mut case = Case {
        truth: format!("{wanted:.1}/s"),
        observed: achieved.map_or_else(|| "no data".to_owned(), |rate| format!("{rate:.1}/s")),
        tolerance: "0.1 %".to_owned(),
        ..Case::default()
    };
    case.wrong(achieved.is_none(), || "no rate was measured".to_owned());
    let off = achieved.map_or(0.0, |rate| rate / wanted - 1.0);
    case.wrong(off > RATE_TOLERANCE, || format!("it is {:.2} % too high", off * 100.0));
    case.late(off < -RATE_TOLERANCE, || format!("it is {:.2} % too low", off * -100.0));
    case.conclude("achieved rate", &asked.set, &observed.machine)
}

/// Operations are sent when they are due.
pub fn lateness(asked: &Asked, observed: &Observed) -> Finding {
    let late = &observed.measured.lateness;
    let mut case = Case {
        truth: "sent when due, never before".to_owned(),
        observed: format!(
            "late p50 {}, p99 {}, max {} of {}",
            text_or_none(late.p50),
            text_or_none(late.p99),
            text_or_none(late.max),
            grouped(late.count)
        ),
        tolerance: format!("p99 below {}", text(LATENESS_LIMIT)),
        ..Case::default()
    };
    case.wrong(late.p99.is_none(), || "too few operations were sent for a p99".to_owned());
    let early = |record: &&kab_evidence::ledger::OpRecord| {
        record.sent.is_some_and(|sent| sent < record.intended)
    };
    let early = observed.ledger.iter().filter(early).count() as u64;
    case.wrong(early > 0, || format!("{} were sent before they were due", grouped(early)));
    let limit = Nanos(signed(LATENESS_LIMIT));
    case.late(late.p99.is_some_and(|p99| p99 >= limit), || "p99 is too late".to_owned());
    case.conclude("lateness", &asked.set, &observed.machine)
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::Status;
    use kab_evidence::clock::Mono;

    use super::super::synthetic::{Engine, ms};
    use super::*;
    use crate::machine::MachineLoad;

    fn both(engine: &Engine) -> [Status; 2] {
        let (asked, observed) = (engine.asked(), engine.observed());
        [achieved_rate(&asked, &observed).status, lateness(&asked, &observed).status]
    }

    #[test]
    fn in_time_passes() {
        assert_eq!(both(&Engine::flawless()), [Status::Pass; 2]);
    }

    #[test]
    fn falling_behind_fails_and_on_a_busy_machine_is_invalid() {
        let mut engine = Engine::flawless();
        for (i, record) in engine.ledger.iter_mut().enumerate() {
            // A rate one percent too low.
            let late = ms(1) * u32::try_from(i).unwrap() / 100;
            record.sent = record.sent.map(|sent| sent.plus(late));
        }
        assert_eq!(both(&engine), [Status::Fail; 2]);
        engine.machine = MachineLoad::busy();
        assert_eq!(both(&engine), [Status::Invalid; 2]);
    }

    #[test]
    fn a_late_hundredth_fails_only_the_lateness() {
        let mut engine = Engine::flawless();
        for record in &mut engine.ledger[100..120] {
            record.sent = record.sent.map(|sent| sent.plus(ms(3)));
        }
        assert_eq!(both(&engine), [Status::Pass, Status::Fail]);
    }

    #[test]
    fn too_fast_and_too_early_fail_on_any_machine() {
        let mut engine = Engine { machine: MachineLoad::busy(), ..Engine::flawless() };
        engine.ledger[5].sent = Some(Mono::from_nanos(engine.ledger[5].intended.nanos() - 1));
        assert_eq!(both(&engine), [Status::Pass, Status::Fail]);
        let mut engine = Engine { machine: MachineLoad::busy(), ..Engine::flawless() };
        let start = engine.start;
        for record in &mut engine.ledger {
            let nanos = record.intended.since(start).as_nanos() * 99 / 100;
            record.intended =
                start.plus(std::time::Duration::from_nanos(nanos.try_into().unwrap()));
            record.sent = Some(record.intended);
        }
        assert_eq!(both(&engine)[0], Status::Fail);
    }

    #[test]
    fn no_data_is_no_pass() {
        let mut engine = Engine { machine: MachineLoad::busy(), ..Engine::flawless() };
        engine.ledger.clear();
        assert_eq!(both(&engine), [Status::Fail; 2]);
    }
}

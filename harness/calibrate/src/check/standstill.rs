//! The server stands still. Whoever waits for it waits for the rest of the
//! standstill: `end - due` for each operation that is due in it, a straight
//! line from its whole length down to nothing.

use std::time::Duration;

use kab_evidence::calibration::Finding;
use kab_verdict::value::{grouped, percent};

use super::envelope::{self, Bounds, LATE, SLACK};
use super::{Asked, Case, count, reading, text};
use crate::observed::Observed;

/// One standstill, counted from the start of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standstill {
    /// When it begins.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
}

impl Standstill {
    fn end(self) -> Duration {
        self.at + self.lasts
    }

    /// How long an operation that is due at `due` waits for it at least.
    fn wait(self, due: Duration) -> Duration {
        if due < self.at { Duration::ZERO } else { self.end().saturating_sub(due) }
    }

    /// The bounds of the response time of an operation that is due at `due`, if
    /// reading what was held up takes `reading`.
    fn bounds(self, due: Duration, reading: Duration) -> Bounds {
        let least = self.wait(due);
        // Late by a little, an operation that was due just before is caught too.
        let caught = due + SLACK >= self.at && due < self.end();
        let behind = due < self.end() + reading;
        let most = match (caught, behind) {
            (true, _) => self.end().saturating_sub(due) + reading + SLACK,
            (false, true) if due >= self.end() => reading + SLACK,
            _ => SLACK,
        };
        Bounds { least, most }
    }
}

/// One stall: as many responses are late as were due in it, not one.
pub fn stall(asked: &Asked, observed: &Observed, stall: Standstill) -> Finding {
    let held = asked.count(|due| due >= stall.at && due < stall.end());
    let reading = reading(held);
    let mut case = Case::default();
    envelope::hold(&mut case, asked, observed, |due| stall.bounds(due, reading));
    case.truth = format!("{} due in the stall: {}", grouped(held), case.truth);
    case.tolerance = tolerance(held, reading);
    case.conclude("stall", &asked.set, &observed.machine)
}

/// Pauses of `lasts`, every `every`, the first at `at`.
pub fn pauses(asked: &Asked, observed: &Observed, first: Standstill, every: Duration) -> Finding {
    let near = |due: Duration| {
        let since = due.saturating_sub(first.at);
        let k = since.as_nanos() / every.as_nanos().max(1);
        let before = every.saturating_mul(u32::try_from(k).unwrap_or(u32::MAX));
        [before, before + every].map(|after| Standstill { at: first.at + after, ..first })
    };
    let inside = |due| near(due).iter().any(|pause| !pause.wait(due).is_zero() && due >= pause.at);
    let held = asked.count(inside);
    let pauses = asked.due.len() as u64;
    let share = count(held) / count(pauses.max(1));
    let in_one = asked.count(|due| due >= first.at && due < first.end());
    let reading = reading(in_one);
    let mut case = Case::default();
    envelope::hold(&mut case, asked, observed, |due| {
        let [this, next] = near(due).map(|pause| pause.bounds(due, reading));
        Bounds { least: this.least.max(next.least), most: this.most.max(next.most) }
    });
    case.truth = format!("{} due in a pause ({}): {}", grouped(held), percent(share), case.truth);
    case.tolerance = tolerance(in_one, reading);
    case.conclude("pauses", &asked.set, &observed.machine)
}

fn tolerance(held: u64, reading: Duration) -> String {
    format!(
        "{} to be sent and answered; {} more to read {} answers that come at once, at the 10,000/s \
         that the engine must keep",
        text(SLACK),
        text(reading),
        grouped(held)
    )
}

/// Coordinated omission: what the open loop shows of a stall, and what a closed
/// loop of `users` would have hidden of the same.
pub fn omission(
    asked: &Asked,
    open: &Observed,
    closed: &Observed,
    users: u64,
    stall: Standstill,
) -> Finding {
    let must = asked.count(|due| stall.wait(due) > LATE);
    let (shown, kept) = (envelope::late(open), envelope::late(closed));
    let mut case = Case {
        truth: format!(
            "open loop: at least {} late responses; closed loop of {users}: {users}, one a user",
            grouped(must)
        ),
        observed: format!(
            "open loop: {}; closed loop: {} of {} (p99 {})",
            grouped(shown),
            grouped(kept),
            grouped(closed.ledger.len() as u64),
            super::text_or_none(closed.measured.response.all.p99)
        ),
        tolerance: format!(
            "late is over {}; the closed loop may show a hundredth of the open one's more",
            text(LATE)
        ),
        ..Case::default()
    };
    case.wrong(shown < must, || "the open loop hides what the stall held up".to_owned());
    case.wrong(kept < users, || "the closed loop did not meet the stall at all".to_owned());
    // Besides, a machine has hiccups of its own: but what is hidden stays far
    // below what was there.
    case.late(kept > users + shown / 100, || {
        "the closed loop shows more than its users can have met".to_owned()
    });
    case.conclude("coordinated omission", &asked.set, &open.machine)
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::Status;
    use kab_evidence::clock::Mono;

    use super::super::synthetic::{Engine, ms};
    use super::*;
    use crate::machine::MachineLoad;

    /// Of two seconds in the tests' ten seconds at 100/s.
    const STALL: Standstill =
        Standstill { at: Duration::from_secs(3), lasts: Duration::from_secs(2) };

    fn stalled() -> Engine {
        Engine::answering(100, 1000, |due| due + STALL.wait(due) + ms(1))
    }

    fn status(engine: &Engine) -> Status {
        stall(&engine.asked(), &engine.observed(), STALL).status
    }

    #[test]
    fn a_straight_line_of_late_responses_passes() {
        let engine = stalled();
        let finding = stall(&engine.asked(), &engine.observed(), STALL);
        assert_eq!(finding.status, Status::Pass, "{finding:?}");
        // 200 were due, of which the last was not held up for 10 ms.
        assert!(
            finding.truth.starts_with("200 due in the stall: 199 responses over"),
            "{finding:?}"
        );
    }

    #[test]
    fn service_time_in_place_of_response_time_fails_on_any_machine() {
        // As an engine does that starts its clock after the waiting.
        let mut engine = Engine { machine: MachineLoad::busy(), ..stalled() };
        for record in &mut engine.ledger {
            record.sent = record.done.map(|done| Mono::from_nanos(done.nanos() - 1_000_000));
            record.intended = record.sent.unwrap();
        }
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn one_late_response_in_place_of_two_hundred_fails() {
        let mut engine = stalled();
        for record in &mut engine.ledger[301..500] {
            record.done = Some(record.intended.plus(ms(1)));
        }
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn responses_left_out_fail() {
        let mut engine = stalled();
        engine.ledger.drain(350..450);
        assert_eq!(status(&engine), Status::Fail);
    }

    #[test]
    fn much_later_than_the_server_fails_and_on_a_busy_machine_is_invalid() {
        let slow = |due: Duration| due + STALL.wait(due) + ms(300);
        let mut engine = Engine::answering(100, 1000, slow);
        assert_eq!(status(&engine), Status::Fail);
        engine.machine = MachineLoad::busy();
        assert_eq!(status(&engine), Status::Invalid);
    }

    #[test]
    fn pauses_delay_their_share() {
        let first = Standstill { at: ms(100), lasts: ms(50) };
        let truth = |due: Duration| {
            let into = (due.saturating_sub(first.at)).as_millis() % 500;
            let held = due >= first.at && into < 50;
            due + if held { ms(50) - ms(1) * u32::try_from(into).unwrap() } else { ms(0) }
        };
        let engine = Engine::answering(1000, 5000, |due| truth(due) + ms(1));
        let finding = pauses(&engine.asked(), &engine.observed(), first, ms(500));
        assert_eq!(finding.status, Status::Pass, "{finding:?}");
        assert!(finding.truth.starts_with("500 due in a pause (10.0 %)"), "{finding:?}");
        // Whoever sends nothing while it waits sees one of each fifty.
        let omitting = Engine::answering(1000, 5000, |due| due + ms(1));
        let finding = pauses(&omitting.asked(), &omitting.observed(), first, ms(500));
        assert_eq!(finding.status, Status::Fail);
    }

    #[test]
    fn a_closed_loop_hides_what_an_open_one_shows() {
        let open = stalled();
        // One user, who sends the next when the last was answered.
        let closed = Engine::answering(100, 800, |due| {
            due + if due == STALL.at { STALL.lasts } else { ms(0) } + ms(1)
        });
        let status = |open: &Engine, closed: &Engine| {
            omission(&open.asked(), &open.observed(), &closed.observed(), 1, STALL).status
        };
        assert_eq!(status(&open, &closed), Status::Pass);
        assert_eq!(status(&closed, &closed), Status::Fail, "an open loop that is none");
        assert_eq!(status(&open, &Engine::flawless()), Status::Fail, "there was no stall");
        assert_eq!(status(&open, &open), Status::Fail, "a closed loop that is none");
    }
}

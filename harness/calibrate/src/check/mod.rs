//! Properties: what must have been measured, and whether it was.
//!
//! Each check is a function of what was asked for and what was observed, and
//! of nothing else. It goes by the ledger that the engine wrote, by the server's
//! own evidence, and by what kab's verdicts make of the ledger: the same code
//! that reports use.

use std::time::Duration;

use kab_evidence::calibration::{Finding, Status};
use kab_evidence::clock::Mono;
use kab_verdict::Nanos;

use crate::machine::MachineLoad;

mod answers;
mod bound;
mod clock;
mod complete;
mod envelope;
mod gone;
mod pace;
mod queue;
mod service;
mod standstill;
#[cfg(test)]
pub(crate) mod synthetic;

pub use answers::{refusals, resets};
pub use bound::in_flight_bound;
pub use clock::one_clock;
pub use complete::complete;
pub use gone::gone;
pub use pace::{achieved_rate, lateness};
pub use queue::queue;
pub use service::{percentiles, slow_start};
pub use standstill::{Standstill, omission, pauses, stall};

/// The lateness that a generator with a core to itself stays below in 99 of 100
/// operations: the property of that name, and what an operation's time may
/// differ by elsewhere.
pub const LATENESS_LIMIT: Duration = Duration::from_millis(1);

/// Answers that come all at once are read one after the other. An engine that
/// keeps this rate, as the property `lateness` demands, takes no longer for
/// them than at this rate.
pub const READING_RATE: f64 = 10_000.0;

/// A load, as it was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The load and the server's script, in words.
    pub set: String,
    /// When the load and the script begin.
    pub start: Mono,
    /// When each operation is due, rising.
    pub due: Vec<Mono>,
}

impl Asked {
    /// Operations `i / rate` after `start`, for `lasts`: computed here, so that
    /// the engine's own schedule is held against it.
    pub fn constant(set: impl Into<String>, start: Mono, rate: f64, lasts: Duration) -> Self {
        let at = |i: u32| start.plus(Duration::from_secs_f64(f64::from(i) / rate));
        let due = (0..).map(at).take_while(|due| due.since(start) < lasts).collect();
        Self { set: set.into(), start, due }
    }

    /// How many of the due instants satisfy `which`, of their distance from the
    /// start.
    fn count(&self, which: impl Fn(Duration) -> bool) -> u64 {
        self.due.iter().filter(|due| which(due.since(self.start))).count() as u64
    }
}

/// Something that speaks against a property.
#[derive(Debug)]
struct Fault {
    what: String,
    /// Whether a machine that is too busy can be the cause. It can make things
    /// late, but it can neither lose, double nor hasten them.
    machine: bool,
}

/// What was found, before the machine is looked at.
#[derive(Debug, Default)]
struct Case {
    truth: String,
    observed: String,
    tolerance: String,
    faults: Vec<Fault>,
}

impl Case {
    /// Only kab itself can be the cause of this.
    fn wrong(&mut self, is: bool, what: impl FnOnce() -> String) {
        if is {
            self.faults.push(Fault { what: what(), machine: false });
        }
    }

    /// A busy machine can be the cause of this as well.
    fn late(&mut self, is: bool, what: impl FnOnce() -> String) {
        if is {
            self.faults.push(Fault { what: what(), machine: true });
        }
    }

    fn conclude(self, property: &str, set: &str, machine: &MachineLoad) -> Finding {
        let only_late = self.faults.iter().all(|fault| fault.machine);
        let mut because: Vec<String> = self.faults.into_iter().map(|fault| fault.what).collect();
        let status = match machine.excuse() {
            _ if because.is_empty() => Status::Pass,
            Some(excuse) if only_late => {
                because.push(excuse);
                Status::Invalid
            }
            _ => {
                because.push(machine.to_string());
                Status::Fail
            }
        };
        Finding {
            property: property.to_owned(),
            set: set.to_owned(),
            truth: self.truth,
            observed: self.observed,
            tolerance: self.tolerance,
            status,
            because,
        }
    }
}

/// How long the reading of `answers` that come all at once may take.
fn reading(answers: u64) -> Duration {
    LATENESS_LIMIT + Duration::from_secs_f64(count(answers) / READING_RATE)
}

/// `duration` as people read it.
fn text(duration: Duration) -> String {
    Nanos(signed(duration)).to_string()
}

fn text_or_none(nanos: Option<Nanos>) -> String {
    nanos.map_or_else(|| "no data".to_owned(), |nanos| nanos.to_string())
}

fn signed(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A number of operations, which stays far below 2^53, where this is exact.
#[allow(clippy::cast_precision_loss)]
const fn count(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(faults: &[bool]) -> Case {
        let faults = faults.iter().map(|&machine| Fault { what: "odd".into(), machine });
        Case { faults: faults.collect(), ..Case::default() }
    }

    #[test]
    fn a_busy_machine_excuses_what_is_late_and_nothing_else() {
        let (quiet, busy) = (MachineLoad::quiet(), MachineLoad::busy());
        let status = |faults: &[bool], machine| case(faults).conclude("p", "s", machine).status;
        assert_eq!(status(&[], &quiet), Status::Pass);
        assert_eq!(status(&[], &busy), Status::Pass);
        assert_eq!(status(&[true], &quiet), Status::Fail);
        assert_eq!(status(&[true], &busy), Status::Invalid);
        assert_eq!(status(&[true, false], &busy), Status::Fail);
        let finding = case(&[true]).conclude("p", "s", &busy);
        assert!(finding.because.last().is_some_and(|why| why.contains("no core was free")));
    }

    #[test]
    fn a_constant_load_is_due_at_equal_distances() {
        let start = Mono::from_nanos(5);
        let asked = Asked::constant("", start, 1000.0, Duration::from_secs(2));
        assert_eq!(asked.due.len(), 2000);
        assert_eq!(asked.due[1], start.plus(Duration::from_millis(1)));
    }
}

//! What one probe of a search says of its objective.
//!
//! The search asks while it runs, and `kab report` asks again afterwards: both
//! through this file, of the same lines of the ledger, so that they cannot
//! differ in how they count.

use std::collections::BTreeMap;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::join::Joined;
use kab_evidence::record::{CellRecord, StepRecord, Validity};

use crate::expression::{Answer, BadExpression, Expression};
use crate::measure::{StepMeasurements, measure};
use crate::path::Paths;
use crate::value::{Nanos, Value, grouped, percent};

/// The verb of a probe's measurements. What it sent before it began is its
/// warm-up, and not measured.
pub const PROBE: &str = "probe";

/// A probe that was sent at less than this share of its rate was not a probe of
/// that rate: the tolerance that pacing is calibrated to is a tenth of it.
const RATE: f64 = 0.99;

/// An objective that compiles.
#[derive(Debug)]
pub struct Objective {
    hold: Expression,
    late_at_most: Nanos,
}

/// What a probe says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The objective held.
    Held,
    /// It did not, in a sentence.
    Broke(String),
    /// Nothing of the server, in a sentence.
    Invalid(String),
}

impl Objective {
    /// The objective `hold`; a probe whose generator was later than
    /// `late_at_most` (99th percentile, or the longest of fewer than 100) says
    /// nothing.
    ///
    /// # Errors
    /// If `hold` is not CEL.
    pub fn new(hold: &str, late_at_most: Duration) -> Result<Self, BadExpression> {
        let late_at_most = Nanos::from_seconds(late_at_most.as_secs_f64());
        Ok(Self { hold: Expression::compile(hold)?, late_at_most })
    }

    /// What `probe` says. First whether the generator did its part: a late one
    /// must not be mistaken for a slow server. Then whether all operations were
    /// sent: an objective that is met because the load was thinned is not met.
    pub fn ask(&self, probe: &StepMeasurements) -> Said {
        let late = probe.lateness.p99.or(probe.lateness.max);
        if let Some(late) = late.filter(|late| *late > self.late_at_most) {
            let limit = self.late_at_most;
            return Said::Invalid(format!("the generator was late by {late} (limit {limit})"));
        }
        let ops = probe.ops.clone().unwrap_or_default();
        let scheduled = ops.scheduled.unwrap_or(0);
        if scheduled == 0 || ops.recorded != scheduled {
            return Said::Invalid(format!(
                "the ledger holds {} of {} scheduled operations",
                grouped(ops.recorded),
                grouped(scheduled)
            ));
        }
        if ops.missed > 0 {
            return Said::Broke(format!(
                "{} of {} operations were not sent: too many were waiting for an answer",
                grouped(ops.missed),
                grouped(scheduled)
            ));
        }
        if let Some(rate) = probe.rate.filter(|rate| rate.achieved < RATE * rate.intended) {
            return Said::Invalid(format!(
                "the generator sent at {} of the rate",
                percent(rate.achieved / rate.intended)
            ));
        }
        let paths = Paths::bare(probe);
        match self.hold.ask(&paths) {
            Answer::Yes if self.hold.sees(&paths) => Said::Held,
            Answer::Yes => Said::Invalid("the objective looks at nothing that was measured".into()),
            Answer::No => Said::Broke(self.values(&paths)),
            Answer::NoData(missing) => Said::Invalid(format!("no data for {}", missing.join(", "))),
            Answer::Error(problem) => Said::Invalid(problem),
        }
    }

    /// The first length of time that it looks at and `probe` has: the name.
    pub fn figure(&self, probe: &StepMeasurements) -> Option<String> {
        self.hold.reads().iter().find(|path| self.value(path, probe).is_some()).cloned()
    }

    /// The length of time called `path` of `probe`.
    pub fn value(&self, path: &str, probe: &StepMeasurements) -> Option<Nanos> {
        match Paths::bare(probe).get(path)? {
            Value::Duration(length) => Some(length),
            _ => None,
        }
    }

    /// `response.p99 = 120 ms, ops.failed = 0`
    fn values(&self, paths: &Paths) -> String {
        let value = |path: &String| {
            let value = paths.get(path).map_or("no data".to_owned(), |value| value.to_string());
            format!("{path} = {value}")
        };
        self.hold.reads().iter().map(value).collect::<Vec<_>>().join(", ")
    }
}

/// Measures the probe `name` from the ledger in `joined`: the operations due
/// from `counted_from` on, of which it scheduled so many.
pub fn probe(name: &str, counted_from: Mono, scheduled: u64, joined: &Joined) -> StepMeasurements {
    let cell = CellRecord {
        id: String::new(),
        system: String::new(),
        part: 0,
        axes: BTreeMap::new(),
        defects: Vec::new(),
        may_die: Vec::new(),
        steps: vec![record(name, counted_from, scheduled)],
        pressure: None,
        evidence: None,
        tracing: None,
        lost: Vec::new(),
        validity: Validity::default(),
    };
    measure(&cell, name, joined, None)
}

/// A probe as if it were a step of its own, begun when it began to count.
pub(crate) fn record(name: &str, counted_from: Mono, scheduled: u64) -> StepRecord {
    StepRecord {
        name: name.to_owned(),
        verb: PROBE.to_owned(),
        started: counted_from,
        ended: Some(counted_from),
        results: [("scheduled".to_owned(), scheduled.into())].into(),
    }
}

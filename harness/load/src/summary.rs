//! What a step of load came to, and whether its generator kept up.

use std::collections::BTreeMap;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::histogram::Latencies;
use kab_evidence::id::OpId;
use kab_evidence::ledger::Outcome;
use kab_wire::Media;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::flight::Ended;

/// What a step of load came to. Everything but the generator's own figures can
/// be derived from the ledger as well; this is what the run needs at once.
#[derive(Debug, Clone)]
pub struct LoadSummary {
    /// Operations of the schedule; of a closed loop that is not counted, those
    /// that came due.
    pub scheduled: u64,
    /// Those that came due before the step was stopped. Each is in the ledger.
    pub reached: u64,
    /// Acknowledged writes whose id a watcher finds on the entity, in the order
    /// of their acknowledgement.
    pub acked: Vec<OpId>,
    /// How the operations that were reached ended.
    pub outcomes: Outcomes,
    /// How many ended in each class.
    pub classes: BTreeMap<String, u64>,
    /// How the answers were encoded; an update has two.
    pub media: Answers,
    /// When the first operation was due; none if none was reached.
    pub first_intended: Option<Mono>,
    /// When the last operation that was reached was due.
    pub last_intended: Option<Mono>,
    /// How late operations were handed to the transport: the generator's own
    /// delay, in which the server has no part. Only of those that were sent.
    pub lateness: Latencies,
    /// The first operation that was not acknowledged.
    pub first_failure: Option<Failure>,
    /// How long operations waited for one of the load's own connections, when
    /// there were as many as there may be: kab's time within the service time.
    pub waited: Latencies,
    /// Most operations in flight at a time.
    pub in_flight_peak: u32,
    /// CPU time of this process, all threads, from the step's beginning to its
    /// end: the generator, and whatever else ran in the process beside it.
    pub cpu: Duration,
    /// CPU time of the generator's own thread.
    pub generator_cpu: Duration,
}

/// An operation that was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which one.
    pub index: u64,
    /// The entity's name, where it has one.
    pub key: Option<String>,
    /// The outcome's class.
    pub class: String,
    /// What the other side said.
    pub detail: Option<String>,
}

/// Operations by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Acknowledged.
    pub ok: u64,
    /// Certainly not applied.
    pub failed: u64,
    /// Perhaps applied.
    pub indeterminate: u64,
    /// Due, but never sent.
    pub missed: u64,
}

/// Complete answers by the encoding of their bodies, of all statuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// In JSON.
    pub json: u64,
    /// In CBOR.
    pub cbor: u64,
    /// In Kubernetes' protobuf.
    pub protobuf: u64,
    /// In something else, or without saying.
    pub other: u64,
}

impl Answers {
    /// Adds those of another share.
    pub const fn merge(&mut self, other: Self) {
        self.json += other.json;
        self.cbor += other.cbor;
        self.protobuf += other.protobuf;
        self.other += other.other;
    }

    /// One more answer has come.
    pub(crate) const fn add(&mut self, media: Media) {
        match media {
            Media::Json => self.json += 1,
            Media::Cbor => self.cbor += 1,
            Media::Protobuf => self.protobuf += 1,
            Media::Other | Media::Unsaid => self.other += 1,
        }
    }
}

impl Outcomes {
    /// All of them.
    pub const fn total(self) -> u64 {
        self.ok + self.failed + self.indeterminate + self.missed
    }
}

impl LoadSummary {
    /// Operations that were not due yet when the step was stopped. They are not
    /// in the ledger.
    pub const fn not_reached(&self) -> u64 {
        self.scheduled - self.reached
    }
}

/// Counts while the load runs.
pub(crate) struct Tally {
    summary: LoadSummary,
    is_counted: bool,
    cpu_before: Duration,
    thread_before: Duration,
}

impl Tally {
    /// Begins to count, on the generator's thread.
    pub(crate) fn begin(scheduled: Option<u64>) -> Self {
        let summary = LoadSummary {
            scheduled: scheduled.unwrap_or(0),
            reached: 0,
            acked: Vec::new(),
            outcomes: Outcomes::default(),
            classes: BTreeMap::new(),
            media: Answers::default(),
            first_intended: None,
            last_intended: None,
            lateness: Latencies::new(),
            first_failure: None,
            waited: Latencies::new(),
            in_flight_peak: 0,
            cpu: Duration::ZERO,
            generator_cpu: Duration::ZERO,
        };
        let (cpu_before, thread_before) = (process_cpu(), thread_cpu());
        Self { summary, is_counted: scheduled.is_some(), cpu_before, thread_before }
    }

    /// An operation came due.
    pub(crate) fn reach(&mut self, intended: Mono) {
        self.summary.reached += 1;
        self.summary.first_intended.get_or_insert(intended);
        self.summary.last_intended = Some(intended);
    }

    /// An operation waited so long for one of the load's own connections.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.summary.waited.record_nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The first operation that was not acknowledged.
    pub(crate) const fn first_failure(&self) -> Option<&Failure> {
        self.summary.first_failure.as_ref()
    }

    /// An operation was not acknowledged, the first one.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.summary.first_failure = Some(failure);
    }

    /// This many are in flight now.
    pub(crate) fn in_flight(&mut self, now: usize) {
        let now = u32::try_from(now).unwrap_or(u32::MAX);
        self.summary.in_flight_peak = self.summary.in_flight_peak.max(now);
    }

    /// An answer was complete.
    pub(crate) const fn answer(&mut self, media: Media) {
        self.summary.media.add(media);
    }

    /// An operation ended.
    pub(crate) fn end(&mut self, ended: &Ended) {
        let outcomes = &mut self.summary.outcomes;
        match ended.outcome {
            Outcome::Ok => outcomes.ok += 1,
            Outcome::Failed => outcomes.failed += 1,
            Outcome::Indeterminate => outcomes.indeterminate += 1,
            Outcome::Missed => outcomes.missed += 1,
        }
        if ended.outcome == Outcome::Ok && ended.leaves_its_id {
            self.summary.acked.push(ended.op);
        }
        if let Some(nanos) = ended.lateness {
            self.summary.lateness.record_nanos(nanos);
        }
        match self.summary.classes.get_mut(ended.class.as_ref()) {
            Some(count) => *count += 1,
            None => {
                self.summary.classes.insert(ended.class.as_ref().to_owned(), 1);
            }
        }
    }

    pub(crate) fn finish(mut self) -> LoadSummary {
        if !self.is_counted {
            self.summary.scheduled = self.summary.reached;
        }
        self.summary.cpu = process_cpu().saturating_sub(self.cpu_before);
        self.summary.generator_cpu = thread_cpu().saturating_sub(self.thread_before);
        self.summary
    }
}

/// CPU time that this process has used, user and system, all threads.
pub fn process_cpu() -> Duration {
    cpu(ClockId::ProcessCPUTime)
}

/// CPU time that the calling thread has used.
fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

fn cpu(of: ClockId) -> Duration {
    let used = clock_gettime(of);
    // CPU time is never negative.
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
}

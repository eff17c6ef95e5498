//! Operations by how they ended, and at which rate they were sent.

use std::collections::BTreeMap;

use kab_evidence::join::{Joined, Trace};
use kab_evidence::ledger::Outcome;
use kab_evidence::record::StepRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::{Sorted, Summary};
use crate::interval::add_intervals;
use crate::measure::Nanoseconds;
use crate::remarks::is_closed;

/// Operations of a step by how they ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ops {
    /// What the step says it scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<u64>,
    /// What the ledger holds.
    pub recorded: u64,
    /// Scheduled, but not in the ledger: the cell is invalid.
    pub unrecorded: u64,
    /// Handed to the transport.
    pub sent: u64,
    /// Acknowledged.
    pub ok: u64,
    /// Certainly not applied.
    pub failed: u64,
    /// Perhaps applied.
    pub indeterminate: u64,
    /// Never sent, because too many were in flight.
    pub missed: u64,
}

/// Operations a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateOfOps {
    /// As scheduled: the schedule's mean, or, if it does not say one, from the
    /// first intended start to the last. Of a closed loop, what its answers led
    /// to: nobody intended it.
    pub intended: f64,
    /// As sent: operations sent, over the intended span, or until the last was
    /// sent if that was later.
    pub achieved: f64,
    /// Whether it was a closed loop, so that neither says anything of a schedule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

/// A latency over all operations whose end is known, and over the good ones.
///
/// The whole includes failed operations (also those refused before they were
/// sent) and indeterminate ones: an operation given up at its deadline counts
/// with the time waited, which is a lower bound of its true latency. Missed
/// operations were never sent and have none; [`Ops::missed`] counts them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Over all operations whose end is known.
    #[serde(flatten)]
    pub all: Summary,
    /// Over the acknowledged ones only.
    pub ok: Summary,
}

/// Counts `traces` by outcome; none if there are none, and none were scheduled.
pub fn ops<'a>(traces: impl Iterator<Item = &'a Trace>, step: Option<&StepRecord>) -> Option<Ops> {
    let scheduled = step.and_then(scheduled);
    let mut ops = Ops { scheduled, ..Ops::default() };
    for trace in traces {
        ops.recorded += 1;
        ops.sent += u64::from(trace.sent.is_some());
        *match trace.outcome {
            Outcome::Ok => &mut ops.ok,
            Outcome::Failed => &mut ops.failed,
            Outcome::Indeterminate => &mut ops.indeterminate,
            Outcome::Missed => &mut ops.missed,
        } += 1;
    }
    ops.unrecorded = scheduled.unwrap_or(0).saturating_sub(ops.recorded);
    (ops.recorded > 0 || scheduled.is_some()).then_some(ops)
}

/// How many operations `step` says it scheduled.
pub fn scheduled(step: &StepRecord) -> Option<u64> {
    step.results.get("scheduled")?.as_u64()
}

/// Complete answers by the encoding of their bodies, whatever was asked for; an
/// update has two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// In JSON.
    pub json: u64,
    /// In CBOR.
    pub cbor: u64,
    /// In Kubernetes' protobuf.
    pub protobuf: u64,
    /// In something else, or without saying.
    pub other: u64,
}

/// What `step` says of the encoding of its answers.
pub fn media(step: &StepRecord) -> Option<Media> {
    Media::deserialize(step.results.get("media")?).ok()
}

/// Counts `traces` by class.
pub fn classes<'a>(
    joined: &Joined,
    traces: impl Iterator<Item = &'a Trace>,
) -> BTreeMap<String, u64> {
    let mut counts = vec![0u64; joined.classes.len()];
    for trace in traces {
        if let Some(count) = counts.get_mut(usize::from(trace.class)) {
            *count += 1;
        }
    }
    let named = joined.classes.iter().cloned().zip(counts);
    named.filter(|(_, count)| *count > 0).collect()
}

/// The rates of `traces`, sent by `step`; none below two operations.
pub fn rate<'a>(
    traces: impl Iterator<Item = &'a Trace>,
    step: Option<&StepRecord>,
) -> Option<RateOfOps> {
    let (mut n, mut sent) = (0u64, 0u64);
    let (mut first, mut last, mut last_sent) = (u64::MAX, 0, 0);
    for trace in traces {
        n += 1;
        first = first.min(trace.intended.nanos());
        last = last.max(trace.intended.nanos());
        if let Some(at) = trace.sent {
            sent += 1;
            last_sent = last_sent.max(at.nanos());
        }
    }
    if n < 2 || last <= first {
        return None;
    }
    let closed = step.is_some_and(is_closed);
    // A schedule that was stopped has not had its mean.
    let whole = step.and_then(scheduled) == Some(n) && !closed;
    let mean = step.and_then(|step| step.results.get("intendedRate")?.as_f64());
    let mean = mean.filter(|mean| whole && *mean > 0.0);
    let interval = mean.map_or((last - first) as f64 / (n - 1) as f64, |mean| 1e9 / mean);
    // A burst at the end leaves the rest of the schedule's time empty.
    let due = match mean {
        Some(_) => (n as f64 * interval).max((last - first) as f64),
        None => (last - first) as f64 + interval,
    };
    let span = due.max(last_sent.saturating_sub(first) as f64 + interval.min(due));
    let achieved = sent as f64 * 1e9 / span;
    Some(RateOfOps { intended: 1e9 / interval, achieved, closed })
}

/// How late the generator was, without intervals: a limit of the harness.
pub(crate) fn lateness_of<'a>(traces: impl Iterator<Item = &'a Trace>) -> Summary {
    Sorted::from(traces.filter_map(lateness).collect::<Vec<_>>()).summary()
}

/// One latency of `traces`, which are in the order of their intended starts,
/// as `of` measures it.
pub(crate) fn latency<'a>(
    traces: impl Iterator<Item = &'a Trace>,
    of: impl Fn(&Trace) -> Nanoseconds,
) -> (Latency, Sorted) {
    let (mut all, mut ok) = (Vec::new(), Vec::new());
    for trace in traces {
        if let Some(nanos) = of(trace) {
            all.push(nanos);
            if trace.outcome == Outcome::Ok {
                ok.push(nanos);
            }
        }
    }
    let sorted = Sorted::from(all.clone());
    let mut whole = sorted.summary();
    add_intervals(&mut whole, &all, &sorted);
    // Mostly, every operation is acknowledged: then both are the same.
    if ok.len() == all.len() {
        return (Latency { all: whole.clone(), ok: whole }, sorted);
    }
    let good = Sorted::from(ok.clone());
    let mut acknowledged = good.summary();
    add_intervals(&mut acknowledged, &ok, &good);
    (Latency { all: whole, ok: acknowledged }, sorted)
}

/// From the intended start until the end was known.
pub(crate) fn response(trace: &Trace) -> Nanoseconds {
    Some(trace.done?.signed_since(trace.intended))
}

/// From the sending until the end was known.
pub(crate) fn service(trace: &Trace) -> Nanoseconds {
    Some(trace.done?.signed_since(trace.sent?))
}

/// How late the generator was.
fn lateness(trace: &Trace) -> Nanoseconds {
    Some(trace.sent?.signed_since(trace.intended))
}

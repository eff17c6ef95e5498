//! Where the time of a write goes inside the apiserver, by its own spans.
//!
//! Each moment of a request belongs to the innermost span that was open: what a
//! span has for itself is its length without the spans directly inside it, each
//! moment of them counted once. So the parts add up to the request, unless two
//! spans side by side overlap, which the apiserver's do not in a write.

use kab_evidence::join::{Interval, Joined, Layer, ServerSpan, Trace};
use kab_evidence::ledger::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::Unsorted;
use crate::waterfall::Segment;

/// The parts of a request, in the order in which they come about.
pub const PARTS: [&str; 7] =
    ["entrance", "handler", "webhook", "storage", "etcd", "answer", "other"];

/// Where the time of a step's acknowledged writes went inside the apiserver.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inner {
    /// Acknowledged writes whose request's span was found.
    pub count: u64,
    /// Their share of all acknowledged writes.
    pub coverage: f64,
    /// Of them, those whose request began before the write was sent or after it
    /// was acknowledged, by the apiserver's clock: it contradicts the ledger's.
    pub outside: u64,
    /// The parts of a request.
    pub segments: Vec<Segment>,
    /// The whole request.
    pub whole: Segment,
}

/// What the apiserver's spans say of the step at `step` of `joined`; none if it
/// did not trace, or the step has no acknowledged write.
pub(crate) fn inner(joined: &Joined, step: usize) -> Option<Inner> {
    if joined.server.is_empty() && joined.other_server_spans == 0 {
        return None;
    }
    let ours = |trace: &Trace| {
        usize::from(trace.step) == step && trace.kind.is_write() && trace.outcome == Outcome::Ok
    };
    let all = joined.traces.iter().filter(|trace| ours(trace)).count() as u64;
    let mut lengths: [Vec<i64>; PARTS.len()] = <_>::default();
    let (mut wholes, mut outside) = (Vec::new(), 0);
    for spans in joined.server.chunk_by(|a, b| a.trace == b.trace) {
        let trace = spans.first().and_then(|span| joined.traces.get(span.trace as usize));
        let Some(trace) = trace.filter(|trace| ours(trace)) else { continue };
        let requests = || spans.iter().filter(|span| span.layer == Layer::Request);
        let Some(first) = requests().map(|span| span.interval.start).min() else { continue };
        outside += u64::from(
            trace.sent.is_some_and(|sent| first < sent)
                || trace.done.is_some_and(|done| first > done),
        );
        let mut own = [0; PARTS.len()];
        spans.iter().for_each(|span| own[part(span.layer)] += own_time(span, spans));
        lengths.iter_mut().zip(own).for_each(|(lengths, own)| lengths.push(own));
        wholes.push(requests().map(|span| length(span.interval)).sum());
    }
    let count = wholes.len() as u64;
    let segments = PARTS.iter().zip(lengths).map(|(name, lengths)| segment(name, lengths));
    (all > 0).then(|| Inner {
        count,
        coverage: count as f64 / all as f64,
        outside,
        segments: segments.collect(),
        whole: segment("whole", wholes),
    })
}

/// The place in [`PARTS`] of what `layer` is about.
const fn part(layer: Layer) -> usize {
    match layer {
        Layer::Request | Layer::Filter => 0,
        Layer::Handler => 1,
        Layer::Webhook => 2,
        Layer::Storage => 3,
        Layer::Etcd => 4,
        Layer::Answer => 5,
        Layer::Other => 6,
    }
}

fn length(of: Interval) -> i64 {
    of.end.signed_since(of.start)
}

/// The length of `span` without those of `all` that are directly inside it.
fn own_time(span: &ServerSpan, all: &[ServerSpan]) -> i64 {
    let Interval { start, end } = span.interval;
    let inside = all.iter().filter(|other| other.parent == span.id && other.id != span.id);
    let mut inside: Vec<Interval> = inside
        .map(|other| Interval {
            start: other.interval.start.clamp(start, end.max(start)),
            end: other.interval.end.clamp(start, end.max(start)),
        })
        .collect();
    inside.sort_by_key(|of| of.start);
    let (mut own, mut upto) = (length(span.interval), start);
    for of in inside {
        let from = of.start.max(upto);
        if of.end > from {
            own -= of.end.signed_since(from);
            upto = of.end;
        }
    }
    own
}

fn segment(name: &str, lengths: Vec<i64>) -> Segment {
    let lengths = Unsorted::from(lengths);
    Segment {
        name: name.to_owned(),
        p50: lengths.p50(),
        p99: lengths.p99(),
        mean: lengths.mean(),
        negative: lengths.negative(),
    }
}

#[cfg(test)]
#[path = "inner_tests.rs"]
mod tests;

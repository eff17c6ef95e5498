//! What was measured over the time of a step, small enough to plot.

use kab_evidence::join::Trace;
use kab_evidence::ledger::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::delivery::acknowledged;
use crate::distribution::{Bin, CurvePoint, Sorted};
use crate::outcome;
use crate::value::Nanos;

/// Up to so many samples, each is a point of its own.
const POINTS: usize = 1_000;
/// Beyond, they are put in so many buckets.
const BUCKETS: u64 = 250;
/// Outcomes are counted in at most so many buckets,
const OUTCOME_BUCKETS: u64 = 60;
/// each as wide as one of these, in nanoseconds.
const WIDTHS: [u64; 11] = {
    const MS: u64 = 1_000_000;
    [
        100 * MS,
        200 * MS,
        500 * MS,
        1_000 * MS,
        2_000 * MS,
        5_000 * MS,
        10_000 * MS,
        30_000 * MS,
        60_000 * MS,
        600_000 * MS,
        3_600_000 * MS,
    ]
};

/// A step's measurements over time, and its distributions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// Response time by intended start.
    pub response: Vec<Point>,
    /// Lag of each write's first notification, by intended start.
    pub lag: Vec<Point>,
    /// Width of each bucket of `outcomes`.
    pub outcome_width: Nanos,
    /// Operations by intended start and outcome.
    pub outcomes: Vec<OutcomeCounts>,
    /// Cumulative distribution of response times.
    pub response_curve: Vec<CurvePoint>,
    /// Cumulative distribution of service times.
    pub service_curve: Vec<CurvePoint>,
    /// Cumulative distribution of lags.
    pub lag_curve: Vec<CurvePoint>,
    /// Histogram of response times.
    pub response_bins: Vec<Bin>,
    /// Histogram of service times.
    pub service_bins: Vec<Bin>,
}

/// One sample, or a bucket of several that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// Since the step's first intended start; of a bucket, its beginning.
    pub at: Nanos,
    /// How many samples.
    pub count: u64,
    /// Their median, or the only one.
    pub p50: Nanos,
    /// Their 99th percentile, from 100 samples on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Nanos>,
    /// The longest.
    pub max: Nanos,
}

/// Operations of one stretch of time by how they ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeCounts {
    /// Since the step's first intended start.
    pub at: Nanos,
    /// Acknowledged.
    pub ok: u64,
    /// Certainly not applied.
    pub failed: u64,
    /// Perhaps applied.
    pub indeterminate: u64,
    /// Never sent.
    pub missed: u64,
    /// Acknowledged, but no subscriber was ever told.
    pub undelivered: u64,
}

/// The distributions that the measurements were made from.
pub(crate) struct Distributions {
    pub response: Sorted,
    pub service: Sorted,
    pub lag: Option<Sorted>,
}

/// `traces` over time.
pub(crate) fn timeline<'a, I>(traces: I, from: &Distributions) -> Option<Timeline>
where
    I: Iterator<Item = &'a Trace> + Clone,
{
    let intended = |trace: &Trace| trace.intended.nanos();
    let start = traces.clone().map(intended).min()?;
    let span = traces.clone().map(intended).max()? - start;
    let samples = |of: fn(&Trace) -> Option<i64>| {
        traces
            .clone()
            .filter_map(|trace| Some((intended(trace) - start, of(trace)?)))
            .collect::<Vec<_>>()
    };
    let lag = |trace: &Trace| -> Option<i64> {
        let first = trace.receipts.first()?;
        acknowledged(&trace).then(|| first.received.signed_since(trace.intended))
    };
    let listened = from.lag.is_some();
    let (width, outcomes) = outcomes(traces.clone(), start, span, listened);
    Some(Timeline {
        response: points(samples(outcome::response), span),
        lag: if listened { points(samples(lag), span) } else { Vec::new() },
        outcome_width: nanos(width),
        outcomes,
        response_curve: from.response.curve(),
        service_curve: from.service.curve(),
        lag_curve: from.lag.as_ref().map(Sorted::curve).unwrap_or_default(),
        response_bins: from.response.bins(),
        service_bins: from.service.bins(),
    })
}

/// `samples` of (time since the start, value) as points or buckets.
fn points(mut samples: Vec<(u64, i64)>, span: u64) -> Vec<Point> {
    samples.sort_unstable_by_key(|(at, _)| *at);
    let width = if samples.len() <= POINTS { 1 } else { span / BUCKETS + 1 };
    let same = |a: &(u64, i64), b: &(u64, i64)| width > 1 && a.0 / width == b.0 / width;
    let point = |bucket: &[(u64, i64)]| {
        let at = bucket.first()?.0 / width * width;
        let values = Sorted::from(bucket.iter().map(|(_, value)| *value).collect::<Vec<_>>());
        let max = values.max()?;
        let p50 = values.p50().unwrap_or(max);
        Some(Point { at: nanos(at), count: values.count(), p50, p99: values.p99(), max })
    };
    samples.chunk_by(same).filter_map(point).collect()
}

fn outcomes<'a>(
    traces: impl Iterator<Item = &'a Trace>,
    start: u64,
    span: u64,
    listened: bool,
) -> (u64, Vec<OutcomeCounts>) {
    let fits = |width: &&u64| span / **width < OUTCOME_BUCKETS;
    let width = WIDTHS.iter().find(fits).copied().unwrap_or(span / OUTCOME_BUCKETS + 1);
    let mut buckets: Vec<OutcomeCounts> = (0..=span / width)
        .map(|i| OutcomeCounts { at: nanos(i * width), ..OutcomeCounts::default() })
        .collect();
    for trace in traces {
        let place = usize::try_from((trace.intended.nanos() - start) / width).ok();
        let Some(bucket) = place.and_then(|place| buckets.get_mut(place)) else { continue };
        *match trace.outcome {
            Outcome::Ok => &mut bucket.ok,
            Outcome::Failed => &mut bucket.failed,
            Outcome::Indeterminate => &mut bucket.indeterminate,
            Outcome::Missed => &mut bucket.missed,
        } += 1;
        let untold = listened && acknowledged(&trace) && trace.receipts.is_empty();
        bucket.undelivered += u64::from(untold);
    }
    (width, buckets)
}

fn nanos(n: u64) -> Nanos {
    Nanos(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_samples_are_points_and_many_are_buckets_that_lose_none() {
        let few: Vec<_> = (0..1_000).map(|i| (i * 7, 5)).collect();
        assert_eq!(points(few, 7_000).len(), 1_000);
        let many: Vec<_> = (0..100_000u64).map(|i| (i, i64::try_from(i % 10).unwrap())).collect();
        let buckets = points(many, 99_999);
        assert!(buckets.len() <= 251, "{}", buckets.len());
        assert_eq!(buckets.iter().map(|b| b.count).sum::<u64>(), 100_000);
        assert!(buckets.iter().all(|b| b.max == Nanos(9) && b.p99.is_some()));
    }
}

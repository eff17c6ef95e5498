//! Durations that a server observed, from the growth of its histogram.
//!
//! A histogram says in which bucket an observation lies, not where in it. So
//! a percentile is two numbers, and the truth lies between them: a claim is
//! confirmed by the upper one and refuted by the lower one. Nothing is
//! interpolated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::series::{AllSeries, Labels, Span};
use crate::value::Nanos;

/// What a server observed in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// How many observations.
    pub count: u64,
    /// Their mean, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Nanos>,
    /// Where the median lies. Needs 2 observations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<Between>,
    /// Where the 99th percentile lies. Needs 100 observations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Between>,
}

/// The bucket in which a percentile lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Between {
    /// It is above this.
    pub above: Nanos,
    /// It is at most this; none if it lies above the histogram's last bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Nanos>,
}

/// How much the histograms `metric` of `of` grew together within `span`, as
/// far as `wanted` says; none if there is no such metric.
pub fn observed(
    all: &AllSeries,
    of: &str,
    metric: &str,
    span: Span,
    wanted: impl Fn(&Labels) -> bool,
) -> Option<Observed> {
    let series = Some(all.get(of, metric)).filter(|series| !series.is_empty())?;
    let (mut count, mut sum) = (0.0, 0.0);
    let mut pairs = Vec::new();
    for series in series.iter().filter(|series| wanted(&series.labels)) {
        let Some(last) = series.at(span.to) else { continue };
        let first = series.at(span.from);
        count += last.value - first.map_or(0.0, |reading| reading.value);
        let Some(after) = &last.buckets else { continue };
        let before = first.and_then(|reading| reading.buckets.as_ref());
        sum += after.sum - before.map_or(0.0, |buckets| buckets.sum);
        pairs.push((before, after));
    }
    let mut bounds: Vec<f64> =
        pairs.iter().flat_map(|(_, after)| after.at_most.iter().map(|(at, _)| *at)).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let grown = |bound: f64| -> u64 {
        let of = |(before, after): &(Option<&kab_evidence::series::Buckets>, &_)| {
            let before = before.map_or(0, |buckets| buckets.at_or_below(bound));
            kab_evidence::series::Buckets::at_or_below(after, bound).saturating_sub(before)
        };
        pairs.iter().map(of).sum()
    };
    let count = whole(count);
    let between = |part: u64, of: u64| -> Option<Between> {
        // At least one observation must be expected beyond it.
        if count * (of - part) < of {
            return None;
        }
        let rank = (count * part).div_ceil(of);
        let place = bounds.iter().position(|bound| grown(*bound) >= rank);
        let below = place.unwrap_or(bounds.len()).checked_sub(1);
        let above = below.map_or(0.0, |below| bounds[below]);
        let at_most = place.map(|place| Nanos::from_seconds(bounds[place]));
        Some(Between { above: Nanos::from_seconds(above), at_most })
    };
    Some(Observed {
        count,
        mean: (count > 0).then(|| Nanos::from_seconds(sum / count as f64)),
        p50: between(1, 2),
        p99: between(99, 100),
    })
}

/// A count, of a number that counters are kept in.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn whole(count: f64) -> u64 {
    // `as` goes to the nearest that fits, and to 0 for what is no number.
    count.round() as u64
}

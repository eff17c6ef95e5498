//! Sampled metrics, on the same clock as the traces.
//!
//! The kernel's numbers of a process or of the host are written at every
//! sample. Those that a server tells of itself are written only when they
//! differ from what was written last: where no line is, the value has not
//! changed since, as long as [`UP`] says that the server was asked and
//! answered.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Mono;

/// The metric that says, at every scrape of a server, whether it answered: 1
/// or 0. As in Prometheus.
pub const UP: &str = "up";

/// One line of `series.jsonl`: one sample of one metric of one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// When it was read.
    pub at: Mono,
    /// Which process: `etcd`, `kube-apiserver`, `gateway`, `kab`, ..., or `host`.
    pub of: String,
    /// What was read; the unit is the name's last part, as in Prometheus:
    /// `cpu_seconds_total`, `resident_bytes`, `written_bytes_total`.
    pub metric: String,
    /// Labels that tell series of one metric apart. Labels of the server's own
    /// that are not here were summed over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The reading; of a histogram, the number of observations so far.
    pub value: f64,
    /// The rest of a histogram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Buckets>,
}

impl Sample {
    /// A sample without labels.
    pub fn new(at: Mono, of: &str, metric: &str, value: f64) -> Self {
        let (of, metric) = (of.to_owned(), metric.to_owned());
        Self { at, of, metric, labels: BTreeMap::new(), value, histogram: None }
    }
}

/// What was observed since the process began, by size.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Buckets {
    /// Sum of all observations, in the metric's unit.
    pub sum: f64,
    /// Bounds, rising, each with how many observations are at or below it. A
    /// bound is left out if no observation lies in the buckets on either side
    /// of it; so is the infinite one, which has all.
    pub at_most: Vec<(f64, u64)>,
}

impl Buckets {
    /// From every bound of a histogram, in any order, with the observations at
    /// or below each.
    pub fn new(sum: f64, mut all: Vec<(f64, u64)>, count: u64) -> Self {
        all.retain(|(bound, _)| bound.is_finite());
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let below = |i: usize| if i == 0 { 0 } else { all[i - 1].1 };
        let above = |i: usize| all.get(i + 1).map_or(count, |next| next.1);
        let edge = |i: &usize| all[*i].1 > below(*i) || above(*i) > all[*i].1;
        let at_most = (0..all.len()).filter(edge).map(|i| all[i]).collect();
        Self { sum, at_most }
    }

    /// How many observations are at or below `bound`, one of the histogram's.
    pub fn at_or_below(&self, bound: f64) -> u64 {
        let listed = self.at_most.iter().take_while(|(at, _)| *at <= bound);
        listed.last().map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_beside_empty_buckets_are_left_out_and_lose_nothing() {
        let all = vec![(1.0, 0), (2.0, 0), (4.0, 7), (8.0, 7), (16.0, 7), (f64::INFINITY, 9)];
        let buckets = Buckets::new(3.5, all.clone(), 9);
        assert_eq!(buckets.at_most, [(2.0, 0), (4.0, 7), (16.0, 7)]);
        for (bound, count) in all.into_iter().filter(|(bound, _)| bound.is_finite()) {
            assert_eq!(buckets.at_or_below(bound), count, "{bound}");
        }
        assert_eq!(Buckets::new(0.0, vec![(1.0, 0)], 0).at_most, []);
    }

    #[test]
    fn a_line_of_an_older_kab_is_read() {
        let old = r#"{"at":5,"of":"etcd","metric":"open_files","value":3.0}"#;
        let sample: Sample = serde_json::from_str(old).unwrap();
        assert_eq!(sample, Sample::new(Mono::from_nanos(5), "etcd", "open_files", 3.0));
        assert_eq!(serde_json::to_string(&sample).unwrap(), old);
    }
}

//! What a worker's share came to, and how shares add up.

use std::collections::BTreeMap;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::histogram::Latencies;
use kab_evidence::ledger::Outcome;
use serde::{Deserialize, Serialize};

use crate::summary::{Answers, LoadSummary};

/// What a share of a load came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Operations of the slice.
    pub scheduled: u64,
    /// Those that came due before the load was stopped.
    pub reached: u64,
    /// Acknowledged.
    pub ok: u64,
    /// Certainly not applied.
    pub failed: u64,
    /// Perhaps applied.
    pub indeterminate: u64,
    /// Due, but never sent.
    pub missed: u64,
    /// How many ended in each class.
    pub classes: BTreeMap<String, u64>,
    /// Complete answers by the encoding of their bodies.
    #[serde(default)]
    pub media: Answers,
    /// Which operations were acknowledged.
    pub acked: Indices,
    /// How late operations were sent.
    pub lateness: Latencies,
    /// When the first operation was due; none if none was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_intended: Option<Mono>,
    /// When the last operation that was reached was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_intended: Option<Mono>,
    /// Most operations in flight at a time. Merged, it is the sum of the
    /// workers' peaks: they need not have been at the same time, so that it is
    /// an upper bound.
    pub in_flight_peak: u32,
    /// CPU time of the process.
    pub cpu: Duration,
    /// CPU time of the generator's own thread.
    pub generator_cpu: Duration,
    /// Lines in its ledger.
    pub ledger_lines: u64,
}

impl Report {
    /// What `summary` says of the share of one of `of` workers, whose ledger has
    /// so many lines. Operation 0 of the load has the sequence number `first`.
    pub fn of(summary: &LoadSummary, first: u64, of: u32, ledger_lines: u64) -> Self {
        let indices = summary.acked.iter().map(|op| op.number().wrapping_sub(first)).collect();
        let n = summary.outcomes;
        Self {
            scheduled: summary.scheduled,
            reached: summary.reached,
            ok: n.ok,
            failed: n.failed,
            indeterminate: n.indeterminate,
            missed: n.missed,
            classes: summary.classes.clone(),
            media: summary.media,
            acked: Indices::of(indices, u64::from(of)),
            lateness: summary.lateness.clone(),
            first_intended: summary.first_intended,
            last_intended: summary.last_intended,
            in_flight_peak: summary.in_flight_peak,
            cpu: summary.cpu,
            generator_cpu: summary.generator_cpu,
            ledger_lines,
        }
    }

    /// Counts one operation whose worker did not live to report it.
    pub fn count(&mut self, outcome: Outcome, class: &str) {
        *match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Failed => &mut self.failed,
            Outcome::Indeterminate => &mut self.indeterminate,
            Outcome::Missed => &mut self.missed,
        } += 1;
        *self.classes.entry(class.to_owned()).or_default() += 1;
    }

    /// Adds the share of another worker.
    pub fn merge(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.reached += other.reached;
        self.ok += other.ok;
        self.failed += other.failed;
        self.indeterminate += other.indeterminate;
        self.missed += other.missed;
        for (class, count) in &other.classes {
            *self.classes.entry(class.clone()).or_default() += count;
        }
        self.media.merge(other.media);
        self.acked.0.extend_from_slice(&other.acked.0);
        self.lateness.merge(&other.lateness);
        self.first_intended =
            [self.first_intended, other.first_intended].into_iter().flatten().min();
        self.last_intended = self.last_intended.max(other.last_intended);
        self.in_flight_peak = self.in_flight_peak.saturating_add(other.in_flight_peak);
        self.cpu += other.cpu;
        self.generator_cpu += other.generator_cpu;
        self.ledger_lines += other.ledger_lines;
    }
}

/// Indices of operations, told in runs: a share's acknowledged operations are
/// nearly all of every n-th, so that a million of them are a few numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Indices(Vec<Run>);

/// `first`, `first + step`, ..., `count` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    first: u64,
    step: u64,
    count: u64,
}

impl Indices {
    /// `indices`, in any order, that are mostly `step` apart.
    pub fn of(mut indices: Vec<u64>, step: u64) -> Self {
        indices.sort_unstable();
        let mut runs: Vec<Run> = Vec::new();
        for index in indices {
            match runs.last_mut() {
                Some(run) if index == run.first + run.step * run.count => run.count += 1,
                _ => runs.push(Run { first: index, step, count: 1 }),
            }
        }
        Self(runs)
    }

    /// Each of them, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        let each = |run: &Run| {
            let run = *run;
            (0..run.count).map(move |n| run.first.saturating_add(run.step.saturating_mul(n)))
        };
        self.0.iter().flat_map(each)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|run| run.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What one process would report of operations `(index, how it ended, late by)`.
    fn report(ops: &[(u64, u8, u64)], step: u64) -> Report {
        let mut report = Report::default();
        let mut acked = Vec::new();
        for &(index, ended, late) in ops {
            let due = Mono::from_nanos(1_000 + index);
            report.reached += 1;
            report.first_intended = [report.first_intended, Some(due)].into_iter().flatten().min();
            report.last_intended = report.last_intended.max(Some(due));
            let class = match ended % 4 {
                0 => {
                    report.ok += 1;
                    acked.push(index);
                    "http-201"
                }
                1 => {
                    report.failed += 1;
                    "http-409"
                }
                2 => {
                    report.indeterminate += 1;
                    "deadline"
                }
                _ => {
                    report.missed += 1;
                    "in-flight-limit"
                }
            };
            *report.classes.entry(class.to_owned()).or_default() += 1;
            report.lateness.record_nanos(late);
        }
        report.scheduled = report.reached;
        report.ledger_lines = report.reached;
        report.cpu = Duration::from_millis(report.reached);
        report.acked = Indices::of(acked, step);
        report
    }

    proptest! {
        // Each case makes and encodes a dozen histograms.
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Shared among workers and merged from their lines, a load's summary is
        /// that of one process: counts, classes, ids and every bucket.
        #[test]
        fn merged_shares_are_what_one_process_reports(
            ops in prop::collection::vec((any::<u8>(), 0u64..1 << 40), 0..300), workers in 1u64..6,
        ) {
            let ops: Vec<_> = (0u64..).zip(ops).map(|(i, (ended, late))| (i, ended, late)).collect();
            let mut merged = Report::default();
            for worker in 0..workers {
                let share: Vec<_> =
                    ops.iter().copied().filter(|(i, ..)| i % workers == worker).collect();
                let text = serde_json::to_string(&report(&share, workers)).unwrap();
                merged.merge(&serde_json::from_str(&text).unwrap());
            }
            let one = report(&ops, 1);
            let sorted = |report: &Report| {
                let mut acked: Vec<_> = report.acked.iter().collect();
                acked.sort_unstable();
                acked
            };
            prop_assert_eq!(sorted(&merged), sorted(&one));
            prop_assert_eq!(merged.acked.count(), one.ok);
            merged.acked = one.acked.clone();
            prop_assert_eq!(merged, one);
        }
    }

    #[test]
    fn a_million_acknowledged_operations_are_a_short_line() {
        let indices = Indices::of((0..1_000_000).map(|n| 3 + 4 * n).collect(), 4);
        assert_eq!(
            serde_json::to_string(&indices).unwrap(),
            r#"[{"first":3,"step":4,"count":1000000}]"#
        );
    }
}

//! Two runs held against each other, from their folders alone.
//!
//! Cells are matched by their id and steps by their name. Each latency is
//! compared by its percentiles and mean: the difference with its 95 %
//! interval, the ratio, and the smallest difference that runs as variable as
//! these would have shown. An invalid run says nothing, and is not compared.

use std::collections::BTreeMap;

use kab_evidence::folder::{FolderError, RunFolder};
use kab_evidence::join::{Joined, Trace};
use kab_evidence::jsonl::JsonlError;
use kab_evidence::record::CellRecord;
use kab_stats::{Difference, Estimate, Series, Statistic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::{Differing, differing};
use crate::delivery;
use crate::interval::{Range, STATISTICS, nanos};
use crate::judge::{JudgeError, Judged, judge};
use crate::measure::{self, CellMeasurements, Nanoseconds, StepMeasurements};
use crate::outcome;
use crate::value::Nanos;

/// The draws of both runs come from this; they are paired so that it may be
/// the same.
const SEED: u64 = 0x6b61_6221;

/// Run B against run A. Lengths of time are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Names run A, that B is held against.
    pub a: String,
    /// Names run B.
    pub b: String,
    /// Conditions under which the two were not alike. Any of them may be the
    /// cause of any difference.
    pub conditions: Vec<Differing>,
    /// Every step that sends operations and that both runs have.
    pub steps: Vec<StepComparison>,
    /// Cells and steps that only one of the runs has, in sentences.
    pub unmatched: Vec<String>,
}

/// One step of one cell in both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepComparison {
    /// The cell.
    pub cell: String,
    /// The step.
    pub step: String,
    /// Rates in operations a second and counts of operations, by the name that
    /// claims use: in A, and in B.
    pub counts: BTreeMap<String, (Option<f64>, Option<f64>)>,
    /// Latencies that both runs have.
    pub latencies: Vec<LatencyComparison>,
}

/// One statistic of one latency in both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyComparison {
    /// Which latency: `response`, `service` or `delivery.lag`.
    pub latency: String,
    /// Which statistic: `p50`, `p90`, `p99`, `p999` or `mean`.
    pub statistic: String,
    /// In A.
    pub a: Nanos,
    /// In B.
    pub b: Nanos,
    /// B less A.
    pub difference: Nanos,
    /// What can be said of it; none if too few independent samples speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// What can be said of a difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Which way the difference goes.
    pub direction: Direction,
    /// Its 95 % interval.
    pub interval: Range,
    /// B over A; none if A may be 0 or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Its 95 % interval, lower and upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio_interval: Option<(f64, f64)>,
    /// The smallest difference that runs as variable as these would show 8
    /// times of 10, at the 5 % level.
    pub detectable: Nanos,
}

/// Which way a difference goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// B takes longer.
    Slower,
    /// B takes less long.
    Faster,
    /// No difference is shown, which does not show that there is none.
    NoneShown,
}

/// Two runs could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A folder could not be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The evidence could not be read.
    #[error(transparent)]
    Evidence(#[from] JsonlError),
    /// A run is invalid.
    #[error("{run} may not be used to judge, so nothing is said of it: {}", .because.join(" "))]
    Invalid {
        /// The run.
        run: String,
        /// Why.
        because: Vec<String>,
    },
    /// The runs have no step in common.
    #[error(
        "{a} and {b} have no step of the same cell in common, so there is nothing to compare; compare runs of one scenario"
    )]
    NothingInCommon {
        /// Run A.
        a: String,
        /// Run B.
        b: String,
    },
}

impl From<JudgeError> for CompareError {
    fn from(error: JudgeError) -> Self {
        match error {
            JudgeError::Folder(error) => Self::Folder(error),
        }
    }
}

/// Compares the run in folder `b` with that in `a`.
///
/// # Errors
/// If a run cannot be read or is invalid, or if they have no step in common.
pub fn compare(a: &RunFolder, b: &RunFolder) -> Result<Comparison, CompareError> {
    let (run_a, run_b) = (valid(a)?, valid(b)?);
    let mut steps = Vec::new();
    for cell in &run_a.cells {
        let Some(other) = run_b.cells.iter().find(|c| c.cell == cell.cell) else { continue };
        let record = |of: &Judged| of.record.cells.iter().find(|c| c.id == cell.cell).cloned();
        let samples_a = Samples::read(a, record(&run_a).as_ref(), cell)?;
        let samples_b = Samples::read(b, record(&run_b).as_ref(), other)?;
        let every = STATISTICS.map(|(name, _)| name);
        for step in &cell.steps {
            let Some(twin) = other.step(&step.name) else { continue };
            steps.push(StepComparison {
                cell: cell.cell.clone(),
                step: step.name.clone(),
                counts: counts(step, twin),
                latencies: latencies(&samples_a.of(&step.name), &samples_b.of(&step.name), &every),
            });
        }
    }
    let names = (run_a.record.run.clone(), run_b.record.run.clone());
    if steps.is_empty() {
        return Err(CompareError::NothingInCommon { a: names.0, b: names.1 });
    }
    let mut unmatched = only_in("A", &run_a, &run_b);
    unmatched.extend(only_in("B", &run_b, &run_a));
    let conditions = differing(&run_a.record, &run_b.record);
    Ok(Comparison { a: names.0, b: names.1, conditions, steps, unmatched })
}

/// The run in `folder`, if nothing speaks against its numbers.
fn valid(folder: &RunFolder) -> Result<Judged, CompareError> {
    let judged = judge(folder)?;
    let cells = judged.record.cells.iter().flat_map(|cell| &cell.validity.invalid_because);
    let because: Vec<_> =
        judged.record.validity.invalid_because.iter().chain(cells).cloned().collect();
    if because.is_empty() {
        return Ok(judged);
    }
    Err(CompareError::Invalid { run: judged.record.run, because })
}

/// What `here` has and `there` has not.
fn only_in(name: &str, here: &Judged, there: &Judged) -> Vec<String> {
    let mut only = Vec::new();
    for cell in &here.cells {
        match there.cells.iter().find(|other| other.cell == cell.cell) {
            None => only.push(format!("Only {name} has cell {}.", cell.cell)),
            Some(other) => {
                let steps = cell.steps.iter().filter(|step| other.step(&step.name).is_none());
                only.extend(steps.map(|s| format!("Only {name} has {} / {}.", cell.cell, s.name)));
            }
        }
    }
    only
}

/// Rates and outcomes side by side, those that either run has.
fn counts(
    a: &StepMeasurements,
    b: &StepMeasurements,
) -> BTreeMap<String, (Option<f64>, Option<f64>)> {
    let of = |step: &StepMeasurements| {
        let (ops, rate, delivery) = (step.ops.as_ref(), step.rate, step.delivery.as_ref());
        let count = |n: u64| n as f64;
        [
            ("rate.intended", rate.map(|r| r.intended)),
            ("rate.achieved", rate.map(|r| r.achieved)),
            ("ops.ok", ops.map(|o| count(o.ok))),
            ("ops.failed", ops.map(|o| count(o.failed))),
            ("ops.indeterminate", ops.map(|o| count(o.indeterminate))),
            ("ops.missed", ops.map(|o| count(o.missed))),
            ("delivery.lost", delivery.map(|d| count(d.lost))),
            ("delivery.duplicated", delivery.map(|d| count(d.duplicated))),
        ]
    };
    let both = of(a).into_iter().zip(of(b));
    both.filter(|((_, a), (_, b))| a.is_some() || b.is_some())
        .map(|((name, a), (_, b))| (name.to_owned(), (a, b)))
        .collect()
}

/// The samples of one cell's steps, read again from its evidence.
pub(crate) struct Samples {
    joined: Joined,
    subscribers: BTreeMap<String, u32>,
}

/// Samples of each latency, in the order of their intended starts.
pub(crate) type ByLatency = Vec<(&'static str, Vec<i64>)>;

impl Samples {
    pub fn read(
        folder: &RunFolder,
        record: Option<&CellRecord>,
        cell: &CellMeasurements,
    ) -> Result<Self, JsonlError> {
        let joined = Joined::read(&folder.cell(&cell.cell))?;
        let listening = |name: &str| record.map_or(0, |r| measure::subscribers_before(r, name));
        let names = cell.steps.iter().map(|step| step.name.clone());
        let subscribers = names.map(|name| (name.clone(), listening(&name))).collect();
        Ok(Self { joined, subscribers })
    }

    pub fn of(&self, step: &str) -> ByLatency {
        let index = self.joined.steps.iter().position(|known| known == step);
        let own = |trace: &&Trace| Some(usize::from(trace.step)) == index;
        let mut due: Vec<&Trace> = self.joined.traces.iter().filter(own).collect();
        due.sort_by_key(|trace| trace.intended);
        let samples = |of: fn(&Trace) -> Nanoseconds| -> Vec<i64> {
            due.iter().filter_map(|trace| of(trace)).collect()
        };
        let subscribers = self.subscribers.get(step).copied().unwrap_or(0);
        vec![
            ("response", samples(outcome::response)),
            ("service", samples(outcome::service)),
            ("delivery.lag", delivery::lags(due.iter().copied(), subscribers)),
        ]
    }
}

/// The statistics `wanted` of every latency that both have.
pub(crate) fn latencies(a: &ByLatency, b: &ByLatency, wanted: &[&str]) -> Vec<LatencyComparison> {
    let mut all = Vec::new();
    for ((latency, a), (_, b)) in a.iter().zip(b) {
        let (a, b) = (Series::new(a), Series::new(b));
        for (name, statistic) in STATISTICS.into_iter().filter(|(name, _)| wanted.contains(name)) {
            all.extend(latency_of(&a, &b, statistic).map(|(a, b, difference)| LatencyComparison {
                latency: (*latency).to_owned(),
                statistic: name.to_owned(),
                a: nanos(a.value),
                b: nanos(b.value),
                difference: nanos(b.value - a.value),
                found: difference.map(|difference| found(&difference)),
            }));
        }
    }
    all
}

fn latency_of(
    a: &Series<'_>,
    b: &Series<'_>,
    statistic: Statistic,
) -> Option<(Estimate, Estimate, Option<Difference>)> {
    let (a, b) = (a.estimate(statistic, SEED)?, b.estimate(statistic, SEED)?);
    let difference = Difference::of(&a, &b);
    Some((a, b, difference))
}

fn found(difference: &Difference) -> Found {
    Found {
        direction: match difference {
            d if !d.shown() => Direction::NoneShown,
            d if d.interval.low > 0.0 => Direction::Slower,
            _ => Direction::Faster,
        },
        interval: Range {
            low: nanos(difference.interval.low),
            high: nanos(difference.interval.high),
        },
        ratio: difference.ratio,
        ratio_interval: difference.ratio_interval.map(|r| (r.low, r.high)),
        detectable: nanos(difference.detectable),
    }
}

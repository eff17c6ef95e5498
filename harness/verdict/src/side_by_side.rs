//! The systems of one run held against each other: one step at a time, in
//! cells that differ in nothing but the system.
//!
//! The cells ran one after the other, on the same machine and under the same
//! schedule; so their samples are independent of each other, as those of two
//! runs are, and differences are made as [`crate::compare`](mod@crate::compare)
//! makes them. What would differ if a cell were run again is in no interval.

use std::collections::BTreeMap;

use kab_evidence::folder::RunFolder;
use kab_evidence::record::{CellRecord, RunRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compare::{ByLatency, LatencyComparison, Samples, latencies};
use crate::conditions::{Differing, machine};
use crate::measure::CellMeasurements;
use crate::path::Paths;
use crate::value::Value;

/// Verbs of steps that are held against each other.
const COMPARED: [&str; 2] = ["load", "search"];

/// Latencies and statistics of which differences are made.
const LATENCIES: [&str; 2] = ["response", "delivery.lag"];
const STATISTICS: [&str; 2] = ["p50", "p99"];

/// What is told of each system, by the names that claims use.
const NUMBERS: [&str; 27] = [
    "rate.intended",
    "rate.achieved",
    "ops.scheduled",
    "ops.ok",
    "ops.failed",
    "ops.indeterminate",
    "ops.missed",
    "response.p50",
    "response.interval.p50.low",
    "response.interval.p50.high",
    "response.p99",
    "response.interval.p99.low",
    "response.interval.p99.high",
    "delivery.lag.p50",
    "delivery.lag.interval.p50.low",
    "delivery.lag.interval.p50.high",
    "delivery.lag.p99",
    "delivery.lag.interval.p99.low",
    "delivery.lag.interval.p99.high",
    "delivery.lost",
    "delivery.duplicated",
    "stored.missing",
    "cost.cpuPerOp",
    "cost.restCores",
    "cost.bytesPerOp",
    "capacity.held",
    "capacity.broke",
];

/// One step of several systems.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SideBySide {
    /// The step.
    pub step: String,
    /// Value of each axis of the matrix, the same for all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: BTreeMap<String, serde_json::Value>,
    /// The systems, in the order in which they were run.
    pub columns: Vec<Column>,
    /// Every two of them whose numbers may be used.
    pub pairs: Vec<Pair>,
}

/// One system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// Which.
    pub system: String,
    /// Its cell.
    pub cell: String,
    /// Whether its numbers may be used.
    pub valid: bool,
    /// What was measured, by the name that claims use: lengths of time in
    /// nanoseconds, sizes in bytes. What is absent was not measured.
    pub numbers: BTreeMap<String, f64>,
}

/// Two systems, the second held against the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    /// The system that the other is held against.
    pub a: String,
    /// The other.
    pub b: String,
    /// What else the machine did while each of them ran, where that was not
    /// alike. Then any of it may be the cause of any difference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Differing>,
    /// Latencies that both have.
    pub latencies: Vec<LatencyComparison>,
}

/// The systems of the run in `folder` side by side; nothing where there is but
/// one. `cells` are in the order of `record`, whose validity is known.
pub(crate) fn side_by_side(
    folder: &RunFolder,
    record: &RunRecord,
    cells: &[CellMeasurements],
) -> Vec<SideBySide> {
    let mut groups: Vec<Vec<(&CellRecord, &CellMeasurements)>> = Vec::new();
    for pair in record.cells.iter().zip(cells) {
        match groups.iter_mut().find(|group| group[0].0.axes == pair.0.axes) {
            Some(group) => group.push(pair),
            None => groups.push(vec![pair]),
        }
    }
    groups.retain(|group| group.iter().any(|(cell, _)| cell.system != group[0].0.system));
    groups.iter().flat_map(|group| steps(folder, record, group)).collect()
}

/// Each step that at least two of `group` have.
fn steps(
    folder: &RunFolder,
    record: &RunRecord,
    group: &[(&CellRecord, &CellMeasurements)],
) -> Vec<SideBySide> {
    let mut names: Vec<&str> = Vec::new();
    for step in group.iter().flat_map(|(_, measured)| &measured.steps) {
        if COMPARED.contains(&step.verb.as_str()) && !names.contains(&step.name.as_str()) {
            names.push(&step.name);
        }
    }
    let valid = |cell: &CellRecord| record.validity.is_valid() && cell.validity.is_valid();
    // Evidence that cannot be read has made its cell invalid already.
    let samples: Vec<Option<Samples>> = group
        .iter()
        .map(|(cell, measured)| {
            let wanted = valid(cell) && !names.is_empty();
            wanted.then(|| Samples::read(folder, Some(cell), measured).ok()).flatten()
        })
        .collect();
    let mut all = Vec::new();
    for name in names {
        let having = group.iter().zip(&samples).filter(|((_, m), _)| m.step(name).is_some());
        let having: Vec<_> = having.collect();
        if having.len() < 2 {
            continue;
        }
        let columns = having.iter().map(|((cell, measured), _)| Column {
            system: cell.system.clone(),
            cell: cell.id.clone(),
            valid: valid(cell),
            numbers: numbers(measured, name),
        });
        let sampled: Vec<Sampled<'_>> = having
            .iter()
            .filter_map(|((cell, _), samples)| {
                let mut of = samples.as_ref()?.of(name);
                of.retain(|(latency, _)| LATENCIES.contains(latency));
                Some((*cell, of))
            })
            .collect();
        all.push(SideBySide {
            step: name.to_owned(),
            axes: group[0].0.axes.clone(),
            columns: columns.collect(),
            pairs: pairs(&sampled),
        });
    }
    all
}

/// A cell, and the samples of one of its steps.
type Sampled<'a> = (&'a CellRecord, ByLatency);

fn pairs(sampled: &[Sampled<'_>]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (place, (a, of_a)) in sampled.iter().enumerate() {
        for (b, of_b) in &sampled[place + 1..] {
            let latencies = latencies(of_a, of_b, &STATISTICS);
            if !latencies.is_empty() {
                pairs.push(Pair {
                    a: a.system.clone(),
                    b: b.system.clone(),
                    conditions: machine(a.pressure.as_ref(), b.pressure.as_ref(), ""),
                    latencies,
                });
            }
        }
    }
    pairs
}

fn numbers(measured: &CellMeasurements, step: &str) -> BTreeMap<String, f64> {
    let paths = Paths::of(measured);
    let value = |name: &str| {
        Some(match paths.get(&format!("{step}.{name}"))? {
            Value::Count(n) => n as f64,
            Value::Bytes(n) => n as f64,
            Value::Duration(length) => length.0 as f64,
            Value::Ratio(x) | Value::PerSecond(x) | Value::Cores(x) => x,
            Value::Flag(_) | Value::Number(_) | Value::Text(_) => return None,
        })
    };
    // Where no rate broke, the bound is infinite, which JSON cannot say.
    let finite = |(name, value): (&str, f64)| value.is_finite().then(|| (name.to_owned(), value));
    NUMBERS.into_iter().filter_map(|name| Some((name, value(name)?))).filter_map(finite).collect()
}

//! What a `search` step did and found, in the results of its step record under
//! [`RESULT`].

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Mono;

/// Under which name a step's results hold a [`CapacityRecord`].
pub const RESULT: &str = "capacity";

/// A search for the highest rate at which an objective holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityRecord {
    /// The objective, as CEL over the measurements of one probe.
    pub hold: String,
    /// A probe whose generator was later than this says nothing.
    #[schemars(with = "serde_json::Value")]
    pub late_at_most: Duration,
    /// Every probe, in order.
    pub probes: Vec<ProbeRecord>,
    /// The highest rate at which it is sure to hold; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<f64>,
    /// The lowest rate at which it is sure to break; none if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke: Option<f64>,
    /// The rate that the generator could not produce, if the answer may lie
    /// beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<f64>,
    /// Pairs of rates: at the first it broke, at the second, not lower, it held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<(f64, f64)>,
    /// Rates whose repeats did not agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<f64>,
    /// Whether the search came to its end.
    pub complete: bool,
    /// All of that in words.
    pub summary: String,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeRecord {
    /// Under which name the ledger has its operations: `creates@200#1`.
    pub step: String,
    /// Operations a second.
    pub rate: f64,
    /// Operations due before this instant were its warm-up, and do not count.
    pub counted_from: Mono,
    /// Operations that count.
    pub scheduled: u64,
    /// `climb`, `halve` or `confirm`.
    pub purpose: String,
    /// What came of it.
    pub outcome: ProbeResult,
    /// Why, in a sentence; empty if the objective held.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What came of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ProbeResult {
    /// The objective held.
    Held,
    /// It did not.
    Broke,
    /// The generator did not produce the load.
    Invalid,
}

//! Sampled metrics, on the same clock as the traces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Mono;

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
    /// The reading.
    pub value: f64,
}

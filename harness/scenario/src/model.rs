//! The scenario file's types. They are the format: the published JSON schema
//! is generated from them.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{Bytes, Rate, Span};

/// The one version of the format that this kab reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first format.
    #[serde(rename = "kab.dev/v1alpha1")]
    V1alpha1,
}

/// The one kind of document that this kab reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A scenario.
    Scenario,
}

/// A script for the lab, and what it is meant to show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Version of the format.
    pub api_version: ApiVersion,
    /// Kind of the document.
    pub kind: Kind,
    /// What it is called.
    pub metadata: Metadata,
    /// What it does.
    pub spec: Spec,
}

/// What a scenario is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Unique among the scenarios; the file's name without `.yaml`.
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// A line for `kab list`.
    pub summary: String,
}

/// What a scenario does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The risk of the catalogue that it examines, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// The question that its claims answer.
    pub question: String,
    /// How long one may wait for it.
    #[serde(default)]
    pub tier: Tier,
    /// The cluster it wants.
    #[serde(default)]
    pub cluster: Cluster,
    /// The systems on trial, each in a cell of its own.
    #[schemars(length(min = 1))]
    pub systems: Vec<System>,
    /// Axes to vary; every combination becomes a cell for each system.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub matrix: BTreeMap<String, Axis>,
    /// What is done, in order.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
    /// What is judged afterwards.
    #[schemars(length(min = 1))]
    pub claims: Vec<Claim>,
}

/// How long one may wait for a scenario.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Tier {
    /// Under two minutes.
    #[default]
    Quick,
    /// Over night.
    Nightly,
    /// Over days.
    Soak,
}

/// A system on trial.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum System {
    /// The reference backend as its origin built it, defects included.
    Naive,
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Naive => "naive",
        })
    }
}

/// One axis of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Axis {
    /// What varies, as a path below `spec`, in the notation of `--set`:
    /// `steps.write.load.rate`.
    pub path: String,
    /// The values it takes.
    #[schemars(length(min = 1))]
    pub values: Vec<serde_json::Value>,
}

/// The cluster a scenario wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// The store.
    #[serde(default)]
    pub etcd: Etcd,
    /// The API server.
    #[serde(default)]
    pub apiserver: Component,
    /// The controller manager: left out unless it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_manager: Option<Component>,
}

/// Settings of etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Etcd {
    /// Size at which etcd refuses writes. etcd's own default is 2 GiB.
    #[serde(default = "two_gib")]
    pub quota: Bytes,
    /// Whether it waits for the disk before it acknowledges. Off only makes
    /// sense where durability is not in question; the report says so.
    #[serde(default = "yes")]
    pub fsync: bool,
    /// More flags, without the leading dashes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, String>,
}

impl Default for Etcd {
    fn default() -> Self {
        Self { quota: two_gib(), fsync: true, flags: BTreeMap::new() }
    }
}

fn two_gib() -> Bytes {
    Bytes::from(2 << 30)
}

const fn yes() -> bool {
    true
}

/// Settings of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Component {
    /// Flags, without the leading dashes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, String>,
}

/// One step: a name, and exactly one verb.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// Claims find the step's measurements under this name.
    #[schemars(regex(pattern = r"^[a-z][a-zA-Z0-9]*$"))]
    pub name: String,
    /// What is done.
    #[serde(flatten)]
    pub verb: Verb,
}

/// What a step can do. In the file, the verb is a key beside `name`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Make entities before anything is measured.
    Seed(Seed),
    /// Listen for notifications until the end of the scenario.
    Subscribe(Subscribe),
    /// Send operations on a schedule.
    Load(Load),
    /// Wait until something has come true.
    Wait(Wait),
    /// Hold the evidence against the store.
    Check(Check),
}

impl Verb {
    /// Its name in the file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Seed(_) => "seed",
            Self::Subscribe(_) => "subscribe",
            Self::Load(_) => "load",
            Self::Wait(_) => "wait",
            Self::Check(_) => "check",
        }
    }
}

/// Makes entities, as fast as `inFlight` allows, and fails if one is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// How many.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: u64,
    /// How many at a time.
    #[serde(default = "eight")]
    #[schemars(range(min = 1, max = 1_000))]
    pub in_flight: u32,
    /// What is in each.
    #[serde(default)]
    pub payload: Payload,
}

const fn eight() -> u32 {
    8
}

/// Listens for notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscribe {
    /// How many subscribers, each with an informer of its own.
    #[schemars(range(min = 1, max = 100))]
    pub count: u32,
}

/// Sends creates through the gateway, open loop: operation i is due at
/// `start + i / rate`, whatever became of those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Load {
    /// Operations a second.
    pub rate: Rate,
    /// For how long.
    pub duration: Span,
    /// What is in each entity.
    #[serde(default)]
    pub payload: Payload,
    /// After this long, counted from sending, an operation is given up: its
    /// outcome is indeterminate.
    #[serde(default = "ten_seconds")]
    pub deadline: Span,
    /// At most so many at a time; an operation due beyond that is counted as
    /// missed.
    #[serde(default = "five_hundred")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_in_flight: u32,
}

fn ten_seconds() -> Span {
    Span::from(std::time::Duration::from_secs(10))
}

const fn five_hundred() -> u32 {
    500
}

/// What is in an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Payload {
    /// Length of the message, drawn anew for each entity from the seed.
    pub size: Bytes,
}

impl Default for Payload {
    fn default() -> Self {
        Self { size: Bytes::from(256) }
    }
}

/// Waits until something has come true, or for `atMost`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wait {
    /// What is awaited.
    pub until: Condition,
    /// How long at most. That it took this long is no failure of the run.
    pub at_most: Span,
}

/// What can be awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// Every acknowledged write so far has reached every subscriber.
    Delivered,
    /// The time is over.
    Elapsed,
}

/// Holds the ledger of a load step against what the store holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// The load or seed step whose writes are looked for in the store.
    pub stored: String,
}

/// Something that the scenario sets out to confirm or refute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// Names the verdict.
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub id: String,
    /// What is claimed, in a sentence.
    pub statement: String,
    /// What must hold before either may be said: CEL, each true or false.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// What confirms it: CEL over the measurements.
    pub confirmed: String,
    /// What refutes it: CEL over the measurements. Neither: inconclusive.
    pub refuted: String,
    /// Where the thresholds come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// The verdict to expect of each system, if one is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<System, Expectation>,
}

/// A verdict that a scenario may expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expectation {
    /// The claim holds.
    Confirmed,
    /// The claim is shown wrong.
    Refuted,
}

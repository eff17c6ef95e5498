//! The scenario file's types. They are the format: the published JSON schema
//! is generated from them.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::attempt::{Attempt, Identity, Method, filled};
pub use crate::defects::{Defect, Switches};
pub use crate::fault::{Behaviour, Fault, SubscriberFault};
pub use crate::search::{Rates, Search, SearchLoad};
pub use crate::step::{
    Check, Condition, MOST_INFORMERS, Seed, Step, Subscribe, SubscribeClient, Verb, Wait,
};
pub use crate::traffic::*;
use crate::unit::Bytes;

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
    #[schemars(with = "String")]
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
    /// Defects to switch on or off, whatever the systems have by themselves: all
    /// of them, or none.
    #[serde(default, skip_serializing_if = "Switches::is_empty")]
    pub defects: Switches,
    /// How many instances of the system there are, in namespaces of their own:
    /// kab01, kab02, ... The others than the first are idle unless a step
    /// addresses them.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 4))]
    pub instances: u32,
    /// Who puts the system into the cluster.
    #[serde(default, skip_serializing_if = "DeployedBy::is_lab")]
    pub deployed_by: DeployedBy,
    /// The kinds of processes whose death is part of the question: it does not
    /// make the numbers invalid, and claims find it under `died`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub may_die: Vec<Mortal>,
    /// Axes to vary; every combination becomes a cell for each system.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z][a-zA-Z0-9]*$" }))]
    pub matrix: BTreeMap<String, Axis>,
    /// What is done, in order.
    #[schemars(length(min = 1, max = 1000))]
    pub steps: Vec<Step>,
    /// What is judged afterwards.
    #[schemars(length(min = 1, max = 1000))]
    pub claims: Vec<Claim>,
}

const fn one() -> u32 {
    1
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_one(count: &u32) -> bool {
    *count == 1
}

/// Who puts the system into the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeployedBy {
    /// The lab: it makes the objects, and starts the processes.
    #[default]
    Lab,
    /// The system's own operator.
    Operator,
}

impl DeployedBy {
    /// Whether it is the lab.
    // serde hands over a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub const fn is_lab(&self) -> bool {
        matches!(self, Self::Lab)
    }
}

/// A kind of process that may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mortal {
    /// A gateway.
    Gateway,
    /// An admission webhook.
    Webhook,
    /// An informer.
    Informer,
    /// An operator.
    Operator,
    /// What brings an outbox to the broker.
    Relay,
    /// What brings the broker's messages to a subscriber.
    Consumer,
}

impl Mortal {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Webhook => "webhook",
            Self::Informer => "informer",
            Self::Operator => "operator",
            Self::Relay => "relay",
            Self::Consumer => "consumer",
        }
    }
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
    /// The same architecture, as well as Kubernetes allows today.
    Hardened,
    /// Hardened, with an admission policy in the apiserver in place of the webhook.
    HardenedPolicy,
    /// PostgreSQL and NATS behind the same gateway.
    Conventional,
}

impl System {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Naive, Self::Hardened, Self::HardenedPolicy, Self::Conventional];

    /// Whether its writes are judged by an admission webhook: where they are
    /// not, no webhook is to be found on a write's way.
    pub const fn has_webhook(self) -> bool {
        matches!(self, Self::Naive | Self::Hardened)
    }

    /// The system called `name`.
    pub fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.to_string() == name)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Naive => "naive",
            Self::Hardened => "hardened",
            Self::HardenedPolicy => "hardenedPolicy",
            Self::Conventional => "conventional",
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
    pub apiserver: Apiserver,
    /// The controller manager: left out unless it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Component")]
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

/// Settings of the API server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Apiserver {
    /// Whether it traces every request, as the inner part of the waterfall.
    /// That costs it CPU time, so it is off unless it is asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tracing: bool,
    /// Flags, without the leading dashes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, String>,
}

/// Settings of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Component {
    /// Flags, without the leading dashes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, String>,
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
    #[schemars(length(max = 100))]
    pub needs: Vec<String>,
    /// What confirms it: CEL over the measurements.
    pub confirmed: String,
    /// What refutes it: CEL over the measurements. Neither: inconclusive.
    pub refuted: String,
    /// Where the thresholds come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub threshold: Option<String>,
    /// The verdict to expect of each system, if one is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "$ref": "#/$defs/System" }))]
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

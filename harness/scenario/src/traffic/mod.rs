//! The `load` step: what is sent, when, by whom and how.

mod arrivals;
mod content;
mod negotiation;
mod union;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use arrivals::{
    Arrivals, Between, Burst, Closed, Counted, ExponentialTime, LognormalTime, Point, Pulse, Ramp,
    RateStep, Replay, Steady, Think, ThinkTime, Until,
};
pub use content::{
    HotKeys, Keys, LognormalSize, Payload, Pick, Size, SizeChoice, Sizes, UniformSize, ZipfKeys,
};

pub use negotiation::{Encoding, Resource};
pub(crate) use union::one_key;

use crate::unit::{Rate, Span};

/// Sends operations: creates through the gateway at a constant rate, unless
/// it says otherwise. Open loop: operation i is due when the schedule says,
/// whatever became of those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "LoadForm", into = "LoadForm")]
#[schemars(transform = rate_or_arrivals)]
pub struct Load {
    /// When operations are due.
    pub arrivals: Arrivals,
    /// Everything else.
    pub traffic: Traffic,
}

/// How a load looks in the file: `rate` and `duration` stand for constant
/// arrivals.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoadForm {
    /// Operations a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Rate")]
    rate: Option<Rate>,
    /// For how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    duration: Option<Span>,
    /// When operations are due, instead of `rate` and `duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Arrivals")]
    arrivals: Option<Arrivals>,
    /// What they do: kinds of operations and their weights.
    #[serde(default = "creates", skip_serializing_if = "only_creates")]
    #[schemars(extend("minProperties" = 1), transform = keyed_by_operation)]
    mix: BTreeMap<Operation, u32>,
    /// Which of the existing entities `get`, `update`, `patch` and `delete` are
    /// about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Keys")]
    keys: Option<Keys>,
    /// What is in each entity written.
    #[serde(default)]
    payload: Payload,
    /// After this long, counted from sending, an operation is given up: its
    /// outcome is indeterminate.
    #[serde(default = "ten_seconds")]
    deadline: Span,
    /// Deadlines of single kinds of operations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = keyed_by_operation)]
    deadlines: BTreeMap<Operation, Span>,
    /// At most so many at a time; an operation due beyond that is counted as
    /// missed.
    #[serde(default = "five_hundred")]
    #[schemars(range(min = 1, max = 100_000))]
    max_in_flight: u32,
    /// How many service accounts ask, in turn: the flows that the apiserver's
    /// priority and fairness sees.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000))]
    identities: u16,
    /// Who is asked.
    #[serde(default)]
    via: Via,
    /// Which kind of objects the operations are about. Built-in ones only
    /// through the apiserver; nobody is notified of them.
    #[serde(default, skip_serializing_if = "Resource::is_todo")]
    resource: Resource,
    /// How answers are asked to be encoded; other than JSON only through the
    /// apiserver.
    #[serde(default, skip_serializing_if = "Encoding::is_json")]
    encoding: Encoding,
    /// Which HTTP is spoken.
    #[serde(default)]
    protocol: Protocol,
    /// How many connections; without it, as many as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 10_000))]
    connections: Option<u32>,
    /// How the generator waits for the next operation.
    #[serde(default)]
    wait: Waiting,
    /// How many processes share the load: each sends every n-th operation, and
    /// has its share of `maxInFlight` and `connections`.
    #[serde(default = "one_process", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 64))]
    workers: u32,
}

const fn one_process() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_one(workers: &u32) -> bool {
    *workers == 1
}

/// What is sent, by whom and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// Kinds of operations and their weights.
    pub mix: BTreeMap<Operation, u32>,
    /// Which entities operations are about, if any are about one.
    pub keys: Option<Keys>,
    /// What is in each entity written.
    pub payload: Payload,
    /// Longest time from sending to the answer.
    pub deadline: Span,
    /// Deadlines of single kinds of operations.
    pub deadlines: BTreeMap<Operation, Span>,
    /// Most operations in flight.
    pub max_in_flight: u32,
    /// How many service accounts ask, in turn.
    pub identities: u16,
    /// Who is asked.
    pub via: Via,
    /// Which kind of objects the operations are about.
    pub resource: Resource,
    /// How answers are asked to be encoded.
    pub encoding: Encoding,
    /// Which HTTP is spoken.
    pub protocol: Protocol,
    /// How many connections; none: as many as it takes.
    pub connections: Option<u32>,
    /// How the generator waits.
    pub wait: Waiting,
    /// How many processes share the load.
    pub workers: u32,
}

/// A kind of operation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Make a new entity.
    Create,
    /// Read one.
    Get,
    /// Read all.
    List,
    /// Replace one.
    Update,
    /// Change a part of one.
    Patch,
    /// Remove one.
    Delete,
}

impl Operation {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Create, Self::Get, Self::List, Self::Update, Self::Patch, Self::Delete];

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::List => "list",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    /// Whether it is about an entity that must exist.
    pub const fn needs_entity(self) -> bool {
        matches!(self, Self::Get | Self::Update | Self::Patch | Self::Delete)
    }

    /// Whether it sends an entity along.
    pub const fn has_payload(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Via {
    /// The system's gateway, as its users ask.
    #[default]
    Gateway,
    /// The apiserver itself.
    Apiserver,
}

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// What the server offers first.
    #[default]
    Auto,
    /// HTTP/1.1: an operation a connection at a time.
    Http1,
    /// HTTP/2: many operations a connection.
    Http2,
}

/// How the generator waits for the next operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Waiting {
    /// Asleep, until the kernel's timer wakes it: some 60 us late.
    #[default]
    Timer,
    /// Awake, on a core of its own: exact.
    Spin,
    /// Asleep, then awake for the last stretch.
    Hybrid,
}

impl Load {
    /// How many operations are due. Of a closed loop that ends by time, how many
    /// are planned with: as if each took 10 ms, and the time to think.
    pub fn operations(&self) -> u64 {
        match (self.arrivals.operations(), &self.arrivals) {
            (Some(operations), _) => operations,
            (None, Arrivals::Closed(closed)) => {
                let time = self.arrivals.duration().unwrap_or_default().as_secs_f64();
                // A float-to-integer cast saturates: absurd loads stay absurd.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let operations = (time * closed.planned_rate()) as u64;
                operations
            }
            (None, _) => 0,
        }
    }

    /// How long a closed loop that ends by number is planned with.
    pub(crate) fn counted_time(&self) -> Duration {
        let (Some(operations), Arrivals::Closed(closed)) =
            (self.arrivals.operations(), &self.arrivals)
        else {
            return Duration::ZERO;
        };
        #[allow(clippy::cast_precision_loss)] // an estimate
        let seconds = operations as f64 / closed.planned_rate();
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Which share of the operations carries an entity.
    pub fn share_with_payload(&self) -> f64 {
        let sum = |of: &dyn Fn(Operation) -> bool| -> f64 {
            self.traffic.mix.iter().filter(|(op, _)| of(**op)).map(|(_, w)| f64::from(*w)).sum()
        };
        let all = sum(&|_| true);
        if all > 0.0 { sum(&Operation::has_payload) / all } else { 0.0 }
    }
}

impl Closed {
    /// Operations a second, if each took 10 ms and the time to think.
    fn planned_rate(&self) -> f64 {
        f64::from(self.clients) / (self.think.as_ref().map_or(0.0, Think::mean) + 0.01)
    }
}

impl Think {
    /// Its mean, in seconds.
    pub fn mean(&self) -> f64 {
        let seconds = |span: &Span| span.duration().as_secs_f64();
        match self {
            Self::Fixed(time) => seconds(time),
            Self::Drawn(ThinkTime::Exponential(time)) => seconds(&time.mean),
            Self::Drawn(ThinkTime::Lognormal(time)) => {
                seconds(&time.median) * (time.sigma * time.sigma / 2.0).exp()
            }
        }
    }
}

impl TryFrom<LoadForm> for Load {
    type Error = &'static str;

    fn try_from(form: LoadForm) -> Result<Self, Self::Error> {
        let arrivals = match (form.arrivals, form.rate, form.duration) {
            (Some(arrivals), None, None) => arrivals,
            (None, Some(rate), Some(duration)) => Arrivals::Constant(Steady { rate, duration }),
            _ => return Err("a load needs either `rate` and `duration`, or `arrivals`"),
        };
        let traffic = Traffic {
            mix: form.mix,
            keys: form.keys,
            payload: form.payload,
            deadline: form.deadline,
            deadlines: form.deadlines,
            max_in_flight: form.max_in_flight,
            identities: form.identities,
            via: form.via,
            resource: form.resource,
            encoding: form.encoding,
            protocol: form.protocol,
            connections: form.connections,
            wait: form.wait,
            workers: form.workers,
        };
        Ok(Self { arrivals, traffic })
    }
}

impl From<Load> for LoadForm {
    fn from(Load { arrivals, traffic }: Load) -> Self {
        let (rate, duration, arrivals) = match arrivals {
            Arrivals::Constant(Steady { rate, duration }) => (Some(rate), Some(duration), None),
            other => (None, None, Some(other)),
        };
        Self {
            rate,
            duration,
            arrivals,
            mix: traffic.mix,
            keys: traffic.keys,
            payload: traffic.payload,
            deadline: traffic.deadline,
            deadlines: traffic.deadlines,
            max_in_flight: traffic.max_in_flight,
            identities: traffic.identities,
            via: traffic.via,
            resource: traffic.resource,
            encoding: traffic.encoding,
            protocol: traffic.protocol,
            connections: traffic.connections,
            wait: traffic.wait,
            workers: traffic.workers,
        }
    }
}

/// Says in the JSON schema what [`LoadForm`]'s optional fields cannot.
fn rate_or_arrivals(schema: &mut schemars::Schema) {
    schema.insert("if".to_owned(), json!({ "required": ["arrivals"] }));
    schema.insert("then".to_owned(), json!({ "properties": { "rate": false, "duration": false } }));
    schema.insert("else".to_owned(), json!({ "required": ["rate", "duration"] }));
}

/// Says which keys there may be: a map's keys have no schema of their own.
fn keyed_by_operation(schema: &mut schemars::Schema) {
    let each = Operation::ALL.map(|operation| json!({ "const": operation.name() }));
    schema.insert("propertyNames".to_owned(), json!({ "oneOf": each }));
}

pub(crate) fn creates() -> BTreeMap<Operation, u32> {
    BTreeMap::from([(Operation::Create, 1)])
}

fn only_creates(mix: &BTreeMap<Operation, u32>) -> bool {
    *mix == creates()
}

pub(crate) fn ten_seconds() -> Span {
    Span::from(Duration::from_secs(10))
}

pub(crate) const fn five_hundred() -> u32 {
    500
}

pub(crate) const fn one() -> u16 {
    1
}

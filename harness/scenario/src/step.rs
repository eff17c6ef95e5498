//! Steps: the vocabulary that scenarios are written in. A new verb is a struct
//! here, a variant of [`Verb`] and a field of [`StepForm`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::fault::Fault;
use crate::search::Search;
use crate::traffic::{Load, Payload, Resource};
use crate::unit::Span;

/// One step: a name, and exactly one verb.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "StepForm", into = "StepForm")]
#[schemars(transform = exactly_one_verb)]
pub struct Step {
    /// Claims find the step's measurements under this name.
    pub name: String,
    /// What is done.
    pub verb: Verb,
}

/// What a step can do. In the file, the verb is a key beside `name`.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Make entities before anything is measured.
    Seed(Seed),
    /// Listen for notifications until the end of the scenario.
    Subscribe(Subscribe),
    /// Send operations on a schedule.
    Load(Load),
    /// Search the highest rate at which an objective holds.
    Search(Search),
    /// Wait until something has come true.
    Wait(Wait),
    /// Hold the evidence against the store.
    Check(Check),
    /// Make a single request, and note what came of it.
    Attempt(Attempt),
    /// Do something to a process, or have a subscriber misbehave.
    Fault(Fault),
}

impl Verb {
    /// Every verb, as written in the file.
    pub const NAMES: [&'static str; 8] =
        ["seed", "subscribe", "load", "search", "wait", "check", "attempt", "fault"];

    /// Its name in the file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Seed(_) => "seed",
            Self::Subscribe(_) => "subscribe",
            Self::Load(_) => "load",
            Self::Search(_) => "search",
            Self::Wait(_) => "wait",
            Self::Check(_) => "check",
            Self::Attempt(_) => "attempt",
            Self::Fault(_) => "fault",
        }
    }
}

/// How a step looks in the file: each verb an optional key, so that editors
/// complete them and serde can refuse unknown ones.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepForm {
    /// Claims find the step's measurements under this name.
    #[schemars(regex(pattern = r"^[a-z][a-zA-Z0-9]*$"))]
    name: String,
    /// Make entities before anything is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Seed")]
    seed: Option<Seed>,
    /// Listen for notifications until the end of the scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Subscribe")]
    subscribe: Option<Subscribe>,
    /// Send operations on a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Load")]
    load: Option<Load>,
    /// Search the highest rate at which an objective holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Search")]
    search: Option<Search>,
    /// Wait until something has come true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Wait")]
    wait: Option<Wait>,
    /// Hold the evidence against the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Check")]
    check: Option<Check>,
    /// Make a single request, and note what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Attempt")]
    attempt: Option<Attempt>,
    /// Do something to a process, or have a subscriber misbehave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Fault")]
    fault: Option<Fault>,
}

impl TryFrom<StepForm> for Step {
    type Error = String;

    fn try_from(form: StepForm) -> Result<Self, Self::Error> {
        let StepForm { name, seed, subscribe, load, search, wait, check, attempt, fault } = form;
        let verbs = [
            seed.map(Verb::Seed),
            subscribe.map(Verb::Subscribe),
            load.map(Verb::Load),
            search.map(Verb::Search),
            wait.map(Verb::Wait),
            check.map(Verb::Check),
            attempt.map(Verb::Attempt),
            fault.map(Verb::Fault),
        ];
        let mut verbs = verbs.into_iter().flatten();
        match (verbs.next(), verbs.next()) {
            (Some(verb), None) => Ok(Self { name, verb }),
            _ => Err(format!("step {name:?} needs exactly one of {}", Verb::NAMES.join(", "))),
        }
    }
}

impl From<Step> for StepForm {
    fn from(Step { name, verb }: Step) -> Self {
        let mut form = Self { name, ..Self::default() };
        match verb {
            Verb::Seed(seed) => form.seed = Some(seed),
            Verb::Subscribe(subscribe) => form.subscribe = Some(subscribe),
            Verb::Load(load) => form.load = Some(load),
            Verb::Search(search) => form.search = Some(search),
            Verb::Wait(wait) => form.wait = Some(wait),
            Verb::Check(check) => form.check = Some(check),
            Verb::Attempt(attempt) => form.attempt = Some(attempt),
            Verb::Fault(fault) => form.fault = Some(fault),
        }
        form
    }
}

/// Says in the JSON schema what [`StepForm`]'s optional keys cannot.
fn exactly_one_verb(schema: &mut schemars::Schema) {
    let each = Verb::NAMES.map(|verb| serde_json::json!({ "required": [verb] }));
    schema.insert("oneOf".to_owned(), each.to_vec().into());
}

/// Makes entities, as fast as `inFlight` allows, and fails if one is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What they are: built-in kinds are made through the apiserver, and nobody
    /// is notified of them.
    #[serde(default, skip_serializing_if = "Resource::is_todo")]
    pub resource: Resource,
}

const fn eight() -> u32 {
    8
}

/// Listens for changes of the entities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscribe {
    /// How many: up to 100 informers, up to 20,000 of the others.
    #[schemars(range(min = 1, max = 20_000))]
    pub count: u32,
    /// What listens.
    #[serde(default)]
    pub client: SubscribeClient,
    /// How many replicas of its informer each subscriber has.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 10))]
    pub replicas: u32,
}

const fn one() -> u32 {
    1
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_one(replicas: &u32) -> bool {
    *replicas == 1
}

/// More informers than this are refused: each is a process of its own.
pub const MOST_INFORMERS: u32 = 100;

/// What listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SubscribeClient {
    /// Subscribers of the system under test, each with an informer of its own:
    /// a process that watches and notifies.
    #[default]
    Informer,
    /// Bare watch streams of the apiserver, as many on a connection as it
    /// allows.
    Raw,
    /// Clients of the apiserver as operators have them: `kube::runtime::watcher`.
    Runtime,
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

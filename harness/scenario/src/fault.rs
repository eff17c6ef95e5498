//! The `fault` step: what is done to a process, or to a subscriber.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::traffic::one_key;
use crate::unit::Span;

/// Does something to a process of the system, or has a subscriber misbehave. A
/// death that follows from it is part of the scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = one_key, transform = named_processes)]
pub enum Fault {
    /// End a process at once (SIGKILL): `webhook`, `informer-0`, `kab02-webhook`.
    Kill(String),
    /// Have a process stand still (SIGSTOP).
    Stop(String),
    /// Have a process that stands still go on (SIGCONT).
    Continue(String),
    /// End a process in order, or replace a dead one, by the same app with the
    /// same configuration at the same address; done when that is ready.
    Restart(String),
    /// Have a subscriber behave otherwise.
    Subscriber(SubscriberFault),
}

impl Fault {
    /// What it does, in a word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::Stop(_) => "stop",
            Self::Continue(_) => "continue",
            Self::Restart(_) => "restart",
            Self::Subscriber(_) => "subscriber",
        }
    }

    /// The process that it is done to.
    pub fn process(&self) -> Option<&str> {
        match self {
            Self::Kill(name) | Self::Stop(name) | Self::Continue(name) | Self::Restart(name) => {
                Some(name)
            }
            Self::Subscriber(_) => None,
        }
    }
}

/// Names of processes have a form of their own.
fn named_processes(schema: &mut schemars::Schema) {
    let Some(serde_json::Value::Object(fields)) = schema.get_mut("properties") else { return };
    for (name, field) in fields {
        if let Some(field) = field.as_object_mut().filter(|_| name != "subscriber") {
            field.insert("pattern".to_owned(), PROCESS.into());
        }
    }
}

/// The form of a process's name.
const PROCESS: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// How a subscriber is to behave from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubscriberFault {
    /// Which subscriber, from 0, in the order in which they were started.
    #[serde(default)]
    pub index: u32,
    /// What it does with notifications.
    pub behaves: Behaviour,
    /// The status that it refuses with.
    #[serde(default = "unavailable")]
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// For how long; without it until the next fault of this subscriber. Steps
    /// go on meanwhile.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub time: Option<Span>,
}

const fn unavailable() -> u16 {
    503
}

/// What a subscriber does with notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Behaviour {
    /// It takes them.
    Normal,
    /// It answers with a status that is a refusal, and forgets them.
    Refuse,
    /// It reads them, and never answers.
    Silent,
    /// It does not listen.
    Down,
}

impl Behaviour {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Refuse => "refuse",
            Self::Silent => "silent",
            Self::Down => "down",
        }
    }
}

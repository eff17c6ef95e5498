//! How each operation of the load ended.
//!
//! Every operation of the schedule is in the ledger, also those that were
//! never sent. Oracles count with all four outcomes; percentiles say which of
//! them they are over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Mono;
use crate::id::OpId;

/// What an operation asked for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum OpKind {
    /// Make a new entity.
    Create,
    /// Read the collection.
    List,
    /// Read one entity.
    Get,
    /// Replace an entity (PUT).
    Update,
    /// Change a part of an entity (PATCH).
    Patch,
    /// Remove an entity.
    Delete,
}

impl OpKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Create, Self::Get, Self::List, Self::Update, Self::Patch, Self::Delete];

    /// Its name, as in the ledger and in scenarios.
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

    /// Whether it changes the store.
    pub const fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }

    /// Whether it leaves its operation id on the entity, where a watcher finds
    /// it. A removed entity is announced with the id of the write before.
    pub const fn leaves_its_id(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch)
    }
}

/// How an operation ended, as far as its sender can know.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Acknowledged: the system says it was done.
    Ok,
    /// Certainly not applied: refused before it was sent, or by an answer that
    /// cannot follow a write.
    Failed,
    /// Perhaps applied: timed out, connection lost, or an answer that says too
    /// little.
    Indeterminate,
    /// Never sent, because too many were in flight. Counted, not skipped.
    Missed,
}

/// One line of the ledger: one operation of the schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpRecord {
    /// Which operation.
    pub op: OpId,
    /// The scenario step it belongs to.
    pub step: String,
    /// What it asked for.
    pub kind: OpKind,
    /// The entity's name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When the schedule wanted it sent.
    pub intended: Mono,
    /// When it was handed to the transport; none if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Mono>,
    /// When its outcome was known; none if it never was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Mono>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, as a short class: `http-201`, `connect-refused`, `deadline`,
    /// `connection-lost`, `in-flight-limit`. For counting, so from a small set.
    pub class: String,
    /// The entity's UID, if the answer named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The entity's resourceVersion, if the answer named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rv: Option<String>,
    /// Bytes of request body sent.
    #[serde(default)]
    pub bytes_out: u64,
    /// Bytes of response body read.
    #[serde(default)]
    pub bytes_in: u64,
    /// What the other side said, shortened, if the operation was not ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl OpRecord {
    /// Response time in nanoseconds: from the intended start, so that a stalled
    /// server or a late generator shows in every operation it delayed.
    pub fn response_nanos(&self) -> Option<u64> {
        self.done.map(|done| nanos(done.since(self.intended)))
    }

    /// Service time in nanoseconds: from the actual sending.
    pub fn service_nanos(&self) -> Option<u64> {
        Some(nanos(self.done?.since(self.sent?)))
    }

    /// How late the generator was, in nanoseconds.
    pub fn lateness_nanos(&self) -> Option<u64> {
        self.sent.map(|sent| nanos(sent.since(self.intended)))
    }
}

fn nanos(d: std::time::Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

//! The one interface to where entities are kept, whatever keeps them: custom
//! resources, or a table. The gateway serves it over HTTP; the conformance
//! suite holds every implementation, and the gateway's own client, to it.

pub mod postgres;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use futures::stream::BoxStream;
use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use serde::{Deserialize, Serialize};

pub mod kubernetes;
mod lines;
pub mod remote;
pub(crate) mod text;

/// An opaque position in the history of a store: the state of one entity, or a
/// point from which changes are told. Only the store that gave it can tell
/// what comes before what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub String);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an application wants an entity to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft<'a> {
    /// Its business code, which is unique.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    /// What is to be done.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
    /// When, RFC 3339.
    #[serde(borrow)]
    pub when: Cow<'a, str>,
}

/// An entity as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its identity, which no later entity with the same code shares.
    pub id: String,
    /// Its business code.
    pub code: String,
    /// What is to be done.
    pub message: String,
    /// When, RFC 3339.
    pub when: String,
    /// Which state of it this is.
    pub revision: Revision,
    /// The operation that wrote this state, if it is known.
    pub op: Option<OpId>,
}

/// Which entities are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only those that are due at exactly this moment.
    pub when: Option<String>,
    /// At most so many at a time; without, as many as the system gives.
    pub limit: Option<u32>,
    /// Where the page before ended: [`Page::next`].
    pub from: Option<String>,
}

/// Some of the entities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of their codes.
    pub items: Vec<Entity>,
    /// Where the next page begins; none if this is the last.
    pub next: Option<String>,
    /// From here on, changes tell what this page does not; none if the system
    /// does not say.
    pub revision: Option<Revision>,
}

/// What happened to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was removed.
    Deleted,
}

/// A change of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The entity after it; after a removal, as it last was, at the revision of
    /// the removal.
    pub entity: Entity,
}

/// From where changes are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// From now on.
    Now,
    /// Everything after this revision.
    After(Revision),
}

/// A write, as part of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Write<'a> {
    /// Make an entity.
    #[serde(borrow)]
    Create(Draft<'a>),
    /// Replace one.
    #[serde(borrow)]
    Update(Draft<'a>),
    /// Remove one.
    #[serde(borrow)]
    Delete(Cow<'a, str>),
}

/// Why something was not done, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is such an entity already, or it is not in the state that the
    /// precondition names, or somebody else was faster.
    #[error("conflict: {0}")]
    Conflict(String),
    /// There is no such entity.
    #[error("not found: {0}")]
    NotFound(String),
    /// It may not be done by whoever asked.
    #[error("denied: {0}")]
    Denied(String),
    /// It breaks a rule.
    #[error("invalid: {0}")]
    Invalid(String),
    /// It is more than the system takes: the entity, or their number.
    #[error("too large: {0}")]
    TooLarge(String),
    /// Too much is asked at once: later it would be taken.
    #[error("throttled: {why}")]
    Throttled {
        /// What the system said.
        why: String,
        /// When to come again, if it said so.
        after: Option<Duration>,
    },
    /// The position is too old: what happened since is not known any more.
    #[error("expired: {0}")]
    Expired(String),
    /// The system cannot do this at all: see [`Difference`].
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// Something that is needed does not work. Nothing was done.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Nobody knows whether it was done.
    #[error("indeterminate: {0}")]
    Indeterminate(String),
}

/// What became of one request to a store, and when.
#[derive(Debug, Clone)]
pub struct Done<T> {
    /// The answer.
    pub answer: Result<T, Refused>,
    /// Request handed to the transport.
    pub sent: Mono,
    /// Last byte of the answer read, or given up.
    pub done: Mono,
    /// HTTP status of the answer; none if there was none, or no HTTP.
    pub status: Option<u16>,
}

/// What a system cannot do of what the interface has. The conformance suite
/// checks that it really cannot; reports tell it as a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Difference {
    /// Several writes cannot be made one.
    NoTransaction,
    /// There is no query but by code: every other one reads everything.
    NoQuery,
    /// Lists come whole, whatever limit is asked for.
    NoPage,
    /// An update or a delete cannot be made to depend on a state.
    NoPrecondition,
    /// Refusals cannot be told apart.
    OneRefusal,
    /// Nothing that is not valid is refused.
    NoRules,
    /// After a while, changes cannot be read from an old position any more.
    PositionsExpire,
    /// A code that is no DNS subdomain is refused.
    PlainCodes,
    /// Entities whose codes are no DNS subdomains are not listed in the order
    /// of their codes.
    OwnOrder,
    /// Entities that the rules allow are too large for it.
    SmallEntities,
}

/// Where entities are kept. One store is one tenant's: a namespace, or its rows.
pub trait Store: Send + Sync + 'static {
    /// What it cannot do.
    fn differences(&self) -> Vec<Difference>;

    /// Makes an entity.
    fn create(
        &self,
        op: Option<OpId>,
        draft: &Draft<'_>,
    ) -> impl Future<Output = Done<Entity>> + Send;

    /// Reads one.
    fn get(&self, op: Option<OpId>, code: &str) -> impl Future<Output = Done<Entity>> + Send;

    /// Reads some.
    fn list(&self, op: Option<OpId>, query: &Query) -> impl Future<Output = Done<Page>> + Send;

    /// Replaces an entity; with `expected`, only if it is still in that state.
    fn update(
        &self,
        op: Option<OpId>,
        draft: &Draft<'_>,
        expected: Option<&Revision>,
    ) -> impl Future<Output = Done<Entity>> + Send;

    /// Removes an entity; with `expected`, only if it is still in that state.
    /// The answer is what was removed.
    fn delete(
        &self,
        op: Option<OpId>,
        code: &str,
        expected: Option<&Revision>,
    ) -> impl Future<Output = Done<Entity>> + Send;

    /// All of the writes, or none; the entities written, in order, what was
    /// removed as it was.
    fn transact(
        &self,
        op: Option<OpId>,
        writes: &[Write<'_>],
    ) -> impl Future<Output = Done<Vec<Entity>>> + Send;

    /// Tells changes from a position on, each once, in order, until dropped. A
    /// stream that ends can be gone on with from the last change's revision.
    fn changes(
        &self,
        from: Position,
    ) -> impl Future<Output = Done<BoxStream<'static, Result<Change, Refused>>>> + Send;
}

/// That somebody was told of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// The entity's id.
    pub todo_id: String,
    /// When, as whoever told it said.
    pub issued_at: String,
}

/// Where it is kept of which entities the application was told, so that all of
/// its replicas know the same, and a restart forgets nothing.
pub trait Notices: Send + Sync + 'static {
    /// Keeps the last notice of an entity, whose code helps to find it. Of one
    /// that is gone nothing is kept.
    fn keep(
        &self,
        notice: &Notice,
        code: Option<&str>,
    ) -> impl Future<Output = Result<(), Refused>> + Send;

    /// The last notice of each entity that there is, in the order of their ids.
    fn kept(&self) -> impl Future<Output = Result<Vec<Notice>, Refused>> + Send;
}

impl Refused {
    /// What the system said.
    pub fn why(&self) -> &str {
        match self {
            Self::Conflict(why)
            | Self::NotFound(why)
            | Self::Denied(why)
            | Self::Invalid(why)
            | Self::TooLarge(why)
            | Self::Throttled { why, .. }
            | Self::Expired(why)
            | Self::Unsupported(why)
            | Self::Unavailable(why)
            | Self::Indeterminate(why) => why,
        }
    }
}

impl<T> Done<T> {
    /// The same, with another answer made of a good one.
    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Done<U> {
        self.and_then(|answer| Ok(to(answer)))
    }

    /// The same, with another answer, or none, made of a good one.
    pub fn and_then<U>(self, to: impl FnOnce(T) -> Result<U, Refused>) -> Done<U> {
        let Self { answer, sent, done, status } = self;
        Done { answer: answer.and_then(to), sent, done, status }
    }

    /// What was refused before anything was sent.
    pub fn refused(refused: Refused) -> Self {
        let now = Mono::now();
        Self { answer: Err(refused), sent: now, done: now, status: None }
    }
}

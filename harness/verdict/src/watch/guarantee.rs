//! The guarantees of a watch, and whether they were kept.
//!
//! Named and understood as etcd does in "etcd API guarantees", section "Watch
//! APIs" (<https://etcd.io/docs/v3.6/learning/api_guarantees/>), and checks them
//! in `tests/robustness/validate/watch.go`; carried over to the watches of the
//! Kubernetes API, which add resourceVersions, 410 and `BOOKMARK`
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>).
//!
//! Where etcd's checks let one fault break several guarantees, each fault here
//! counts against one: the one that its first proof speaks of.

use kab_evidence::id::OpId;
use kab_evidence::watch::{Revision, Watcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many violations of each guarantee are kept to be shown.
const SHOWN: usize = 5;

/// What a watch promises.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Guarantee {
    /// Events come in the order of their revisions: broken by an event of an
    /// earlier revision than one already received on the stream.
    Ordered,
    /// No event comes twice: broken by a second event of the same object and
    /// revision, unless the watcher had asked again from before it.
    Unique,
    /// All changes of one revision come together: broken if something else
    /// comes between them. The apiserver changes one object a revision, so
    /// there is something to check only if a store does otherwise.
    Atomic,
    /// Nothing is left out: broken by a change that was never received though
    /// a later event was. The changes are those of the ledger, and those that
    /// any other stream showed.
    Reliable,
    /// A stream asked for from a revision begins with the first change after
    /// it: broken by an event at or below that revision, or by a change that
    /// is missing before the first event. A 410 instead breaks nothing.
    Resumable,
    /// A bookmark says that everything up to it was sent: broken by an event
    /// at or below it afterwards, by a change at or below it that was never
    /// received, and by a bookmark below what was received before.
    Bookmarkable,
}

impl Guarantee {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::Ordered,
        Self::Unique,
        Self::Atomic,
        Self::Reliable,
        Self::Resumable,
        Self::Bookmarkable,
    ];

    /// As it is called in claims: `watch.ordered`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Unique => "unique",
            Self::Atomic => "atomic",
            Self::Reliable => "reliable",
            Self::Resumable => "resumable",
            Self::Bookmarkable => "bookmarkable",
        }
    }

    /// Why it could not be checked, if nothing put it to the test.
    const fn untested(self) -> &'static str {
        match self {
            Self::Ordered => "no stream received two events",
            Self::Unique => "no stream received an event",
            Self::Atomic => "every revision changed one object: there is nothing to split",
            Self::Reliable => "no acknowledged write of known revision was due to a stream",
            Self::Resumable => "no stream asked for from a revision received anything",
            Self::Bookmarkable => "no bookmark was received",
        }
    }
}

/// Whether a guarantee was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It was put to the test, and kept each time.
    Held,
    /// It was not kept.
    Broken,
    /// Nothing put it to the test.
    NotCheckable,
}

/// What was found out about one guarantee.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuaranteeResult {
    /// Which.
    pub guarantee: Guarantee,
    /// Whether it was kept.
    pub standing: Standing,
    /// How often it was put to the test.
    pub checked: u64,
    /// How often it was not kept.
    pub broken: u64,
    /// The first times that it was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<Violation>,
    /// Why it could not be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One time that a guarantee was not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The step whose watchers' file shows it: `watch/<step>.jsonl`.
    pub step: String,
    /// The line that proves it, from 1.
    pub line: u32,
    /// The watcher.
    pub watcher: Watcher,
    /// Which of its streams, from 1.
    pub stream: u32,
    /// The revision in question.
    pub rv: Revision,
    /// The object's name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The operation that wrote it, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<OpId>,
    /// In a sentence.
    pub what: String,
}

/// Counts for one guarantee, under way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub checked: u64,
    broken: u64,
    first: Vec<Violation>,
}

impl Tally {
    /// Counts a violation. `tell` is asked for it only if it is among the first.
    pub fn broke(&mut self, line: u32, tell: impl FnOnce() -> Violation) {
        self.broken += 1;
        let place = self.first.partition_point(|known| known.line <= line);
        if place < SHOWN {
            self.first.insert(place, tell());
            self.first.truncate(SHOWN);
        }
    }

    pub fn result(self, guarantee: Guarantee) -> GuaranteeResult {
        let standing = match (self.broken, self.checked) {
            (0, 0) => Standing::NotCheckable,
            (0, _) => Standing::Held,
            _ => Standing::Broken,
        };
        GuaranteeResult {
            guarantee,
            standing,
            checked: self.checked,
            broken: self.broken,
            first: self.first,
            why: (standing == Standing::NotCheckable).then(|| guarantee.untested().to_owned()),
        }
    }
}

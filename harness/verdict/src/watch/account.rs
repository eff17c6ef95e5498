//! What became of every event that was due, in numbers.

use std::collections::BTreeMap;

use kab_evidence::watch::StreamEnd;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of the events that were due. A change is due to a watcher if it
/// happened after the resourceVersion that the watcher began at.
///
/// `expected == delivered + relisted + coalesced + cut_off + pending + silent + lost`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Changes due, over all watchers.
    pub expected: u64,
    /// Received as an event of a stream.
    pub delivered: u64,
    /// Not received as an event, but as the state of an object in a later list.
    pub relisted: u64,
    /// Never seen: a later list skipped it, for the object had changed again or
    /// was gone by then.
    pub coalesced: u64,
    /// Beyond the end of a stream that was ended by the server or the network
    /// and not taken up again.
    pub cut_off: u64,
    /// Not received when the watcher was stopped, and nothing that came later
    /// was received either: it may still have been on its way.
    pub pending: u64,
    /// Not received by a watcher that had a stream, and to which nothing ever
    /// came on it: no event, and no bookmark. That its events were all on their
    /// way is no more than possible.
    #[serde(default)]
    pub silent: u64,
    /// Never received, though the stream went past it.
    pub lost: u64,
    /// Received beyond the first time. Not part of the sum.
    pub duplicated: u64,
}

impl Account {
    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.relisted += other.relisted;
        self.coalesced += other.coalesced;
        self.cut_off += other.cut_off;
        self.pending += other.pending;
        self.silent += other.silent;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
    }

    /// Whether every event that was due is accounted for.
    pub const fn is_balanced(&self) -> bool {
        self.expected
            == self.delivered
                + self.relisted
                + self.coalesced
                + self.cut_off
                + self.pending
                + self.silent
                + self.lost
    }
}

/// What happened to streams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Streams {
    /// Watchers that were to be started.
    pub watchers: u64,
    /// Of these, with at least one stream that was opened.
    pub opened_watchers: u64,
    /// Of these, with events due, and on whose streams nothing ever came.
    #[serde(default)]
    pub silent_watchers: u64,
    /// Streams opened.
    pub opened: u64,
    /// Requests for a stream after a watcher's first.
    pub reconnects: u64,
    /// Lists, or initial states, after a watcher's first.
    pub relists: u64,
    /// Lists that failed.
    pub failed_lists: u64,
    /// Answers and events that said 410: the resourceVersion is too old.
    pub expired: u64,
    /// Bookmarks received.
    pub bookmarks: u64,
    /// Streams that ended although their watcher had not asked for it.
    pub ended_early: u64,
    /// All ends of streams, by how.
    pub ends: BTreeMap<String, u64>,
}

impl Streams {
    /// Counts one end.
    pub(super) fn end(&mut self, how: StreamEnd) {
        self.ended_early += u64::from(how.unasked());
        let name = match how {
            StreamEnd::Closed => "closed",
            StreamEnd::Failed => "failed",
            StreamEnd::Refused => "refused",
            StreamEnd::Reset => "reset",
            StreamEnd::Lost => "lost",
            StreamEnd::Unconnected => "unconnected",
            StreamEnd::Malformed => "malformed",
            StreamEnd::Ours => "ours",
        };
        *self.ends.entry(name.to_owned()).or_default() += 1;
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.watchers += other.watchers;
        self.opened_watchers += other.opened_watchers;
        self.silent_watchers += other.silent_watchers;
        self.opened += other.opened;
        self.reconnects += other.reconnects;
        self.relists += other.relists;
        self.failed_lists += other.failed_lists;
        self.expired += other.expired;
        self.bookmarks += other.bookmarks;
        self.ended_early += other.ended_early;
        for (how, count) in &other.ends {
            *self.ends.entry(how.clone()).or_default() += count;
        }
    }
}

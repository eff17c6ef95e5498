//! What the server itself saw: the other side of every claim of a generator.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_evidence::jsonl::{self, JsonlError, JsonlWriter};
use serde::{Deserialize, Serialize};

/// A request that the server has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The operation that its `traceparent` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<OpId>,
    /// When its last byte had been read.
    pub received: Mono,
    /// When the answer was handed to the connection, or the reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Mono>,
    /// The status it was answered with; none for a reset, and if it was cut off
    /// before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// When the server was gone. A script says when it should be; on a busy machine
/// it goes and comes a little later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Absence {
    /// Until then it was there.
    pub left: Mono,
    /// From then on it had no connection, and refused new ones.
    pub closed: Mono,
    /// From then on it took connections again; until shortly before it, none.
    pub back: Mono,
}

/// One line of the server's evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Witness {
    /// When the script began.
    Began {
        /// The origin of its times.
        origin: Mono,
    },
    /// The server was gone for a while, as scripted.
    Gone(Absence),
    /// A request.
    Request(Seen),
    /// An event was given to every watcher.
    Event {
        /// Its resourceVersion.
        rv: u64,
        /// When.
        at: Mono,
    },
    /// A watch was opened.
    WatchOpened {
        /// Which, from 0 in the order of opening.
        stream: u64,
        /// The operation that its `traceparent` names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op: Option<OpId>,
        /// When.
        at: Mono,
        /// The resourceVersion from which on it is told of events.
        after: u64,
    },
    /// A watch ended, from whichever side.
    WatchEnded {
        /// Which.
        stream: u64,
        /// When.
        at: Mono,
        /// Events handed to its connection.
        sent: u64,
        /// The last of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<u64>,
        /// Why.
        why: WatchEnd,
    },
}

/// Why a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WatchEnd {
    /// The client went, or its connection broke; or the server ended.
    Dropped,
    /// The time that the client had asked for was over.
    TimedOut,
    /// It had fallen behind what is kept, and was told so.
    Behind,
}

/// What was seen so far. It is kept in memory, and written when the server
/// ends: nothing else may cost time while it serves.
#[derive(Debug, Default)]
pub(super) struct Notebook(Mutex<Vec<Witness>>);

impl Notebook {
    /// Notes a line; its place, for [`Self::answered`].
    pub(super) fn note(&self, line: Witness) -> usize {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
        lines.len() - 1
    }

    /// The request noted at `place` is being answered.
    pub(super) fn answered(&self, place: usize, at: Mono, with: Option<u16>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Witness::Request(seen)) = lines.get_mut(place) {
            seen.answered = Some(at);
            seen.status = with;
        }
    }

    /// Writes everything to `path`.
    pub(super) fn write(&self, path: &Path) -> Result<(), JsonlError> {
        let lines = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let writer = JsonlWriter::append_to(path)?;
        lines.into_iter().for_each(|line| writer.append(line));
        writer.finish().map(drop)
    }
}

/// Reads what a server that has ended wrote to `path`.
///
/// # Errors
/// If there is no such file, or it is no evidence of a null server.
pub fn read(path: &Path) -> Result<Vec<Witness>, JsonlError> {
    jsonl::read(path).map(|lines| lines.values)
}

//! What each watch stream received, written down as it comes.
//!
//! A *watcher* is one client that follows a collection from its first request
//! to the end of the cell, over as many watch streams as that takes. All
//! watchers of one step write to one file, `watch/<step>.jsonl`, in the order
//! in which things happened to each of them. A change is described once
//! ([`Described`]); after that, receipts name it by number, and watchers that
//! received the same at the same reading of a socket share one line
//! ([`WatchLine::Got`]): a thousand watchers of 50 changes a second come to
//! some 300 kB a second, not to 50,000 lines.
//!
//! A resourceVersion is written as the number that it is: Kubernetes declares
//! them comparable as integers (KEP-5504, "Comparable Resource Version").

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Mono;
use crate::id::OpId;

mod log;

pub use log::WatchLog;

/// A resourceVersion.
pub type Revision = u64;

/// The number of a watcher, from 0 in each file.
pub type Watcher = u32;

/// What kind of client watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WatchClient {
    /// The informer of the system under test.
    Informer,
    /// A bare stream that decodes only what the evidence needs.
    Raw,
    /// `kube::runtime::watcher`.
    Runtime,
}

/// Who the watchers of a file are: its first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchGroup {
    /// The step that started them.
    pub step: String,
    /// What they are.
    pub client: WatchClient,
    /// How many were to be started.
    pub count: u32,
    /// The collection's path on the apiserver.
    pub path: String,
    /// Whether the client writes down bookmarks: if not, their absence says
    /// nothing.
    pub bookmarks: bool,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WatchKind {
    /// `ADDED`, after the initial state.
    Added,
    /// `MODIFIED`.
    Modified,
    /// `ADDED` or `MODIFIED`, by a client that does not tell them apart.
    Applied,
    /// `DELETED`.
    Deleted,
    /// No change: it is in a LIST, or in the initial events of a stream.
    Listed,
}

/// A change of an object, or its state in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Described {
    /// The number by which receipts name it. The same change may be described
    /// again under another number when its first description is long past.
    pub e: u32,
    /// The object's resourceVersion.
    pub rv: Revision,
    /// What happened.
    pub kind: WatchKind,
    /// The object's UID.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// The operation that wrote it, from its annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<OpId>,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StreamEnd {
    /// The server ended it in order: its timeout was over, or the watcher was
    /// too slow for the server's buffer, which the apiserver counts in
    /// `apiserver_terminated_watchers_total` and does not tell the watcher.
    Closed,
    /// After an `ERROR` event.
    Failed,
    /// The server refused to open it; the line names the status.
    Refused,
    /// The server broke this stream off, and the connection went on.
    Reset,
    /// The connection was lost.
    Lost,
    /// There was no connection.
    Unconnected,
    /// It said something that is no watch event.
    Malformed,
    /// The watcher was told to stop.
    Ours,
}

impl StreamEnd {
    /// Whether it was the other side, or the road to it, that ended a stream
    /// which the watcher still wanted.
    pub const fn unasked(self) -> bool {
        !matches!(self, Self::Ours)
    }
}

/// One line of a watch file. Lines of one watcher are in the order in which
/// things happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum WatchLine {
    /// Who they are.
    Group(WatchGroup),
    /// A change that later lines name by number.
    Event(Described),
    /// What a LIST held, or the initial events of a stream.
    List {
        /// The number by which later lines name it.
        list: u32,
        /// The collection's resourceVersion.
        rv: Revision,
        /// What was in it.
        e: Vec<u32>,
    },
    /// A watch was asked for.
    Asked {
        /// By which watcher.
        w: Watcher,
        /// When.
        at: Mono,
        /// From which resourceVersion on; none for "from now".
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rv: Option<Revision>,
        /// Whether with the state of the collection first (`sendInitialEvents`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        initial: bool,
    },
    /// It was granted: status 200.
    Opened {
        /// To which watcher.
        w: Watcher,
        /// When the answer's head was read.
        at: Mono,
    },
    /// Changes were received.
    Got {
        /// When: as the bytes were read from the socket, by a raw client; as
        /// the client library handed it over, by others.
        at: Mono,
        /// Which, in this order.
        e: Vec<u32>,
        /// By which watchers, each all of them.
        w: Vec<Watcher>,
    },
    /// A `BOOKMARK` was received: everything up to `rv` has been sent.
    Bookmark {
        /// By which watcher.
        w: Watcher,
        /// When.
        at: Mono,
        /// Up to where.
        rv: Revision,
    },
    /// The state of the collection was received, by LIST or as initial events.
    Listed {
        /// By which watcher.
        w: Watcher,
        /// When it was complete.
        at: Mono,
        /// Which [`WatchLine::List`].
        list: u32,
    },
    /// A LIST failed.
    Unlisted {
        /// Of which watcher.
        w: Watcher,
        /// When.
        at: Mono,
        /// The status of the answer, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// What went wrong.
        detail: String,
    },
    /// A stream ended.
    Ended {
        /// Of which watcher.
        w: Watcher,
        /// When.
        at: Mono,
        /// How.
        how: StreamEnd,
        /// The status of the answer, or of the `ERROR` event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// What was said about it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
}

/// The status of an answer or event that says that a resourceVersion is too
/// old to go on from: 410 Gone, reason `Expired`.
pub const EXPIRED: u16 = 410;

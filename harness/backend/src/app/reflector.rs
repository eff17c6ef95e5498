//! List, then watch, and watch again: client-go's reflector (of 1.16, which
//! the origin builds with), without its cache.
//!
//! As there, reading the stream is decoupled from handling the changes by a
//! queue without bounds, so a slow handler does not make the apiserver hang
//! up. This is no work queue: a change leaves it once, whatever becomes of it.

use std::collections::HashMap;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kab_evidence::clock::Mono;
use kab_evidence::span::Change;
use kab_evidence::watch::{StreamEnd, WatchKind};
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use tokio::sync::{mpsc, oneshot};

use super::outbound::root_cause;
use super::watched::Watched;
use crate::entity::Todo;

/// How long client-go's reflector waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);

/// A watch that ended sooner and brought nothing makes client-go list again.
const VERY_SHORT: Duration = Duration::from_secs(1);

/// A change, and when it was decoded.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) change: Change,
    pub(super) todo: Todo,
    pub(super) at: Mono,
}

/// Why a watch ended.
enum End {
    /// The server closed it: go on from the last revision.
    Closed,
    /// It said too little: list again.
    Lost,
}

pub(super) struct Reflector {
    todos: Api<Todo>,
    out: mpsc::UnboundedSender<Seen>,
    /// Told once, when the first watch is established.
    established: Option<oneshot::Sender<()>>,
    /// The last known state of each Todo by name, to notice after a new list
    /// which of them are gone.
    known: HashMap<String, Todo>,
    /// What it receives, as evidence.
    watched: Watched,
}

impl Reflector {
    pub(super) fn new(
        todos: Api<Todo>,
        out: mpsc::UnboundedSender<Seen>,
        established: oneshot::Sender<()>,
        watched: Watched,
    ) -> Self {
        Self { todos, out, established: Some(established), known: HashMap::new(), watched }
    }

    /// Runs until nobody takes the changes any more.
    pub(super) async fn run(mut self) {
        while !self.out.is_closed() {
            match self.list().await {
                Ok(revision) => self.follow(revision).await,
                Err(e) => {
                    self.watched.unlisted(&e);
                    tracing::warn!(cause = root_cause(&e), "listing failed");
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Lists everything at revision 0, which the apiserver answers from its
    /// watch cache, and passes all of it on: also what was known (defect 9).
    async fn list(&mut self) -> Result<String, kube::Error> {
        let list = self.todos.list(&ListParams::default().match_any()).await?;
        let at = Mono::now();
        let revision = list.metadata.resource_version.clone().unwrap_or_default();
        self.watched.listed(at, &revision, &list.items);
        let mut gone = std::mem::take(&mut self.known);
        for todo in list.items {
            gone.remove(todo.name());
            self.known.insert(todo.name().to_owned(), todo.clone());
            self.pass_on(Change::Listed, todo, at);
        }
        for todo in gone.into_values() {
            self.pass_on(Change::Deleted, todo, at);
        }
        Ok(revision)
    }

    /// Watches from `revision` on until only a new list can help.
    async fn follow(&mut self, mut revision: String) {
        loop {
            self.watched.asked(&revision);
            let stream = match self.todos.watch(&WatchParams::default(), &revision).await {
                Ok(stream) => stream,
                Err(kube::Error::Api(status)) => {
                    self.watched.ended(StreamEnd::Refused, Some(status.code), &status.message);
                    tracing::warn!(code = status.code, message = status.message, "no watch");
                    return;
                }
                // The apiserver is away. It may come back with its history.
                Err(e) => {
                    self.watched.ended(StreamEnd::Unconnected, None, &root_cause(&e));
                    tracing::warn!(cause = root_cause(&e), "no watch");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            };
            self.watched.opened();
            if let Some(established) = self.established.take() {
                let _ = established.send(());
            }
            match self.drain(stream, &mut revision).await {
                End::Closed => {}
                End::Lost => return,
            }
        }
    }

    async fn drain(
        &mut self,
        stream: impl futures::Stream<Item = Result<WatchEvent<Todo>, kube::Error>>,
        revision: &mut String,
    ) -> End {
        pin_mut!(stream);
        let began = Mono::now();
        let mut events = 0_u64;
        let mut broken = false;
        while let Some(event) = stream.next().await {
            let at = Mono::now();
            events += 1;
            let (kind, change, todo) = match event {
                Ok(WatchEvent::Added(todo)) => (WatchKind::Added, Change::Applied, todo),
                Ok(WatchEvent::Modified(todo)) => (WatchKind::Modified, Change::Applied, todo),
                Ok(WatchEvent::Deleted(todo)) => (WatchKind::Deleted, Change::Deleted, todo),
                Ok(WatchEvent::Bookmark(bookmark)) => {
                    revision.clone_from(&bookmark.metadata.resource_version);
                    self.watched.bookmark(at, revision);
                    continue;
                }
                // 410: the revision was compacted away.
                Ok(WatchEvent::Error(status)) => {
                    self.watched.ended(StreamEnd::Failed, Some(status.code), &status.message);
                    tracing::warn!(code = status.code, message = status.message, "watch ended");
                    return End::Lost;
                }
                Err(e) => {
                    self.watched.ended(StreamEnd::Lost, None, &root_cause(&e));
                    tracing::warn!(cause = root_cause(&e), "watch broke off");
                    broken = true;
                    break;
                }
            };
            self.watched.got(at, kind, &todo);
            revision.clear();
            revision.push_str(todo.revision());
            match change {
                Change::Deleted => drop(self.known.remove(todo.name())),
                _ => drop(self.known.insert(todo.name().to_owned(), todo.clone())),
            }
            self.pass_on(change, todo, at);
        }
        if !broken {
            self.watched.ended(StreamEnd::Closed, None, "");
        }
        let nothing = events == 0 && Mono::now().since(began) < VERY_SHORT;
        if nothing { End::Lost } else { End::Closed }
    }

    fn pass_on(&self, change: Change, todo: Todo, at: Mono) {
        // Nobody takes it: the process is about to end.
        let _ = self.out.send(Seen { change, todo, at });
    }
}

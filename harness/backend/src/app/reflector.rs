//! List, then watch, and watch again: client-go's reflector, as of 1.16, which
//! the origin builds with, or with what has come since: it can begin where
//! another has stopped, streams its lists, and looks again from time to time.
//!
//! Reading the stream is decoupled from handling the changes by a queue without
//! bounds, so a slow handler does not make the apiserver hang up. This is no
//! work queue: a change leaves it once, whatever becomes of it.

use std::time::Duration;

use futures::{Stream, StreamExt, pin_mut};
use kab_evidence::clock::Mono;
use kab_evidence::watch::{StreamEnd, WatchKind};
use kube::api::{Api, ListParams, VersionMatch, WatchEvent, WatchParams};
use tokio::sync::{mpsc, oneshot};

use super::informer::mirror::{Mirror, News};
use super::outbound::root_cause;
use super::watched::Watched;
use crate::entity::Todo;
use crate::store::ChangeKind;

/// How long client-go's reflector waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);

/// A watch that ended sooner and brought nothing makes client-go list again.
const VERY_SHORT: Duration = Duration::from_secs(1);

/// How many a page of a list holds.
const PAGE: u32 = 500;

/// What the bookmark has on it that ends the list in a stream.
const LIST_ENDS: &str = "k8s.io/initial-events-end";

/// A change, and when it was decoded.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) news: News,
    pub(super) at: Mono,
}

/// What the reflector tells, in order.
#[derive(Debug)]
pub(super) enum Told {
    /// A change.
    Change(Box<Seen>),
    /// Every change up to this revision has been told.
    Reached(u64),
}

/// Where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// With a list.
    Listing,
    /// After this revision.
    After(u64),
}

/// Why a watch ended.
enum End {
    /// The server closed it: go on from the last revision.
    Closed,
    /// It said too little: list again.
    Lost,
}

/// How it reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) start: Start,
    /// As the origin's: a list in one piece, from the apiserver's memory.
    pub(super) plainly: bool,
    /// How often to look whether the watch has left something out.
    pub(super) resync: Option<Duration>,
}

pub(super) struct Reflector {
    todos: Api<Todo>,
    reading: Reading,
    out: mpsc::UnboundedSender<Told>,
    /// Told once, when the first watch is established.
    established: Option<oneshot::Sender<()>>,
    mirror: Mirror,
    /// What it receives, as evidence.
    watched: Watched,
}

impl Reflector {
    pub(super) fn new(
        todos: Api<Todo>,
        reading: Reading,
        mirror: Mirror,
        out: mpsc::UnboundedSender<Told>,
        established: oneshot::Sender<()>,
        watched: Watched,
    ) -> Self {
        Self { todos, reading, out, established: Some(established), mirror, watched }
    }

    /// Runs until nobody takes the changes any more.
    pub(super) async fn run(mut self) {
        if let Start::After(position) = self.reading.start {
            self.recall(position).await;
            self.follow(position.to_string()).await;
            tracing::warn!(
                position,
                "what happened since is not all known any more: what is newer will be told, what \
                 was deleted meanwhile will not, unless it was known"
            );
        }
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

    /// Learns what was there at `position`, if the store still knows that: so
    /// as to tell what really changes from there on.
    async fn recall(&mut self, position: u64) {
        let then = position.to_string();
        let exact = ListParams::default().at(&then).matching(VersionMatch::Exact).limit(PAGE);
        let todos = match self.pages(exact).await {
            Ok((todos, _)) => {
                self.watched.listed(Mono::now(), &then, &todos);
                Some(todos)
            }
            Err(e) => {
                tracing::warn!(cause = root_cause(&e), position, "the past cannot be listed");
                None
            }
        };
        self.mirror.recall(position, todos);
        self.tell(Vec::new(), Mono::now());
    }

    async fn list(&mut self) -> Result<String, kube::Error> {
        let (todos, revision) = if self.reading.plainly {
            // From the watch cache, however old that is.
            let list = self.todos.list(&ListParams::default().match_any()).await?;
            (list.items, list.metadata.resource_version.unwrap_or_default())
        } else {
            self.list_now().await?
        };
        let at = Mono::now();
        self.watched.listed(at, &revision, &todos);
        let news = self.mirror.listed(revision.parse().unwrap_or_default(), todos);
        self.tell(news, at);
        Ok(revision)
    }

    /// Everything there is now: as a stream, which the apiserver need not hold
    /// in memory as a whole; or in pages, where it does not stream.
    async fn list_now(&self) -> Result<(Vec<Todo>, String), kube::Error> {
        match self.streamed().await {
            Ok(Some(listed)) => Ok(listed),
            Ok(None) => self.pages(ListParams::default().limit(PAGE)).await,
            Err(kube::Error::Api(status)) if status.code == 422 || status.code == 400 => {
                self.pages(ListParams::default().limit(PAGE)).await
            }
            Err(e) => Err(e),
        }
    }

    /// None if the stream ended before the list did.
    async fn streamed(&self) -> Result<Option<(Vec<Todo>, String)>, kube::Error> {
        let stream = self.todos.watch(&WatchParams::streaming_lists(), "").await?;
        pin_mut!(stream);
        let mut todos = Vec::new();
        while let Some(event) = stream.next().await {
            match event? {
                WatchEvent::Added(todo) => todos.push(todo),
                WatchEvent::Bookmark(mark) if mark.metadata.annotations.contains_key(LIST_ENDS) => {
                    return Ok(Some((todos, mark.metadata.resource_version)));
                }
                WatchEvent::Bookmark(_) => {}
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn pages(&self, mut page: ListParams) -> Result<(Vec<Todo>, String), kube::Error> {
        let mut todos = Vec::new();
        loop {
            let list = self.todos.list(&page).await?;
            todos.extend(list.items);
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => {
                    // The token says of which revision.
                    page.resource_version = None;
                    page.version_match = None;
                    page.continue_token = Some(token);
                }
                None => return Ok((todos, list.metadata.resource_version.unwrap_or_default())),
            }
        }
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
        stream: impl Stream<Item = Result<WatchEvent<Todo>, kube::Error>>,
        revision: &mut String,
    ) -> End {
        pin_mut!(stream);
        let began = Mono::now();
        let mut looked = began;
        let mut events = 0_u64;
        let mut broken = false;
        loop {
            let next = tokio::select! {
                next = stream.next() => next,
                () = due(self.reading.resync, looked) => {
                    looked = Mono::now();
                    self.look_again().await;
                    continue;
                }
            };
            let Some(event) = next else { break };
            let at = Mono::now();
            events += 1;
            let (kind, change, todo) = match event {
                Ok(WatchEvent::Added(todo)) => (WatchKind::Added, ChangeKind::Created, todo),
                Ok(WatchEvent::Modified(todo)) => (WatchKind::Modified, ChangeKind::Updated, todo),
                Ok(WatchEvent::Deleted(todo)) => (WatchKind::Deleted, ChangeKind::Deleted, todo),
                Ok(WatchEvent::Bookmark(bookmark)) => {
                    revision.clone_from(&bookmark.metadata.resource_version);
                    self.watched.bookmark(at, revision);
                    let news = self.mirror.reached(revision.parse().unwrap_or_default());
                    self.tell_missed(news, at);
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
            let news = self.mirror.told(change, todo);
            self.tell(news, at);
        }
        if !broken {
            self.watched.ended(StreamEnd::Closed, None, "");
        }
        let nothing = events == 0 && Mono::now().since(began) < VERY_SHORT;
        if nothing { End::Lost } else { End::Closed }
    }

    /// Lists beside the watch.
    async fn look_again(&mut self) {
        match self.list_now().await {
            Ok((todos, revision)) => {
                let revision = revision.parse().unwrap_or_default();
                let news = self.mirror.compare_with(revision, todos);
                self.tell_missed(news, Mono::now());
            }
            Err(e) => tracing::warn!(cause = root_cause(&e), "the resync's list failed"),
        }
    }

    fn tell_missed(&self, news: Vec<News>, at: Mono) {
        if !news.is_empty() {
            tracing::warn!(changes = news.len(), "the watch has left out changes");
        }
        self.tell(news, at);
    }

    fn tell(&self, news: Vec<News>, at: Mono) {
        let changes = news.into_iter().map(|news| Told::Change(Box::new(Seen { news, at })));
        for told in changes.chain(self.mirror.position().map(Told::Reached)) {
            // Nobody takes it: the process is about to end.
            let _ = self.out.send(told);
        }
    }
}

/// When it is time to look again: never, unless it is to be done.
async fn due(every: Option<Duration>, last: Mono) {
    match every {
        Some(every) => tokio::time::sleep(every.saturating_sub(Mono::now().since(last))).await,
        None => std::future::pending().await,
    }
}

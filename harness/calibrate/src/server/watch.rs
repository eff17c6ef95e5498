//! Events for watchers: made once, kept for a while, handed to every stream
//! from where it stands.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use tokio::time::Sleep;

use super::answer::expired;
use super::evidence::{Notebook, WatchEnd, Witness};

/// The resourceVersion before the first event.
const FIRST_RV: u64 = 1000;

/// Most bytes of events that are handed over at a time to a stream that is
/// behind.
const PIECE: usize = 64 * 1024;

/// The events that are kept, and who waits for the next.
#[derive(Debug)]
pub(super) struct Feed {
    state: Mutex<State>,
    notebook: Arc<Notebook>,
    kept: usize,
}

#[derive(Debug)]
struct State {
    events: VecDeque<Event>,
    /// How many events there were before the first that is kept.
    gone: u64,
    /// The newest resourceVersion among those.
    gone_rv: u64,
    rv: u64,
    waiting: Vec<Waker>,
    /// Streams ever opened.
    streams: u64,
    /// Streams that have not ended.
    open: u64,
}

#[derive(Debug)]
struct Event {
    rv: u64,
    bookmark: bool,
    line: Bytes,
}

/// What a watcher asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ask {
    /// Events after this resourceVersion; none: from now on.
    pub after: Option<u64>,
    pub bookmarks: bool,
    pub timeout: Option<Duration>,
    pub op: Option<OpId>,
}

impl Ask {
    /// Reads a query; none if it is not one of a watch.
    pub(super) fn of(query: &str, op: Option<OpId>) -> Option<Self> {
        let (mut ask, mut watch) = (Self { op, ..Self::default() }, false);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "watch" => watch = matches!(value, "1" | "true"),
                "resourceVersion" => ask.after = value.parse().ok().filter(|rv| *rv > 0),
                "allowWatchBookmarks" => ask.bookmarks = matches!(value, "1" | "true"),
                "timeoutSeconds" => ask.timeout = value.parse().ok().map(Duration::from_secs),
                _ => {}
            }
        }
        watch.then_some(ask)
    }
}

impl Feed {
    pub(super) fn new(kept: usize, notebook: Arc<Notebook>) -> Self {
        let state = State {
            events: VecDeque::new(),
            gone: 0,
            gone_rv: 0,
            rv: FIRST_RV,
            waiting: Vec::new(),
            streams: 0,
            open: 0,
        };
        Self { state: Mutex::new(state), notebook, kept }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest resourceVersion.
    pub(super) fn rv(&self) -> u64 {
        self.state().rv
    }

    /// How many streams have not ended.
    pub(super) fn open_streams(&self) -> u64 {
        self.state().open
    }

    /// A resourceVersion for a write: watchers are not told of it.
    pub(super) fn next_rv(&self) -> u64 {
        let mut state = self.state();
        state.rv += 1;
        state.rv
    }

    /// Tells every watcher; `line` is made of the event's resourceVersion.
    pub(super) fn tell(&self, line: impl FnOnce(u64) -> Vec<u8>) {
        self.push(false, line);
    }

    /// Tells every watcher that asked for bookmarks.
    pub(super) fn bookmark(&self, line: impl FnOnce(u64) -> Vec<u8>) {
        self.push(true, line);
    }

    fn push(&self, bookmark: bool, line: impl FnOnce(u64) -> Vec<u8>) {
        let mut state = self.state();
        state.rv += u64::from(!bookmark);
        let rv = state.rv;
        let line = Bytes::from(line(rv));
        state.events.push_back(Event { rv, bookmark, line });
        while state.events.len() > self.kept {
            state.gone_rv = state.events.pop_front().map_or(state.gone_rv, |event| event.rv);
            state.gone += 1;
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        if !bookmark {
            self.notebook.note(Witness::Event { rv, at: Mono::now() });
        }
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Opens a stream.
    pub(super) fn open(self: &Arc<Self>, ask: Ask) -> Stream {
        let mut state = self.state();
        let number = state.streams;
        state.streams += 1;
        state.open += 1;
        let after = ask.after.unwrap_or(state.rv);
        let known = state.events.partition_point(|event| event.rv <= after) as u64;
        // Something after what it asks to continue from is no longer there.
        let behind = after < state.gone_rv;
        let next = state.gone + known;
        drop(state);
        let opened = Witness::WatchOpened { stream: number, op: ask.op, at: Mono::now(), after };
        self.notebook.note(opened);
        Stream {
            feed: Arc::clone(self),
            number,
            next: if behind { None } else { Some(next) },
            bookmarks: ask.bookmarks,
            timeout: ask.timeout.map(|after| Box::pin(tokio::time::sleep(after))),
            waits_for: None,
            sent: 0,
            last: None,
            over: None,
        }
    }
}

/// One watch.
#[derive(Debug)]
pub(super) struct Stream {
    feed: Arc<Feed>,
    number: u64,
    /// Number of the next event, from the very first; none: it has fallen
    /// behind.
    next: Option<u64>,
    bookmarks: bool,
    timeout: Option<Pin<Box<Sleep>>>,
    /// The event that its waker is registered for.
    waits_for: Option<u64>,
    sent: u64,
    last: Option<u64>,
    over: Option<WatchEnd>,
}

impl Stream {
    /// The next events as bytes; none when it is over.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.over.is_some() {
            return Poll::Ready(None);
        }
        if self.timeout.as_mut().is_some_and(|timeout| timeout.as_mut().poll(cx).is_ready()) {
            self.over = Some(WatchEnd::TimedOut);
            return Poll::Ready(None);
        }
        let feed = Arc::clone(&self.feed);
        let mut state = feed.state();
        let behind = self.next.is_none_or(|next| next < state.gone);
        let Some(next) = self.next.filter(|_| !behind) else {
            self.over = Some(WatchEnd::Behind);
            return Poll::Ready(Some(expired().into()));
        };
        let first = usize::try_from(next - state.gone).unwrap_or(usize::MAX);
        let mut lines: Vec<Bytes> = Vec::new();
        let (mut size, mut taken) = (0, 0);
        for event in state.events.range(first..) {
            if size >= PIECE {
                break;
            }
            taken += 1;
            if event.bookmark && !self.bookmarks {
                continue;
            }
            self.sent += u64::from(!event.bookmark);
            self.last = Some(event.rv);
            size += event.line.len();
            lines.push(event.line.clone());
        }
        self.next = Some(next + taken);
        match lines.len() {
            0 => {
                if self.waits_for != self.next {
                    self.waits_for = self.next;
                    state.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
            // Shared with all other streams, not copied.
            1 => Poll::Ready(lines.pop()),
            _ => Poll::Ready(Some(lines.concat().into())),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.feed.state().open -= 1;
        self.feed.notebook.note(Witness::WatchEnded {
            stream: self.number,
            at: Mono::now(),
            sent: self.sent,
            last: self.last,
            why: self.over.unwrap_or(WatchEnd::Dropped),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(kept: usize) -> Arc<Feed> {
        Arc::new(Feed::new(kept, Arc::default()))
    }

    fn tell(feed: &Feed, count: u64) {
        (0..count).for_each(|_| feed.tell(|rv| format!("{rv}\n").into_bytes()));
    }

    fn next(stream: &mut Stream) -> Option<String> {
        let mut cx = Context::from_waker(Waker::noop());
        match stream.poll_next(&mut cx) {
            Poll::Ready(data) => data.map(|data| String::from_utf8(data.to_vec()).unwrap()),
            Poll::Pending => Some("nothing yet".into()),
        }
    }

    fn from(after: u64) -> Ask {
        Ask { after: Some(after), ..Ask::default() }
    }

    #[test]
    fn every_stream_gets_every_event_from_where_it_stands() {
        let feed = feed(10);
        let mut early = feed.open(Ask::default());
        assert_eq!(next(&mut early).unwrap(), "nothing yet");
        tell(&feed, 2);
        let mut resumed = feed.open(from(1001));
        assert_eq!(next(&mut early).unwrap(), "1001\n1002\n");
        assert_eq!(next(&mut resumed).unwrap(), "1002\n");
        assert_eq!(next(&mut resumed).unwrap(), "nothing yet");
    }

    #[test]
    fn a_stream_that_falls_behind_is_told_and_ends() {
        let feed = feed(2);
        let mut slow = feed.open(Ask::default());
        tell(&feed, 2);
        let mut in_time = feed.open(from(1000));
        assert_eq!(next(&mut in_time).unwrap(), "1001\n1002\n");
        tell(&feed, 1);
        assert!(next(&mut slow).unwrap().contains("410"));
        assert_eq!(next(&mut slow), None);
        // Whoever asks for what is gone is told so, and the oldest kept is not.
        assert!(next(&mut feed.open(from(1000))).unwrap().contains("410"));
        assert_eq!(next(&mut feed.open(from(1001))).unwrap(), "1002\n1003\n");
    }

    #[test]
    fn bookmarks_are_for_those_who_asked() {
        let feed = feed(10);
        let mut plain = feed.open(Ask::default());
        let mut marked = feed.open(Ask { bookmarks: true, ..Ask::default() });
        feed.bookmark(|rv| format!("mark {rv}\n").into_bytes());
        assert_eq!(next(&mut plain).unwrap(), "nothing yet");
        assert_eq!(next(&mut marked).unwrap(), "mark 1000\n");
        tell(&feed, 1);
        assert_eq!(next(&mut plain).unwrap(), "1001\n");
    }

    #[test]
    fn a_query_of_a_watch_is_understood() {
        let ask = Ask::of("watch=1&resourceVersion=77&allowWatchBookmarks=true", None).unwrap();
        assert_eq!((ask.after, ask.bookmarks), (Some(77), true));
        assert_eq!(Ask::of("watch=true&resourceVersion=0", None).unwrap().after, None);
        assert_eq!(Ask::of("limit=500", None), None);
    }
}

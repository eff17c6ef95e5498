//! All watchers of a group: what each wants next, and what came for it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::watch::{EXPIRED, Revision, StreamEnd, WatchKind, WatchLine, WatchLog, Watcher};
use kab_wire::{Event, Gone, Head};

use super::asking::{Asking, Want};
use super::decode::{BadBody, EventType, Lines, List, Metadata, Object, Recent, WatchEvent};
use crate::progress::Progress;
use crate::watchers::WatchError;

/// So many lists are under way at a time: each is kept in memory whole.
const LISTS: usize = 8;
/// The first wait before a stream that failed is asked for again.
const RETRY: Duration = Duration::from_millis(100);
/// The longest such wait.
const LONGEST_RETRY: Duration = Duration::from_secs(10);
/// Lines that are recognised without being decoded.
const RECENT: usize = 32;
/// Most of a refusal that is read.
const REFUSAL: usize = 4 << 10;

/// What a watcher is doing.
#[derive(Debug, Default)]
enum State {
    /// It waits for its turn or its time.
    #[default]
    Idle,
    /// A request is under way.
    Asked(Want),
    /// The answer to a list, or a refusal, is being read.
    Reading { want: Want, head: Head, body: Vec<u8> },
    /// It has a stream.
    Streaming,
}

#[derive(Debug, Default)]
struct One {
    state: State,
    /// Which connection it is on.
    place: usize,
    lines: Lines,
    /// Where it would go on.
    reached: Revision,
    failures: u32,
}

/// All of them.
pub(super) struct Flock {
    path: String,
    /// The last one is none of them: it finds out where they begin.
    all: Vec<One>,
    streams: VecDeque<(Watcher, Want)>,
    lists: VecDeque<Watcher>,
    listing: usize,
    timers: BinaryHeap<Reverse<(Mono, Watcher, Want)>>,
    cancelled: Vec<(usize, u64)>,
    recent: Recent<(u32, Revision)>,
    log: WatchLog,
    progress: Arc<Progress>,
}

impl Flock {
    pub fn new(path: String, count: u32, log: WatchLog, progress: Arc<Progress>) -> Self {
        let all = (0..=count).map(|_| One::default()).collect();
        Self {
            path,
            all,
            streams: VecDeque::from([(count, Want::Begin)]),
            lists: VecDeque::new(),
            listing: 0,
            timers: BinaryHeap::new(),
            cancelled: Vec::new(),
            recent: Recent::new(RECENT),
            log,
            progress,
        }
    }

    /// How many requests wait to be sent.
    pub fn waiting(&self) -> usize {
        self.streams.len() + self.lists.len().min(LISTS.saturating_sub(self.listing))
    }

    /// Events received so far.
    pub fn events(&self) -> u64 {
        self.progress.events()
    }

    /// When the next of those that wait for their time is due.
    pub fn next_due(&self) -> Option<Mono> {
        self.timers.peek().map(|Reverse((at, ..))| *at)
    }

    /// Lets those whose time has come have their turn.
    pub fn wake(&mut self, now: Mono) {
        while let Some(Reverse((at, w, want))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            self.want(w, want);
        }
    }

    fn want(&mut self, w: Watcher, want: Want) {
        match want {
            Want::List => self.lists.push_back(w),
            _ => self.streams.push_back((w, want)),
        }
    }

    /// The next request, to be sent now.
    pub fn next(&mut self, now: Mono) -> Option<Asking> {
        let list = if self.listing < LISTS { self.lists.pop_front() } else { None };
        let (w, want) = list.map(|w| (w, Want::List)).or_else(|| self.streams.pop_front())?;
        let rv = self.all.get(w as usize)?.reached;
        Some(Asking::new(w, want, &self.path, rv, now))
    }

    /// `asked` was sent on connection `place`.
    pub fn sent(&mut self, asked: &Asking, place: usize) {
        let Asking { w, want, at, .. } = *asked;
        self.listing += usize::from(want == Want::List);
        let Some(one) = self.all.get_mut(w as usize) else { return };
        (one.state, one.place) = (State::Asked(want), place);
        one.lines = Lines::default();
        if want == Want::Watch {
            let rv = Some(one.reached);
            self.log.line(WatchLine::Asked { w, at, rv, initial: false });
        }
    }

    /// No connection can be made. What waits goes on waiting.
    pub fn unconnected(&mut self, at: Mono, why: &str) {
        if let Some((w, Want::Watch)) = self.streams.front() {
            let (w, detail) = (*w, why.to_owned());
            let how = StreamEnd::Unconnected;
            self.log.line(WatchLine::Ended { w, at, how, status: None, detail });
        }
    }

    /// The connection of `tag` is lost.
    pub fn lost(&mut self, at: Mono, tag: u64, why: &str) {
        self.ended(at, tag, StreamEnd::Lost, None, why.to_owned());
    }

    /// What is to be given up: on which connection, under which tag.
    pub fn cancelled(&mut self) -> Vec<(usize, u64)> {
        std::mem::take(&mut self.cancelled)
    }

    /// Hands the evidence over, and tells whoever waits.
    pub fn settle(&mut self) {
        self.log.flush();
        self.progress.tell();
    }

    /// Something came for `tag`.
    pub fn take(&mut self, at: Mono, tag: u64, event: Event<'_>) {
        let Ok(w) = Watcher::try_from(tag) else { return };
        let Some(one) = self.all.get_mut(w as usize) else { return };
        match (event, &mut one.state) {
            (Event::Head(head), State::Asked(Want::Watch)) if head.status == 200 => {
                one.state = State::Streaming;
                self.progress.opened(w);
                self.log.line(WatchLine::Opened { w, at });
            }
            (Event::Head(head), State::Asked(want)) => {
                one.state = State::Reading { want: *want, head, body: Vec::new() };
            }
            (Event::Data(piece), State::Reading { head, body, .. }) => {
                let room = REFUSAL.saturating_sub(body.len());
                let taken = if head.status == 200 { piece.len() } else { piece.len().min(room) };
                body.extend_from_slice(&piece[..taken]);
            }
            (Event::Data(piece), State::Streaming) => {
                let mut lines = std::mem::take(&mut one.lines);
                let fed = lines.feed(piece, |line| self.line(w, at, line));
                let Some(one) = self.all.get_mut(w as usize) else { return };
                one.lines = lines;
                if let Err(error) = fed {
                    self.cancel(w);
                    self.ended(at, tag, StreamEnd::Malformed, None, error.to_string());
                }
            }
            (Event::End, State::Reading { .. }) => self.read(w, at),
            (Event::End, State::Streaming | State::Asked(_)) => {
                let cut = one.lines.is_partial().then(|| "in the middle of a line".to_owned());
                self.ended(at, tag, StreamEnd::Closed, None, cut.unwrap_or_default());
            }
            (Event::Gone(gone), State::Streaming | State::Asked(_) | State::Reading { .. }) => {
                let detail = match gone {
                    Gone::Unprocessed => "not processed".to_owned(),
                    Gone::Reset(code) => format!("HTTP/2 error {code}"),
                };
                self.ended(at, tag, StreamEnd::Reset, None, detail);
            }
            // What comes for a stream that was given up.
            _ => {}
        }
    }

    /// One line of the stream of `w`.
    fn line(&mut self, w: Watcher, at: Mono, line: &[u8]) -> Result<(), BadBody> {
        // After an error event the stream is over, whatever else it says.
        if !matches!(self.all.get(w as usize), Some(One { state: State::Streaming, .. })) {
            return Ok(());
        }
        if let Some((e, rv)) = self.recent.find(line) {
            self.got(w, at, e, rv);
            return Ok(());
        }
        let event: WatchEvent<'_> = serde_json::from_slice(line)?;
        let meta = &event.object.metadata;
        let kind = match event.kind {
            EventType::Added => WatchKind::Added,
            EventType::Modified => WatchKind::Modified,
            EventType::Deleted => WatchKind::Deleted,
            EventType::Bookmark => {
                let rv = revision(meta)?;
                self.reach(w, rv);
                self.log.line(WatchLine::Bookmark { w, at, rv });
                return Ok(());
            }
            EventType::Error => {
                self.error(w, at, &event.object);
                return Ok(());
            }
        };
        let rv = revision(meta)?;
        let e = self.describe(kind, meta, rv);
        self.recent.keep(line, (e, rv));
        self.got(w, at, e, rv);
        Ok(())
    }

    fn describe(&mut self, kind: WatchKind, meta: &Metadata<'_>, rv: Revision) -> u32 {
        let op = meta.annotations.op;
        // A removal carries the id of the write before.
        if let Some(op) = op.filter(|_| kind != WatchKind::Deleted) {
            self.progress.seen(op, rv);
        }
        self.log.describe(rv, kind, &meta.uid, &meta.name, op)
    }

    fn got(&mut self, w: Watcher, at: Mono, e: u32, rv: Revision) {
        self.log.got(w, at, e);
        self.progress.event();
        self.reach(w, rv);
    }

    /// Where `w` would go on: from what it received last, as clients do.
    fn reach(&mut self, w: Watcher, rv: Revision) {
        self.progress.reached(w, rv);
        if let Some(one) = self.all.get_mut(w as usize) {
            one.reached = rv;
            one.failures = 0;
        }
    }

    fn error(&mut self, w: Watcher, at: Mono, status: &Object<'_>) {
        let said = [status.reason.as_deref(), status.message.as_deref()];
        let detail = said.into_iter().flatten().collect::<Vec<_>>().join(": ");
        self.cancel(w);
        self.ended(at, u64::from(w), StreamEnd::Failed, status.code, detail);
    }

    fn cancel(&mut self, w: Watcher) {
        if let Some(one) = self.all.get(w as usize) {
            self.cancelled.push((one.place, u64::from(w)));
        }
    }

    /// The answer to a list, or a refusal, is complete.
    fn read(&mut self, w: Watcher, at: Mono) {
        let Some(one) = self.all.get_mut(w as usize) else { return };
        let State::Reading { want, head, body } = std::mem::take(&mut one.state) else { return };
        if head.status != 200 {
            one.state = State::Asked(want);
            let why = serde_json::from_slice::<Object<'_>>(&body).ok();
            let why = why.and_then(|status| status.message.map(std::borrow::Cow::into_owned));
            let why = why.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
            self.refused(at, w, head, why);
            return;
        }
        one.state = State::Asked(want);
        match serde_json::from_slice::<List<'_>>(&body) {
            Ok(list) => match list.metadata.revision() {
                Some(rv) => self.listed(w, want, at, rv, &list),
                None => self.unlisted(at, w, "the list has no resourceVersion".to_owned()),
            },
            Err(error) => self.unlisted(at, w, format!("not a list: {error}")),
        }
    }

    fn unlisted(&mut self, at: Mono, w: Watcher, why: String) {
        self.ended(at, u64::from(w), StreamEnd::Malformed, Some(200), why);
    }

    fn listed(&mut self, w: Watcher, want: Want, at: Mono, rv: Revision, list: &List<'_>) {
        if want == Want::Begin {
            let last = self.all.len().saturating_sub(1);
            for (w, one) in (0..).zip(self.all.iter_mut().take(last)) {
                one.reached = rv;
                self.progress.reached(w, rv);
                self.streams.push_back((w, Want::Watch));
            }
        } else {
            self.listing -= 1;
            let held = list.items.iter().flatten().filter_map(|item| {
                let rv = item.metadata.revision()?;
                Some((rv, &item.metadata))
            });
            let held: Vec<_> = held.collect();
            let events =
                held.into_iter().map(|(rv, meta)| self.describe(WatchKind::Listed, meta, rv));
            let events = events.collect();
            self.log.listed(w, at, rv, events);
            self.reach(w, rv);
            self.streams.push_back((w, Want::Watch));
        }
        if let Some(one) = self.all.get_mut(w as usize) {
            one.state = State::Idle;
        }
    }

    fn refused(&mut self, at: Mono, w: Watcher, head: Head, why: String) {
        let least = head.retry_after.unwrap_or_default();
        self.over(at, w, StreamEnd::Refused, Some(head.status), why, least);
    }

    fn ended(&mut self, at: Mono, tag: u64, how: StreamEnd, status: Option<u16>, detail: String) {
        let Ok(w) = Watcher::try_from(tag) else { return };
        self.over(at, w, how, status, detail, Duration::ZERO);
    }

    /// What `w` had asked for is over: it is written down, and asked for again.
    fn over(
        &mut self,
        at: Mono,
        w: Watcher,
        how: StreamEnd,
        status: Option<u16>,
        detail: String,
        least: Duration,
    ) {
        let Some(one) = self.all.get_mut(w as usize) else { return };
        let want = match std::mem::take(&mut one.state) {
            State::Idle => return,
            State::Asked(want) | State::Reading { want, .. } => want,
            State::Streaming => Want::Watch,
        };
        one.lines = Lines::default();
        let clean = how == StreamEnd::Closed && one.failures == 0;
        one.failures = one.failures.saturating_add(1);
        let wait = (RETRY * 2_u32.saturating_pow(one.failures.min(10))).min(LONGEST_RETRY);
        // Not all at the same moment: up to half as much later.
        let spread = wait * (w % 64) / 128;
        let expired = status == Some(EXPIRED);
        let wait = if clean || expired { Duration::ZERO } else { (wait + spread).max(least) };
        match want {
            Want::Watch => self.log.line(WatchLine::Ended { w, at, how, status, detail }),
            Want::List => {
                self.listing -= 1;
                self.log.line(WatchLine::Unlisted { w, at, status, detail });
            }
            Want::Begin => self.log.line(WatchLine::Unlisted { w: 0, at, status, detail }),
        }
        let next = if expired { Want::List } else { want };
        if wait.is_zero() {
            self.want(w, next);
        } else {
            self.timers.push(Reverse((at.plus(wait), w, next)));
        }
    }

    /// Ends what is open, and writes everything out; how many lines.
    pub fn finish(mut self) -> Result<u64, WatchError> {
        let at = Mono::now();
        for (w, one) in (0..).zip(&self.all) {
            if matches!(one.state, State::Streaming | State::Asked(Want::Watch)) {
                let (how, detail) = (StreamEnd::Ours, String::new());
                self.log.line(WatchLine::Ended { w, at, how, status: None, detail });
            }
        }
        self.settle();
        Ok(self.log.finish()?)
    }
}

fn revision(meta: &Metadata<'_>) -> Result<Revision, BadBody> {
    meta.revision().ok_or(BadBody::Revision)
}

//! One watcher, from its first request to the end: a state machine over the
//! lines of its file.
//!
//! The *frontier* is the first change that the watcher cannot be said to have
//! gone past. It moves with each event to the event's revision, and with each
//! bookmark and list beyond theirs. A change that it goes past unseen is
//! missing, until it comes after all: then it came late, which is another
//! fault than not coming at all.

use std::collections::HashMap;

use kab_evidence::watch::{Revision, StreamEnd, Watcher};

use super::account::Account;
use super::bits::Bits;
use super::guarantee::Guarantee;
use super::universe::{Place, Universe};

/// What shows that a change is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    /// What its absence breaks.
    pub guarantee: Guarantee,
    pub line: u32,
    pub stream: u32,
    /// The revision of what came instead.
    pub instead: Revision,
}

/// How an event broke a guarantee by coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub guarantee: Guarantee,
    /// What it must not come after.
    pub after: After,
}

/// What an event must not come after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Itself.
    Itself,
    /// The revision that the stream was asked for from.
    Asked(Revision),
    /// A bookmark.
    Bookmark(Revision),
    /// A later event.
    Event(Revision),
    /// Something else, its revision having begun already.
    Between(Revision),
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Whether it is the first of its change.
    pub first: bool,
    /// Whether the stream had received another before.
    pub follows: bool,
    /// Whether it is the first thing received on a stream asked for from a
    /// revision.
    pub resumes: bool,
    pub fault: Option<Fault>,
}

/// The stream that is open, or asked for.
#[derive(Debug, Clone, Default)]
struct Stream {
    /// Changes up to here must not come.
    asked: Revision,
    /// Whether it was asked for from a revision.
    resumed: bool,
    /// Whether something was received.
    begun: bool,
    /// The highest revision received as an event.
    last: Revision,
    /// The revision received last.
    previous: Revision,
    bookmark: Revision,
    /// Changes up to here may come again, once: the watcher asked from before.
    again_to: Revision,
    again: Bits,
}

/// One watcher.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    pub watcher: Watcher,
    /// The first change due; none as long as it is not known where it began.
    start: Option<Place>,
    frontier: Place,
    /// As far as it has got.
    reached: Revision,
    seen: Bits,
    missing: HashMap<Place, Proof>,
    stream: Stream,
    /// How many streams were asked for.
    pub asked: u32,
    pub opened: bool,
    /// Whether anything ever came on a stream.
    pub heard: bool,
    /// Whether a stream that was wanted ended, and none was asked for since.
    cut: bool,
    relisted: u64,
    coalesced: u64,
    skipped: u64,
    duplicated: u64,
}

impl Lineage {
    pub fn new(watcher: Watcher) -> Self {
        Self { watcher, ..Self::default() }
    }

    /// A stream is asked for, from `rv` on.
    pub fn ask(&mut self, universe: &Universe, rv: Option<Revision>) {
        let from = rv.filter(|rv| *rv > 0);
        self.asked += 1;
        self.cut = false;
        self.stream = Stream {
            asked: from.unwrap_or(0),
            resumed: from.is_some(),
            again_to: self.reached,
            ..Stream::default()
        };
        let Some(from) = from else { return };
        if self.start.is_none() {
            self.begin(universe.after(from));
        } else {
            // It goes on from further ahead than it had got: what is between
            // was given up by the watcher itself.
            self.advance(universe.after(from), |lineage, _| lineage.skipped += 1);
        }
        self.reached = self.reached.max(from);
    }

    fn begin(&mut self, at: Place) {
        self.start = Some(at);
        self.frontier = at;
    }

    /// Change `place` is received.
    pub fn receive(&mut self, universe: &Universe, place: Place, line: u32) -> Receipt {
        let rv = universe.get(place).map_or(0, |change| change.rv);
        self.heard = true;
        if self.start.is_none() {
            self.begin(universe.at_or_after(rv));
        }
        let follows = self.stream.last > 0;
        let resumes = self.stream.resumed && !self.stream.begun;
        let fault = self.fault(universe, place, rv);
        let again = self.seen.contains(place);
        let accounted = place < self.frontier && !self.missing.contains_key(&place);
        let first = !again && !accounted;
        if first {
            self.seen.insert(place);
            self.missing.remove(&place);
            if rv <= self.stream.again_to {
                self.stream.again.insert(place);
            }
        } else {
            self.duplicated += 1;
        }
        if fault.is_none() {
            let guarantee = if resumes { Guarantee::Resumable } else { Guarantee::Reliable };
            self.pass(universe.at_or_after(rv), guarantee, line, rv);
            self.reached = self.reached.max(rv);
        }
        self.stream.begun = true;
        self.stream.last = self.stream.last.max(rv);
        self.stream.previous = rv;
        Receipt { first, follows, resumes, fault }
    }

    /// What the receipt of `place` breaks, if anything: one thing at most.
    fn fault(&mut self, universe: &Universe, place: Place, rv: Revision) -> Option<Fault> {
        let stream = &mut self.stream;
        let broke = |guarantee, after| Some(Fault { guarantee, after });
        if rv <= stream.asked {
            return broke(Guarantee::Resumable, After::Asked(stream.asked));
        }
        if self.seen.contains(place) {
            let may_repeat = rv <= stream.again_to && stream.again.insert(place);
            return if may_repeat { None } else { broke(Guarantee::Unique, After::Itself) };
        }
        if rv <= stream.bookmark {
            return broke(Guarantee::Bookmarkable, After::Bookmark(stream.bookmark));
        }
        if rv >= stream.last {
            return None;
        }
        let begun = universe.siblings(place).any(|sibling| self.seen.contains(sibling));
        if begun && stream.previous != rv {
            return broke(Guarantee::Atomic, After::Between(stream.previous));
        }
        broke(Guarantee::Ordered, After::Event(stream.last))
    }

    /// A bookmark is received; whether it is below what was received before.
    pub fn bookmark(&mut self, universe: &Universe, rv: Revision, line: u32) -> Option<Fault> {
        self.heard = true;
        if self.start.is_none() {
            self.begin(universe.after(rv));
        }
        let before = self.stream.last.max(self.stream.bookmark);
        if rv < before {
            let after = After::Event(before);
            return Some(Fault { guarantee: Guarantee::Bookmarkable, after });
        }
        self.stream.begun = true;
        self.stream.bookmark = rv;
        self.reached = self.reached.max(rv);
        self.pass(universe.after(rv), Guarantee::Bookmarkable, line, rv);
        None
    }

    /// The state of the collection at `rv` is received; whether it is the
    /// watcher's first. `holds` tells whether a change is in it.
    pub fn list(
        &mut self,
        universe: &Universe,
        rv: Revision,
        holds: impl Fn(Place) -> bool,
    ) -> bool {
        let first = self.start.is_none();
        // One from before there was a stream says nothing of streams.
        self.heard |= self.opened;
        if first {
            self.begin(universe.after(rv));
        } else {
            self.advance(universe.after(rv), |lineage, place| {
                if holds(place) {
                    lineage.relisted += 1;
                } else {
                    lineage.coalesced += 1;
                }
            });
        }
        self.reached = self.reached.max(rv);
        // A stream with initial events goes on from here.
        self.stream.asked = self.stream.asked.max(rv);
        first
    }

    /// The stream, or the attempt at one, has ended.
    pub fn end(&mut self, how: StreamEnd) {
        self.cut = how.unasked();
    }

    /// Goes past everything before `to`; what is unseen is missing.
    fn pass(&mut self, to: Place, guarantee: Guarantee, line: u32, instead: Revision) {
        let proof = Proof { guarantee, line, stream: self.asked, instead };
        self.advance(to, |lineage, place| {
            lineage.missing.insert(place, proof);
        });
    }

    fn advance(&mut self, to: Place, mut unseen: impl FnMut(&mut Self, Place)) {
        for place in self.frontier..to {
            if !self.seen.contains(place) {
                unseen(self, place);
            }
        }
        self.frontier = self.frontier.max(to);
    }

    /// The first change due to it.
    pub const fn start(&self) -> Option<Place> {
        self.start
    }

    /// What never came, though something later did.
    pub fn missing(&self) -> impl Iterator<Item = (Place, Proof)> + '_ {
        self.missing.iter().map(|(place, proof)| (*place, *proof))
    }

    /// What became of everything that was due.
    pub fn account(&self, universe: &Universe) -> Account {
        let Some(start) = self.start else { return Account::default() };
        let expected = u64::from(universe.len().saturating_sub(start));
        let delivered = self.seen.count();
        let lost = self.missing.len() as u64;
        let settled = delivered + lost + self.relisted + self.coalesced + self.skipped;
        let rest = expected.saturating_sub(settled);
        let (cut_off, silent, pending) = match (self.cut, self.opened && !self.heard) {
            (true, _) => (rest, 0, 0),
            (false, true) => (0, rest, 0),
            (false, false) => (0, 0, rest),
        };
        Account {
            expected,
            delivered,
            relisted: self.relisted,
            coalesced: self.coalesced,
            cut_off: cut_off + self.skipped,
            pending,
            silent,
            lost,
            duplicated: self.duplicated,
        }
    }
}

//! Operations in flight: each in a slot, until its line is in the ledger.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
use kab_wire::{Event, Gone, Media};

use crate::dialect::{Composed, Dialect};
use crate::work::Prepared;

/// Most of an answer that is kept to be read; all of it is counted.
const LONGEST_KEPT: usize = 4 << 20;
/// Longest excerpt of an answer that is kept to explain an outcome.
const LONGEST_DETAIL: usize = 200;

/// How an operation ended, as it goes into the ledger and the summary.
#[derive(Debug)]
pub(crate) struct Ended {
    pub op: OpId,
    pub leaves_its_id: bool,
    pub outcome: Outcome,
    pub lateness: Option<u64>,
    pub class: Cow<'static, str>,
}

/// Where an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It waits for a connection.
    Waiting,
    /// On this connection of its pool, sent at this mark.
    On { link: usize, mark: u64 },
}

/// One operation in flight.
pub(crate) struct Flight {
    pub index: u64,
    pub kind: OpKind,
    pub peer: usize,
    pub place: Place,
    pub record: OpRecord,
    pub request: Composed,
    /// Which client of a closed loop waits for it.
    pub client: Option<u32>,
    /// How often it was taken back from a connection that had ended unused.
    pub retaken: u8,
    /// Whether it waits for one of the connections there may be, all busy.
    pub queued: bool,
    /// Whether any connection ever took it.
    pub was_handed_over: bool,
    deadline: Mono,
    status: Option<u16>,
    media: Media,
    body: Vec<u8>,
}

/// How an operation ended: outcome, class, and what is said of it.
pub(crate) type End = (Outcome, Cow<'static, str>, Option<String>);

/// What an event means for its operation.
pub(crate) enum Step {
    /// More is to come.
    Goes,
    /// An answer of this kind is complete, and the second request is ready.
    Follows(Media),
    /// It has ended; with a complete answer, if there is a kind.
    Ended(Option<Media>, End),
}

/// All of them, by slot.
#[derive(Default)]
pub(crate) struct Flights {
    slots: Vec<Option<Flight>>,
    free: Vec<usize>,
    /// Deadlines of operations, those that have ended too.
    deadlines: BinaryHeap<Reverse<(Mono, usize, OpId)>>,
    bodies: Vec<Vec<u8>>,
}

impl Flights {
    pub(crate) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes in an operation that is sent now.
    pub(crate) fn begin(
        &mut self,
        prepared: Prepared,
        client: Option<u32>,
        deadline: Mono,
    ) -> usize {
        let Prepared { index, kind, peer, record, request } = prepared;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.deadlines.push(Reverse((deadline, slot, record.op)));
        let body = self.bodies.pop().unwrap_or_default();
        self.slots[slot] = Some(Flight {
            index,
            kind,
            peer,
            place: Place::Waiting,
            record,
            request,
            client,
            retaken: 0,
            queued: false,
            was_handed_over: false,
            deadline,
            status: None,
            media: Media::Unsaid,
            body,
        });
        slot
    }

    pub(crate) fn get(&mut self, slot: usize) -> Option<&mut Flight> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Takes an operation out; its slot may be given to another.
    pub(crate) fn end(&mut self, slot: usize) -> Option<Flight> {
        let flight = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        Some(flight)
    }

    /// Its buffers may be used again.
    pub(crate) fn recycle(&mut self, mut body: Vec<u8>) {
        // One long answer must not be held on to for ever.
        if body.capacity() <= 64 * 1024 {
            body.clear();
            self.bodies.push(body);
        }
    }

    /// The next deadline, that of an operation which has ended perhaps.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.deadlines.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next operation whose deadline has come.
    pub(crate) fn expired(&mut self, now: Mono) -> Option<usize> {
        while let Some(&Reverse((at, slot, op))) = self.deadlines.peek() {
            let under_way = self.slots[slot].as_ref().is_some_and(|f| f.record.op == op);
            if under_way && at > now {
                return None;
            }
            self.deadlines.pop();
            if under_way {
                return Some(slot);
            }
        }
        None
    }

    /// The slots of all that is in flight.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|&slot| self.slots[slot].is_some()).collect()
    }
}

impl Flight {
    /// Takes in part of the answer.
    pub(crate) fn take(&mut self, event: Event<'_>, dialect: &dyn Dialect) -> Step {
        match event {
            Event::Head(head) => (self.status, self.media) = (Some(head.status), head.media),
            Event::Data(data) => {
                self.record.bytes_in += data.len() as u64;
                let ok = self.status.is_some_and(|status| status < 300);
                let most =
                    if ok && self.kind != OpKind::List { LONGEST_KEPT } else { 4 * LONGEST_DETAIL };
                let room = most.saturating_sub(self.body.len()).min(data.len());
                self.body.extend_from_slice(&data[..room]);
            }
            Event::End => return self.complete(dialect),
            Event::Gone(Gone::Unprocessed) => {
                let detail = "the server says that it has not looked at it".to_owned();
                return Step::Ended(None, (Outcome::Failed, "not-processed".into(), Some(detail)));
            }
            Event::Gone(Gone::Reset(code)) => {
                let detail = format!("stream broken off with code {code}{}", self.so_far());
                let end = (self.in_doubt(), "stream-reset".into(), Some(detail));
                return Step::Ended(None, end);
            }
        }
        Step::Goes
    }

    fn complete(&mut self, dialect: &dyn Dialect) -> Step {
        let (status, media) = (self.status.unwrap_or(0), self.media);
        let outcome = dialect.classify(self.kind, status);
        if outcome != Outcome::Ok {
            let said = dialect.explain(media, &self.body);
            let detail = said.map_or_else(|| excerpt(&self.body), |said| excerpt(said.as_bytes()));
            let outcome = if self.only_read() { Outcome::Failed } else { outcome };
            return Step::Ended(Some(media), (outcome, http_class(status), Some(detail)));
        }
        let said = dialect.read(self.kind, media, &self.body);
        if !self.request.follows {
            (self.record.uid, self.record.rv) = (said.uid, said.rv);
            return Step::Ended(Some(media), (outcome, http_class(status), None));
        }
        if !dialect.follow(&said, &mut self.request) {
            let detail = format!(
                "what was read before the write names no version, after status {status}: {}",
                excerpt(&self.body)
            );
            let end = (Outcome::Failed, "no-version".into(), Some(detail));
            return Step::Ended(Some(media), end);
        }
        self.body.clear();
        (self.status, self.media) = (None, Media::Unsaid);
        (self.place, self.retaken) = (Place::Waiting, 0);
        Step::Follows(media)
    }

    /// Whether nothing but the read before a write can have been sent.
    const fn only_read(&self) -> bool {
        let waits = matches!((self.kind, self.place), (OpKind::Update, Place::Waiting));
        self.request.follows || waits
    }

    /// The outcome of an operation that was sent, and of which no more is known.
    pub(crate) const fn in_doubt(&self) -> Outcome {
        if self.only_read() { Outcome::Failed } else { Outcome::Indeterminate }
    }

    /// How an answer that breaks off ends an operation.
    pub(crate) fn lost(&self, why: &str) -> End {
        let detail = format!("{why}{}", self.so_far());
        (self.in_doubt(), "connection-lost".into(), Some(detail))
    }

    fn so_far(&self) -> String {
        self.status.map(|status| format!(", after status {status}")).unwrap_or_default()
    }

    pub(crate) const fn deadline(&self) -> Mono {
        self.deadline
    }

    /// Completes its line of the ledger.
    pub(crate) fn close(
        mut self,
        outcome: Outcome,
        class: Cow<'static, str>,
        detail: Option<String>,
    ) -> (OpRecord, Ended, Composed, Vec<u8>) {
        let ended = Ended {
            op: self.record.op,
            leaves_its_id: self.kind.leaves_its_id(),
            outcome,
            lateness: self.record.lateness_nanos(),
            class,
        };
        self.record.outcome = outcome;
        self.record.class = ended.class.as_ref().to_owned();
        self.record.detail = detail;
        (self.record, ended, self.request, self.body)
    }
}

fn http_class(status: u16) -> Cow<'static, str> {
    match status {
        // The usual ones cost no allocation.
        200 => "http-200".into(),
        201 => "http-201".into(),
        status => format!("http-{status}").into(),
    }
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(LONGEST_DETAIL).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_short_and_never_split_a_character() {
        assert_eq!(excerpt("é".repeat(1000).as_bytes()).chars().count(), LONGEST_DETAIL);
        assert_eq!(excerpt(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}

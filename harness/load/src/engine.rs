//! The loop that is the generator: one thread starts what is due, reads what
//! has come, and waits for whichever comes first.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpRecord, Outcome};
use kab_wire::{Broken, Event, Reactor, Ready, Request, Scratch};

use crate::arrivals::{Coming, Due};
use crate::dialect::Composed;
use crate::flight::{End, Flight, Flights, Place, Step};
use crate::generator::{LoadSpec, Waiting};
use crate::pool::{Pool, Turn};
use crate::summary::{Failure, LoadSummary, Tally};
use crate::work::Prepared;

/// After so many operations without a pause the sockets get a turn, so that a
/// generator that is behind still reads its answers.
const TURN: u32 = 32;

/// An operation that a connection took and lost unseen is given to another one
/// so many times.
const RETAKES: u8 = 3;

/// Due, but kept from being sent by the connections that the load may have.
const NO_CONNECTION: &str = "no-connection";

/// Due, but kept from being sent by what the operating system grants kab.
const OWN_LIMIT: &str = "own-limit";

/// Whether a connection failed for want of kab's own: file descriptors (EMFILE,
/// ENFILE), ports (EADDRNOTAVAIL), buffers (ENOBUFS, ENOMEM).
fn is_own_limit(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24 | 99 | 105 | 12))
}

/// How a generator is told to stop.
#[derive(Debug, Default)]
pub(crate) struct Orders(AtomicU8);

impl Orders {
    /// Send nothing more, await what is in flight.
    pub(crate) const FINISH: u8 = 1;
    /// Send nothing more, write down what is in flight, and end.
    pub(crate) const ABANDON: u8 = 2;

    pub(crate) fn give(&self, order: u8) {
        self.0.fetch_max(order, Ordering::Release);
    }

    fn given(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }
}

pub(crate) struct Engine<'a> {
    spec: &'a LoadSpec,
    ledger: &'a JsonlWriter<OpRecord>,
    orders: &'a Orders,
    reactor: Reactor,
    scratch: Scratch,
    pools: Vec<Pool>,
    flights: Flights,
    coming: Coming,
    tally: Tally,
    /// Made ready before its time has come.
    next: Option<(Due, Prepared)>,
    spare: Vec<Composed>,
    fields: Vec<u8>,
    ready: Vec<Ready>,
    over: Vec<Turn>,
    /// Slots of operations whose answer has just ended.
    ended: Vec<Answer>,
    /// Slots of operations whose second request is ready.
    followed: Vec<usize>,
}

/// How an answer ended, still to be written down.
struct Answer {
    slot: usize,
    at: Mono,
    end: End,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(
        spec: &'a LoadSpec,
        ledger: &'a JsonlWriter<OpRecord>,
        orders: &'a Orders,
        reactor: Reactor,
    ) -> Self {
        let most = |index: usize| spec.connections_of(index);
        let peers = spec.work.peers.iter().enumerate();
        let mut pools: Vec<_> =
            peers.map(|(index, peer)| Pool::new(peer, index, most(index))).collect();
        for (pool, peer) in pools.iter_mut().zip(&spec.work.peers) {
            if spec.opens_ahead(peer) {
                pool.fill(&reactor);
            }
        }
        Self {
            spec,
            ledger,
            orders,
            reactor,
            scratch: Scratch::default(),
            pools,
            flights: Flights::default(),
            coming: Coming::begin(&spec.arrivals, spec.start),
            tally: Tally::begin(spec.arrivals.count()),
            next: None,
            spare: Vec::new(),
            fields: Vec::new(),
            ready: Vec::new(),
            over: Vec::new(),
            ended: Vec::new(),
            followed: Vec::new(),
        }
    }

    /// Runs the load to its end.
    pub(crate) fn run(mut self) -> std::io::Result<LoadSummary> {
        let limit = usize::try_from(self.spec.max_in_flight).unwrap_or(usize::MAX);
        loop {
            match self.orders.given() {
                Orders::ABANDON => {
                    self.abandon();
                    break;
                }
                Orders::FINISH => self.finish_up(),
                _ => {}
            }
            let behind = self.start_due(limit)?;
            self.flush();
            self.expire();
            if self.next.is_none() && self.flights.count() == 0 && self.coming.is_over() {
                break;
            }
            let until = if behind { Some(Mono::from_nanos(0)) } else { self.until() };
            self.wait(until)?;
        }
        Ok(self.tally.finish())
    }

    /// Starts what is due; whether there is more.
    fn start_due(&mut self, limit: usize) -> std::io::Result<bool> {
        for _ in 0..TURN {
            self.prepare_next();
            let now = Mono::now();
            let Some((due, prepared)) = self.next.take_if(|(due, _)| due.at <= now) else {
                return Ok(false);
            };
            if self.flights.count() >= limit {
                // An operation must not count as missed because the generator
                // has not looked at its answers yet.
                self.flush();
                self.wait(Some(Mono::from_nanos(0)))?;
            }
            self.tally.reach(due.at);
            if self.flights.count() < limit {
                self.start(due, prepared);
            } else {
                self.miss(due, prepared);
            }
        }
        Ok(true)
    }

    fn prepare_next(&mut self) {
        if self.next.is_some() {
            return;
        }
        if let Some(due) = self.coming.next() {
            let buffers = self.spare.pop().unwrap_or_default();
            let prepared = self.spec.work.prepare(due.index, due.at, buffers, &mut self.fields);
            self.next = Some((due, prepared));
        }
    }

    fn start(&mut self, due: Due, mut prepared: Prepared) {
        let now = Mono::now();
        prepared.record.sent = Some(now);
        let deadline = now.plus(self.spec.work.deadlines.of(prepared.kind));
        let peer = prepared.peer;
        let slot = self.flights.begin(prepared, due.client, deadline);
        self.tally.in_flight(self.flights.count());
        if !self.pools[peer].waiting.is_empty() || !self.hand_over(slot) {
            let full = self.pools[peer].is_full();
            if let Some(flight) = self.flights.get(slot) {
                // A connection that is only being made is the server's time.
                flight.queued = full;
            }
            self.pools[peer].waiting.push_back(slot);
            self.provide(peer);
        }
    }

    /// Gives the operation in `slot` to a connection, if one has room.
    fn hand_over(&mut self, slot: usize) -> bool {
        let Some(flight) = self.flights.get(slot) else { return true };
        let (op, request) = (flight.record.op, &flight.request);
        let traceparent = op.traceparent_text();
        let trace = traceparent.as_str();
        let mut headers = [("traceparent", trace), ("content-type", request.content_type)];
        let count = if request.body.is_empty() { 1 } else { 2 };
        let wire = Request {
            method: request.method,
            path: &request.path,
            headers: &headers.as_mut_slice()[..count],
            body: &request.body,
        };
        let Some((link, mark)) = self.pools[flight.peer].send(slot, &wire) else { return false };
        flight.place = Place::On { link, mark };
        flight.was_handed_over = true;
        if std::mem::take(&mut flight.queued)
            && let Some(sent) = flight.record.sent
        {
            self.tally.waited(Mono::now().since(sent));
        }
        true
    }

    /// Sees to it that a connection comes for those who wait.
    fn provide(&mut self, peer: usize) {
        while let Err(broken) = self.pools[peer].provide(&self.reactor) {
            if !self.unconnected(peer, &broken) {
                return;
            }
        }
    }

    fn miss(&mut self, due: Due, prepared: Prepared) {
        let slot = self.flights.begin(prepared, due.client, due.at);
        if let Some(flight) = self.flights.end(slot) {
            self.write(flight, None, Outcome::Missed, "in-flight-limit".into(), None);
        }
    }

    /// When to look again at the latest.
    fn until(&self) -> Option<Mono> {
        let due = self.next.as_ref().map(|(due, _)| match self.spec.waiting {
            Waiting::Timer => due.at,
            Waiting::Hybrid => due.at.minus(Waiting::MARGIN),
            Waiting::Spin => Mono::from_nanos(0),
        });
        match (due, self.flights.next_deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Waits, reads what has come, and writes down what has ended with it.
    fn wait(&mut self, until: Option<Mono>) -> std::io::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        self.reactor.wait(until, &mut ready)?;
        for ready in ready.drain(..) {
            let (pool, _) = Pool::of_key(ready.key);
            let (flights, tally) = (&mut self.flights, &mut self.tally);
            let (ended, followed) = (&mut self.ended, &mut self.followed);
            let dialect = &*self.spec.work.dialect;
            let mut sink = |at: Mono, tag: u64, event: Event<'_>| {
                let slot = usize::try_from(tag).unwrap_or(usize::MAX);
                let Some(flight) = flights.get(slot) else { return };
                let media = match flight.take(event, dialect) {
                    Step::Goes => return,
                    Step::Follows(media) => {
                        followed.push(slot);
                        Some(media)
                    }
                    Step::Ended(media, end) => {
                        ended.push(Answer { slot, at, end });
                        media
                    }
                };
                media.into_iter().for_each(|media| tally.answer(media));
            };
            let turn = self.pools[pool].ready(&self.reactor, ready, &mut self.scratch, &mut sink);
            self.close_ended();
            // Before those who wait: its time has begun already.
            self.followed.drain(..).for_each(|slot| self.pools[pool].waiting.push_front(slot));
            self.settle(pool, turn);
        }
        self.ready = ready;
        // Only now: a new connection must not be taken for the one before it.
        (0..self.pools.len()).for_each(|pool| self.dispatch(pool));
        Ok(())
    }

    fn close_ended(&mut self) {
        let mut ended = std::mem::take(&mut self.ended);
        for Answer { slot, at, end: (outcome, class, detail) } in ended.drain(..) {
            if let Some(flight) = self.flights.end(slot) {
                self.write(flight, Some(at), outcome, class, detail);
            }
        }
        self.ended = ended;
    }

    /// Gives connections to those who wait.
    fn dispatch(&mut self, pool: usize) {
        while let Some(&slot) = self.pools[pool].waiting.front() {
            if !self.hand_over(slot) {
                self.provide(pool);
                return;
            }
            self.pools[pool].waiting.pop_front();
        }
    }

    fn flush(&mut self) {
        for pool in 0..self.pools.len() {
            let mut over = std::mem::take(&mut self.over);
            self.pools[pool].flush(&self.reactor, &mut over);
            over.drain(..).for_each(|turn| self.settle(pool, turn));
            self.over = over;
        }
    }

    /// Deals with what was under way on a connection that is over.
    fn settle(&mut self, pool: usize, turn: Turn) {
        let Turn::Over { tags, connection, why } = turn else { return };
        for tag in tags {
            let slot = usize::try_from(tag).unwrap_or(usize::MAX);
            let Some(flight) = self.flights.get(slot) else { continue };
            let Place::On { mark, .. } = flight.place else { continue };
            // Nobody can have seen it: taking another connection is no retry.
            if connection.untouched(mark) && flight.retaken < RETAKES {
                flight.retaken += 1;
                flight.place = Place::Waiting;
                self.pools[pool].waiting.push_front(slot);
                continue;
            }
            let (outcome, class, detail) = if connection.untouched(mark) {
                (Outcome::Failed, "not-sent".into(), Some(why.to_string()))
            } else {
                flight.lost(&why.to_string())
            };
            self.end(slot, outcome, class, detail);
        }
        if matches!(why, Broken::Connect(_) | Broken::Handshake(_)) {
            self.unconnected(pool, &why);
        }
    }

    /// A connection has failed to come. Whoever has waited longest was to have
    /// it, and has none, unless there is another; whether one ended so.
    fn unconnected(&mut self, pool: usize, why: &Broken) -> bool {
        if self.pools[pool].is_connected() {
            return false;
        }
        let Some(slot) = self.pools[pool].waiting.pop_front() else { return false };
        let refused = |e: &std::io::Error| e.kind() == std::io::ErrorKind::ConnectionRefused;
        let class = match why {
            Broken::Connect(error) if refused(error) => "connect-refused",
            Broken::Connect(error) if is_own_limit(error) => OWN_LIMIT,
            _ => "connect-failed",
        };
        let outcome = if class == OWN_LIMIT { Outcome::Missed } else { Outcome::Failed };
        self.end(slot, outcome, class.into(), Some(why.to_string()));
        true
    }

    /// Gives up what has taken too long.
    fn expire(&mut self) {
        let now = Mono::now();
        while let Some(slot) = self.flights.expired(now) {
            let Some(flight) = self.flights.get(slot) else { continue };
            let (peer, place, in_doubt) = (flight.peer, flight.place, flight.in_doubt());
            let (fresh, intended) = (!flight.was_handed_over, flight.record.intended);
            debug_assert!(flight.deadline() <= now);
            let pool = &mut self.pools[peer];
            let (outcome, class, detail) = match place {
                Place::Waiting if fresh && pool.was_connected_since(intended) => {
                    (Outcome::Missed, NO_CONNECTION, "all of kab's connections were busy")
                }
                Place::Waiting if pool.is_connected() => {
                    (Outcome::Failed, "not-sent", "no connection was free within the deadline")
                }
                Place::Waiting => {
                    (Outcome::Failed, "connect-timeout", "no connection within the deadline")
                }
                Place::On { link, mark } if pool.untouched(link, mark) => (
                    Outcome::Failed,
                    "not-sent",
                    "connected, but the request could not be written in time",
                ),
                Place::On { .. } => {
                    (in_doubt, "deadline", "no complete answer within the deadline")
                }
            };
            match place {
                Place::Waiting => pool.waiting.retain(|waiting| *waiting != slot),
                Place::On { link, .. } => pool.cancel(link, slot),
            }
            self.end(slot, outcome, class.into(), Some(detail.to_owned()));
        }
    }

    /// Nothing more is due.
    fn finish_up(&mut self) {
        self.next = None;
        self.coming = Coming::Over;
    }

    /// Writes down everything that is not over, as it stands.
    fn abandon(&mut self) {
        self.finish_up();
        for slot in self.flights.all() {
            let Some(flight) = self.flights.get(slot) else { continue };
            let (outcome, detail) = (flight.in_doubt(), "kab stopped waiting for it".to_owned());
            self.end(slot, outcome, "abandoned".into(), Some(detail));
        }
    }

    fn end(
        &mut self,
        slot: usize,
        outcome: Outcome,
        class: Cow<'static, str>,
        detail: Option<String>,
    ) {
        if let Some(flight) = self.flights.end(slot) {
            self.write(flight, Some(Mono::now()), outcome, class, detail);
        }
    }

    /// Writes an operation's line into the ledger.
    fn write(
        &mut self,
        mut flight: Flight,
        done: Option<Mono>,
        outcome: Outcome,
        class: Cow<'static, str>,
        detail: Option<String>,
    ) {
        flight.record.done = done;
        if outcome == Outcome::Missed {
            // It was never sent: it has no place in any latency.
            (flight.record.sent, flight.record.done) = (None, None);
        }
        if self.was_sent(&flight, &class) {
            flight.record.bytes_out = flight.request.body.len() as u64;
        }
        let (index, client) = (flight.index, flight.client);
        if outcome != Outcome::Ok && self.tally.first_failure().is_none() {
            let (key, class) = (flight.record.key.clone(), class.to_string());
            self.tally.fail(Failure { index, key, class, detail: detail.clone() });
            if self.spec.must_succeed {
                self.finish_up();
            }
        }
        let (record, ended, request, body) = flight.close(outcome, class, detail);
        self.ledger.append(record);
        self.tally.end(&ended);
        self.spare.push(request);
        self.flights.recycle(body);
        self.coming.ended(client, done.unwrap_or_else(Mono::now));
    }

    /// Whether a byte of the operation can have left.
    fn was_sent(&self, flight: &Flight, class: &str) -> bool {
        match flight.place {
            Place::Waiting => false,
            Place::On { .. } => class != "not-sent",
        }
    }
}

//! The loop that is the generator: one thread starts what is due, reads what
//! has come, and waits for whichever comes first.

mod ending;
mod orders;

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpRecord, Outcome};
use kab_wire::{Event, Reactor, Ready, Request, Scratch};

use crate::arrivals::{Coming, Due};
use crate::dialect::Composed;
use crate::flight::{End, Flights, Place, Step};
use crate::generator::{LoadSpec, Waiting};
use crate::pool::{Pool, Turn};
use crate::summary::{LoadSummary, Tally};
use crate::work::Prepared;

pub(crate) use orders::Orders;

/// After so many operations without a pause the sockets get a turn, so that a
/// generator that is behind still reads its answers.
const TURN: u32 = 32;

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
}

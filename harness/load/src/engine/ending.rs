//! How operations end other than by their answer, and how each end is written
//! down.

use std::borrow::Cow;

use kab_evidence::clock::Mono;
use kab_evidence::ledger::Outcome;
use kab_wire::Broken;

use super::Engine;
use crate::arrivals::Coming;
use crate::flight::{Flight, Place};
use crate::pool::Turn;
use crate::summary::Failure;

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

impl Engine<'_> {
    /// Deals with what was under way on a connection that is over.
    pub(super) fn settle(&mut self, pool: usize, turn: Turn) {
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
    pub(super) fn unconnected(&mut self, pool: usize, why: &Broken) -> bool {
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
    pub(super) fn expire(&mut self) {
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
    pub(super) fn finish_up(&mut self) {
        self.next = None;
        self.coming = Coming::Over;
    }

    /// Writes down everything that is not over, as it stands.
    pub(super) fn abandon(&mut self) {
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
    pub(super) fn write(
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

//! Which operation is due next, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::time::Duration;

use kab_evidence::clock::Mono;

use crate::closed::{Closed, Until};
use crate::schedule::{Offsets, Schedule};

/// What makes operations due.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// A schedule that nothing can move.
    Open(Schedule),
    /// Clients that wait for their answers. Of several processes that share
    /// the clients, this is one.
    Closed {
        /// All clients.
        closed: Closed,
        /// Which part of them, from 0...
        slice: u32,
        /// ... of how many.
        of: NonZeroU32,
    },
}

impl Arrivals {
    /// All clients of a closed loop.
    pub const fn closed(closed: Closed) -> Self {
        Self::Closed { closed, slice: 0, of: NonZeroU32::MIN }
    }

    /// How many operations there are; none if that is not known beforehand.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Open(schedule) => Some(schedule.count()),
            Self::Closed { closed, slice, of } => closed.slice(*slice, *of)?.operations,
        }
    }
}

/// An operation that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub index: u64,
    pub at: Mono,
    /// Which client of a closed loop asks.
    pub client: Option<u32>,
}

/// Arrivals under way.
pub(crate) enum Coming {
    Open {
        offsets: Offsets,
        start: Mono,
    },
    Closed(ClosedLoop),
    /// Nothing more is due.
    Over,
}

pub(crate) struct ClosedLoop {
    closed: Closed,
    slice: u64,
    of: u64,
    /// When each client that thinks will have done so, and at which turn it is.
    ready: BinaryHeap<Reverse<(Mono, u32, u32)>>,
    turns: std::collections::HashMap<u32, u32>,
    begun: u64,
    most: Option<u64>,
    end: Option<Mono>,
}

impl Coming {
    pub(crate) fn begin(arrivals: &Arrivals, start: Mono) -> Self {
        match arrivals {
            Arrivals::Open(schedule) => Self::Open { offsets: schedule.offsets(), start },
            Arrivals::Closed { closed, slice, of } => {
                let Some(clients) = closed.slice(*slice, *of) else { return Self::Over };
                let most = clients.operations;
                let ready = clients
                    .map(|client| Reverse((start.plus(closed.think(client, 0)), client, 0)))
                    .collect();
                let end = match closed.until {
                    Until::Elapsed(time) => Some(start.plus(time)),
                    Until::Operations(_) => None,
                };
                Self::Closed(ClosedLoop {
                    closed: closed.clone(),
                    slice: u64::from(*slice),
                    of: u64::from(of.get()),
                    ready,
                    turns: std::collections::HashMap::new(),
                    begun: 0,
                    most,
                    end,
                })
            }
        }
    }

    /// The next operation; none if none is due before another has ended, or
    /// ever.
    pub(crate) fn next(&mut self) -> Option<Due> {
        match self {
            Self::Open { offsets, start } => {
                let due = offsets.next()?;
                Some(Due { index: due.index, at: start.plus(due.offset), client: None })
            }
            Self::Closed(closed) => closed.next(),
            Self::Over => None,
        }
    }

    /// Whether another may still come, now or when one in flight has ended.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Open { .. } => true,
            Self::Closed(closed) => closed.is_over(),
            Self::Over => true,
        }
    }

    /// The operation of `client` has ended.
    pub(crate) fn ended(&mut self, client: Option<u32>, at: Mono) {
        if let (Self::Closed(closed), Some(client)) = (self, client) {
            let turn = closed.turns.get(&client).copied().unwrap_or(0);
            let think: Duration = closed.closed.think(client, turn);
            closed.ready.push(Reverse((at.plus(think), client, turn)));
        }
    }
}

impl ClosedLoop {
    fn is_over(&self) -> bool {
        self.most.is_some_and(|most| self.begun >= most)
    }

    fn next(&mut self) -> Option<Due> {
        if self.is_over() {
            return None;
        }
        let &Reverse((at, client, turn)) = self.ready.peek()?;
        if self.end.is_some_and(|end| at >= end) {
            // Whoever else thinks, thinks longer.
            self.ready.clear();
            self.most = Some(self.begun);
            return None;
        }
        self.ready.pop();
        self.turns.insert(client, turn + 1);
        let index = self.slice + self.begun * self.of;
        self.begun += 1;
        Some(Due { index, at, client: Some(client) })
    }
}

#[cfg(test)]
#[path = "arrivals_tests.rs"]
mod tests;

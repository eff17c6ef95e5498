//! Up to where everything has been delivered.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Which changes are under way, and so from which revision another informer
/// would have to go on.
#[derive(Debug)]
pub(super) struct Progress {
    inner: Mutex<Inner>,
    delivered: watch::Sender<Option<u64>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Everything up to here has come in.
    reached: Option<u64>,
    next: u64,
    /// Of each change under way, in the order in which they came: up to where
    /// everything had come in before it.
    pending: BTreeMap<u64, Option<u64>>,
}

/// A change under way.
#[derive(Debug)]
pub(super) struct Ticket(u64);

impl Default for Progress {
    fn default() -> Self {
        Self { inner: Mutex::default(), delivered: watch::Sender::new(None) }
    }
}

impl Progress {
    /// A change came in.
    pub(super) fn begin(&self) -> Ticket {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = inner.next;
        inner.next += 1;
        let before = inner.reached;
        inner.pending.insert(ticket, before);
        Ticket(ticket)
    }

    /// Nothing else will come up to this revision.
    pub(super) fn reached(&self, revision: u64) {
        self.change(|inner| inner.reached = inner.reached.max(Some(revision)));
    }

    /// A change is delivered, or a dead letter.
    pub(super) fn done(&self, ticket: &Ticket) {
        self.change(|inner| {
            inner.pending.remove(&ticket.0);
        });
    }

    /// Everything up to this revision is done; none if nothing is known yet.
    pub(super) fn delivered(&self) -> Option<u64> {
        *self.delivered.borrow()
    }

    /// Resolves when anything is known.
    pub(super) async fn known(&self) {
        let _ = self.delivered.subscribe().wait_for(Option::is_some).await;
    }

    fn change(&self, act: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut inner);
        let oldest = inner.pending.first_key_value();
        let delivered = oldest.map_or(inner.reached, |(_, before)| *before);
        self.delivered.send_if_modified(|known| {
            let further = delivered > *known;
            *known = delivered.max(*known);
            further
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_holds_the_mark() {
        let progress = Progress::default();
        assert_eq!(progress.delivered(), None);
        progress.reached(5);
        let [first, second] = [7, 9].map(|revision| {
            let ticket = progress.begin();
            progress.reached(revision);
            ticket
        });
        assert_eq!(progress.delivered(), Some(5));
        // Done out of order: the first one could still be lost.
        progress.done(&second);
        assert_eq!(progress.delivered(), Some(5));
        progress.done(&first);
        assert_eq!(progress.delivered(), Some(9));
    }

    #[test]
    fn a_list_counts_only_as_a_whole() {
        let progress = Progress::default();
        let ticket = progress.begin();
        progress.done(&ticket);
        assert_eq!(progress.delivered(), None);
        let ticket = progress.begin();
        progress.reached(20);
        assert_eq!(progress.delivered(), None);
        progress.done(&ticket);
        assert_eq!(progress.delivered(), Some(20));
    }
}

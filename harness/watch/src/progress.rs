//! How far each watcher has got, for whoever waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kab_evidence::id::OpId;
use kab_evidence::watch::{Revision, Watcher};
use tokio::sync::Notify;

/// Shared between watchers, who report, and steps, who wait.
#[derive(Debug)]
pub struct Progress {
    /// The revision that each watcher has got to.
    reached: Vec<AtomicU64>,
    opened: Vec<AtomicBool>,
    opened_count: AtomicU32,
    events: AtomicU64,
    /// The revision of each operation that any watcher has seen.
    ops: Mutex<HashMap<OpId, Revision>>,
    changed: Notify,
}

impl Progress {
    pub(crate) fn new(count: u32) -> Self {
        Self {
            reached: (0..count).map(|_| AtomicU64::new(0)).collect(),
            opened: (0..count).map(|_| AtomicBool::new(false)).collect(),
            opened_count: AtomicU32::new(0),
            events: AtomicU64::new(0),
            ops: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Watcher `w` has a stream.
    pub(crate) fn opened(&self, w: Watcher) {
        let first = self.opened.get(w as usize).is_some_and(|was| !was.swap(true, Relaxed));
        self.opened_count.fetch_add(u32::from(first), Relaxed);
    }

    /// Watcher `w` has got to `rv`, by an event, a bookmark or a list.
    pub(crate) fn reached(&self, w: Watcher, rv: Revision) {
        if let Some(reached) = self.reached.get(w as usize) {
            reached.fetch_max(rv, Relaxed);
        }
    }

    /// An event was received.
    pub(crate) fn event(&self) {
        self.events.fetch_add(1, Relaxed);
    }

    /// Operation `op` is seen for the first time, at `rv`.
    pub(crate) fn seen(&self, op: OpId, rv: Revision) {
        self.ops.lock().unwrap_or_else(PoisonError::into_inner).entry(op).or_insert(rv);
    }

    /// Lets whoever waits look again. To be called when a batch is through.
    pub(crate) fn tell(&self) {
        self.changed.notify_waiters();
    }

    /// How many watchers have had a stream.
    pub fn opened_watchers(&self) -> u32 {
        self.opened_count.load(Relaxed)
    }

    /// How many events were received by all of them, repeated ones too.
    pub fn events(&self) -> u64 {
        self.events.load(Relaxed)
    }

    /// Waits until every watcher has a stream, `at_most` so long; how many
    /// have.
    pub async fn await_opened(&self, at_most: Duration) -> u32 {
        self.until(at_most, || self.opened_watchers() as usize == self.opened.len()).await;
        self.opened_watchers()
    }

    /// Waits until every watcher has got past each of `ops`, `at_most` so long;
    /// how many pairs of operation and watcher are missing. That a watcher got
    /// past an operation does not say that it received it: the oracle does.
    pub async fn await_delivered(&self, ops: &[OpId], at_most: Duration) -> usize {
        self.until(at_most, || self.missing(ops) == 0).await;
        self.missing(ops)
    }

    fn missing(&self, ops: &[OpId]) -> usize {
        let seen = self.ops.lock().unwrap_or_else(PoisonError::into_inner);
        let mut revisions: Vec<Revision> =
            ops.iter().filter_map(|op| seen.get(op).copied()).collect();
        drop(seen);
        revisions.sort_unstable();
        let unseen = (ops.len() - revisions.len()) * self.reached.len();
        let behind = self.reached.iter().map(|reached| {
            let reached = reached.load(Relaxed);
            revisions.len() - revisions.partition_point(|rv| *rv <= reached)
        });
        unseen + behind.sum::<usize>()
    }

    async fn until(&self, at_most: Duration, is_so: impl Fn() -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                let mut changed = std::pin::pin!(changed);
                // Listening begins here, so that no turn falls between.
                changed.as_mut().enable();
                if is_so() {
                    return;
                }
                changed.await;
            }
        };
        // What is not so by then is the caller's answer.
        let _ = tokio::time::timeout(at_most, waiting).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[tokio::test]
    async fn what_is_missing_is_counted_by_watcher() {
        let progress = Progress::new(3);
        let ops = [OpId::new(1, 1), OpId::new(1, 2)];
        assert_eq!(progress.await_delivered(&ops, AT_ONCE).await, 6);
        progress.seen(ops[0], 10);
        progress.seen(ops[1], 12);
        progress.reached(0, 12);
        progress.reached(1, 11);
        assert_eq!(progress.await_delivered(&ops, AT_ONCE).await, 3);
        assert_eq!(progress.await_delivered(&[], AT_ONCE).await, 0);
    }

    #[tokio::test]
    async fn a_wait_ends_when_it_has_come_true() {
        let progress = Progress::new(2);
        let minute = Duration::from_secs(60);
        let waits = progress.await_opened(minute);
        let opens = async {
            progress.opened(0);
            progress.opened(0);
            progress.tell();
            tokio::task::yield_now().await;
            progress.opened(1);
            progress.tell();
        };
        assert_eq!(futures::future::join(waits, opens).await.0, 2);
    }
}

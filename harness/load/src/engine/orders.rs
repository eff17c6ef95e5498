//! Stopping before the end.

use std::sync::atomic::{AtomicU8, Ordering};

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

    pub(super) fn given(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }
}

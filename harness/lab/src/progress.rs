//! How long work tells what it is doing.

use std::sync::{Mutex, PoisonError};

/// Hears what is being done, and how far it is.
pub trait Progress: Send + Sync {
    /// A sentence for people.
    fn say(&self, sentence: &str);

    /// `done` of `total` bytes of `what` are there; the total may be unknown.
    fn bytes(&self, what: &str, done: u64, total: Option<u64>);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn say(&self, _: &str) {}
    fn bytes(&self, _: &str, _: u64, _: Option<u64>) {}
}

/// Keeps what was said.
#[derive(Debug, Default)]
pub struct Collected(Mutex<Vec<String>>);

impl Collected {
    /// The sentences so far.
    pub fn sentences(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Progress for Collected {
    fn say(&self, sentence: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sentence.to_owned());
    }

    fn bytes(&self, _: &str, _: u64, _: Option<u64>) {}
}

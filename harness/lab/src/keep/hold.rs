//! Holding a lab until somebody wants it down.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::process::{Death, Deaths};

/// Listens for the signals that end a lab. Made before anybody is told that
/// the lab is ready, so that none is missed.
#[derive(Debug)]
pub struct Holder {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// Why a lab is not held any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// A signal asked for its end: its name.
    Signal(&'static str),
    /// One of its processes ended by itself.
    Death(Death),
}

impl Holder {
    /// Listens from now on.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal, or for the first of `deaths`.
    pub async fn hold(&mut self, deaths: &mut Deaths) -> Release {
        let death = async {
            match deaths.recv().await {
                Some(death) => death,
                // The supervisor is gone, and so is everything it looked after.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Release::Signal("SIGTERM"),
            _ = self.interrupt.recv() => Release::Signal("SIGINT"),
            _ = self.hang_up.recv() => Release::Signal("SIGHUP"),
            death = death => Release::Death(death),
        }
    }
}

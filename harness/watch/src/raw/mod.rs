//! Bare watch streams: one thread drives thousands of them, and decodes only
//! what the evidence needs.
//!
//! All watchers of a group begin at the collection's revision when the first
//! connection is up, as if each had listed it then. A stream that ends is taken
//! up again from the last revision received; on 410 the watcher lists the
//! collection (its metadata alone) and goes on from there. Over HTTP/2 streams
//! share connections, as many on each as the server allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use kab_evidence::watch::{WatchClient, WatchLog};
use kab_wire::{Peer, Reactor, Waker};
use tokio::sync::oneshot;

use crate::progress::Progress;
use crate::spec::WatchSpec;
use crate::watchers::{Stop, WatchError, Watchers};

mod asking;
pub mod decode;
mod driver;
mod fleet;
mod flock;

/// Tells the thread to end.
pub(crate) struct Stopper {
    stop: Arc<AtomicBool>,
    waker: Waker,
}

impl Stopper {
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
        self.waker.wake();
    }
}

/// Starts the watchers of `spec` at `peer`, an apiserver, on a thread of their
/// own. They open their streams from then on: see [`Watchers::await_opened`].
///
/// # Errors
/// If there is no thread, no reactor, or no file for the evidence.
pub fn start(spec: &WatchSpec, mut peer: Peer) -> Result<Watchers, WatchError> {
    // What is accepted differs from request to request here.
    peer.headers.retain(|(name, _)| name != "accept");
    let log = WatchLog::open(&spec.watch_dir, spec.evidence(WatchClient::Raw, true))?;
    let progress = Arc::new(Progress::new(spec.count));
    let stop = Arc::new(AtomicBool::new(false));
    let (its_stop, its_progress) = (Arc::clone(&stop), Arc::clone(&progress));
    let (path, count) = (spec.path(), spec.count);
    let (started, waker) = std::sync::mpsc::channel();
    let (tell, result) = oneshot::channel();
    let thread = thread::Builder::new().name("watch".into()).spawn(move || {
        let reactor = match Reactor::new() {
            Ok(reactor) => reactor,
            Err(error) => {
                let _ = tell.send(Err(WatchError::Start(error)));
                return;
            }
        };
        let _ = started.send(reactor.waker());
        let flock = flock::Flock::new(path, count, log, its_progress);
        let fleet = fleet::Fleet::new(peer);
        // Nobody may wait for it any more.
        let _ = tell.send(driver::drive(reactor, fleet, flock, &its_stop));
    });
    let thread = thread.map_err(WatchError::Start)?;
    let Ok(waker) = waker.recv() else {
        return match result.blocking_recv() {
            Ok(Err(error)) => Err(error),
            _ => Err(WatchError::Gone),
        };
    };
    Ok(Watchers {
        progress,
        stop: Stop::Raw(Stopper { stop, waker }),
        thread: Some(thread),
        result: Some(result),
    })
}

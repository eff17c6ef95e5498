//! The loop: what is due is sent, what comes is handed to its watcher.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_wire::{Reactor, Scratch};

use super::fleet::{Fleet, Over};
use super::flock::Flock;
use crate::watchers::{Summary, WatchError, thread_cpu};

/// After a connection could not be made, the first wait before another try.
const RETRY: Duration = Duration::from_millis(100);
/// The longest such wait.
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Drives all watchers until `stop` is set.
pub(super) fn drive(
    mut reactor: Reactor,
    mut fleet: Fleet,
    mut flock: Flock,
    stop: &AtomicBool,
) -> Result<Summary, WatchError> {
    let began = thread_cpu();
    let mut scratch = Scratch::default();
    let mut ready = Vec::new();
    let mut gate = Gate::default();
    while !stop.load(Relaxed) {
        let now = Mono::now();
        flock.wake(now);
        let over = send(&reactor, &mut fleet, &mut flock, &mut gate, now);
        over.into_iter().for_each(|over| lose(&mut flock, &mut gate, over));
        flock.settle();
        let until = [flock.next_due(), gate.closed_until(now, flock.waiting())];
        reactor.wait(until.into_iter().flatten().min(), &mut ready).map_err(WatchError::Wait)?;
        for one in ready.drain(..) {
            let over = fleet.turn(&reactor, one, &mut scratch, |at, tag, event| {
                flock.take(at, tag, event);
            });
            if let Some(over) = over {
                lose(&mut flock, &mut gate, over);
            }
            for (place, tag) in flock.cancelled() {
                fleet.cancel(place, tag);
            }
        }
    }
    let events = flock.events();
    let lines = flock.finish()?;
    Ok(Summary { events, lines, cpu: thread_cpu().saturating_sub(began) })
}

/// Sends what wants to be sent, as far as there is room.
fn send(
    reactor: &Reactor,
    fleet: &mut Fleet,
    flock: &mut Flock,
    gate: &mut Gate,
    now: Mono,
) -> Vec<Over> {
    while fleet.has_room() {
        let Some(asked) = flock.next(now) else { break };
        gate.failures = 0;
        match asked.with_request(|request| fleet.send(asked.tag(), request)) {
            Some(place) => flock.sent(&asked, place),
            None => break,
        }
    }
    if flock.waiting() > 0
        && gate.is_open(now)
        && let Err(broken) = fleet.provide(reactor, flock.waiting())
    {
        flock.unconnected(now, &broken.to_string());
        gate.close(now);
    }
    fleet.flush(reactor)
}

fn lose(flock: &mut Flock, gate: &mut Gate, over: Over) {
    let now = Mono::now();
    let why = over.why.to_string();
    if over.was_open {
        over.tags.into_iter().for_each(|tag| flock.lost(now, tag, &why));
    } else {
        flock.unconnected(now, &why);
        gate.close(now);
    }
}

/// Holds back new connections for a while after one has failed.
#[derive(Default)]
struct Gate {
    failures: u32,
    until: Option<Mono>,
}

impl Gate {
    fn close(&mut self, now: Mono) {
        let wait = (RETRY * 2_u32.saturating_pow(self.failures.min(10))).min(LONGEST_RETRY);
        self.failures += 1;
        self.until = Some(now.plus(wait));
    }

    fn is_open(&mut self, now: Mono) -> bool {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
        }
        self.until.is_none()
    }

    /// When it opens, if that is of interest.
    fn closed_until(&self, now: Mono, waiting: usize) -> Option<Mono> {
        self.until.filter(|until| waiting > 0 && *until > now)
    }
}

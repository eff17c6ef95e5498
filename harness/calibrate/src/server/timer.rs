//! Waiting for an instant to some ten microseconds, without a thread for it:
//! the runtime's own timer is a millisecond coarse, and a service time must not
//! be.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kab_evidence::clock::Mono;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

/// A kernel timer (timerfd on the run's clock), shared by all who wait.
#[derive(Debug, Clone)]
pub(super) struct Timer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    fd: AsyncFd<OwnedFd>,
    waiting: Mutex<BinaryHeap<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    at: Mono,
    wake: oneshot::Sender<()>,
}

impl Timer {
    /// Makes the timer, and the task of this runtime that serves it.
    pub(super) fn start() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[allow(deprecated, reason = "its successor asks for unsafe code; the timer is owned here")]
        let fd = AsyncFd::new(fd)?;
        let shared = Arc::new(Shared { fd, waiting: Mutex::default() });
        tokio::spawn(serve(Arc::clone(&shared)));
        Ok(Self(shared))
    }

    /// Waits until `at`; not at all if it is past.
    pub(super) async fn wait_until(&self, at: Mono) {
        if Mono::now() >= at {
            return;
        }
        let (wake, woken) = oneshot::channel();
        {
            let mut waiting = self.0.waiting();
            let soonest = waiting.peek().is_none_or(|first| at < first.at);
            waiting.push(Waiter { at, wake });
            if soonest {
                self.0.set(at);
            }
        }
        let _ = woken.await;
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, BinaryHeap<Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, at: Mono) {
        let value = Timespec {
            tv_sec: i64::try_from(at.nanos() / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(at.nanos() % 1_000_000_000).unwrap_or(0),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        if let Err(error) = timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::ABSTIME, &once) {
            tracing::error!(%error, "setting the timer");
        }
    }

    /// Wakes those whose time has come, and sets the timer for the next.
    fn fire(&self) {
        let mut waiting = self.waiting();
        let now = Mono::now();
        while waiting.peek().is_some_and(|first| first.at <= now) {
            if let Some(waiter) = waiting.pop() {
                let _ = waiter.wake.send(());
            }
        }
        if let Some(next) = waiting.peek() {
            self.set(next.at);
        }
    }
}

async fn serve(shared: Arc<Shared>) {
    loop {
        let Ok(mut ready) = shared.fd.readable().await else { return };
        let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut [0_u8; 8])?));
        if read.is_ok() {
            shared.fire();
        }
    }
}

/// The soonest is the greatest, as a heap has it on top.
impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Waiter {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn all_are_woken_and_nobody_early_whatever_the_order_of_asking() {
        let timer = Timer::start().unwrap();
        let start = Mono::now();
        let wait = |micros| {
            let (timer, at) = (timer.clone(), start.plus(Duration::from_micros(micros)));
            async move {
                timer.wait_until(at).await;
                Mono::now() >= at
            }
        };
        let mut woken = tokio::task::JoinSet::new();
        for micros in [9000, 300, 5000, 0, 700] {
            woken.spawn(wait(micros));
        }
        assert_eq!(woken.join_all().await, [true; 5]);
    }
}

//! Waiting for an instant more exactly than the runtime's timer can.
//!
//! tokio's timers are a millisecond coarse, which at 1,000 operations a second
//! is the whole distance between two of them. A thread of its own sleeps until
//! the exact instant instead, to some ten microseconds, and wakes the task;
//! nothing spins. `examples/pacing.rs` measures it beside tokio's timer.

use std::future::{Future, poll_fn};
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle};

use futures::task::AtomicWaker;
use kab_evidence::clock::Mono;

/// Says what time it is and waits for another. The generator asks nothing else
/// about time when it decides what is due, so its logic is tested without
/// sleeping.
pub trait Pacer {
    /// The time, on the run's clock.
    fn now(&self) -> Mono;

    /// Waits until [`Self::now`] is `at` or later; at once if it is already.
    /// May be dropped and called again at no loss.
    fn wait_until(&mut self, at: Mono) -> impl Future<Output = ()> + Send;
}

/// A thread that sleeps for a task. It ends when this is dropped.
#[derive(Debug)]
pub struct PacingThread {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    /// What the thread was last told, so that waiting again for the same
    /// instant does not wake it again.
    told: Option<Mono>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Nanoseconds of the instant to wake the task at; 0 for none.
    target: AtomicU64,
    task: AtomicWaker,
    over: AtomicBool,
}

impl PacingThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the operating system grants no thread.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let thread = thread::Builder::new().name("pacing".into()).spawn(move || its.sleep())?;
        Ok(Self { shared, thread, told: None })
    }
}

impl Drop for PacingThread {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        self.thread.thread().unpark();
    }
}

impl Shared {
    fn sleep(&self) {
        // The kernel may round a sleep up by 50 us to save wake-ups; not here.
        // Refused, it costs exactness, which the lateness will show.
        let _ = rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN));
        while !self.over.load(Ordering::Acquire) {
            let target = self.target.load(Ordering::Acquire);
            if target == 0 {
                thread::park();
                continue;
            }
            let left = Mono::from_nanos(target).since(Mono::now());
            if !left.is_zero() {
                // Ends early if there is a new target: look again.
                thread::park_timeout(left);
                continue;
            }
            // Unless there has been a new target meanwhile, this one is done.
            let _ = self.target.compare_exchange(target, 0, Ordering::AcqRel, Ordering::Acquire);
            self.task.wake();
        }
    }
}

impl Pacer for PacingThread {
    fn now(&self) -> Mono {
        Mono::now()
    }

    async fn wait_until(&mut self, at: Mono) {
        poll_fn(|cx| {
            if Mono::now() >= at {
                return Poll::Ready(());
            }
            // Known to the thread before the thread can have the target.
            self.shared.task.register(cx.waker());
            if self.told != Some(at) {
                self.told = Some(at);
                self.shared.target.store(at.nanos(), Ordering::Release);
                self.thread.thread().unpark();
            }
            // It may have come while this was said, and its wake-up been for
            // the waker before this one.
            if Mono::now() >= at { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn never_early_and_at_once_if_it_is_past() {
        let mut pacer = PacingThread::start().unwrap();
        assert!(pacer.wait_until(Mono::now()).now_or_never().is_some());
        for micros in [50, 700, 1500, 20] {
            let at = Mono::now().plus(Duration::from_micros(micros));
            pacer.wait_until(at).await;
            assert!(Mono::now() >= at);
        }
    }

    #[tokio::test]
    async fn an_earlier_instant_replaces_a_later_one_that_was_given_up() {
        let mut pacer = PacingThread::start().unwrap();
        let hour = Mono::now().plus(Duration::from_secs(3600));
        assert!(pacer.wait_until(hour).now_or_never().is_none());
        pacer.wait_until(Mono::now().plus(Duration::from_millis(2))).await;
        // And one that has passed does not let the next one through early.
        assert!(pacer.wait_until(hour).now_or_never().is_none());
    }

    /// The waker that counts is that of the last poll, as after a task that is
    /// polled for other reasons while it waits.
    #[tokio::test]
    async fn polls_in_between_lose_no_wake_up() {
        let mut pacer = PacingThread::start().unwrap();
        for _ in 0..200 {
            let at = Mono::now().plus(Duration::from_micros(300));
            while pacer.wait_until(at).now_or_never().is_none()
                && Mono::now().plus(Duration::from_micros(100)) < at
            {
                tokio::task::yield_now().await;
            }
            pacer.wait_until(at).await;
        }
    }

    #[test]
    fn the_thread_ends_with_its_owner_though_it_sleeps() {
        let mut pacer = PacingThread::start().unwrap();
        let hour = Mono::now().plus(Duration::from_secs(3600));
        assert!(pacer.wait_until(hour).now_or_never().is_none());
        let shared = Arc::downgrade(&pacer.shared);
        drop(pacer);
        // Only the thread could still hold it; hangs here if it sleeps on.
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}

//! Sockets and the next instant, awaited in one system call.
//!
//! `epoll_pwait2` takes nanoseconds, so a thread that waits for sockets wakes
//! for the next operation as exactly as the kernel's timer can: no second
//! thread, no timer wheel of a millisecond. The slack that the kernel adds to a
//! thread's timers (50 us by default) is taken off.

use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use kab_evidence::clock::Mono;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

/// The key of the reactor's own waker.
const WAKER: u64 = u64::MAX;

/// Most sockets reported by one wait.
const BATCH: usize = 256;

/// A socket has something to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The key that it was registered under.
    pub key: u64,
    /// It can be read, or has ended.
    pub readable: bool,
    /// It can be written, or has ended.
    pub writable: bool,
}

/// Waits for sockets, for an instant, and for other threads. For one thread.
pub struct Reactor {
    epoll: OwnedFd,
    waker: Waker,
    events: Vec<epoll::Event>,
}

/// Ends a reactor's wait from any thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Ends the wait that is under way, or the next one.
    pub fn wake(&self) {
        // Full means that it has been woken already.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Reactor {
    /// A reactor for the calling thread, whose timers become exact.
    ///
    /// # Errors
    /// If the kernel grants no file descriptor.
    pub fn new() -> io::Result<Self> {
        // Refused, it costs exactness, which the generator's lateness shows.
        let _ = rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN));
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let waker = Waker(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
        epoll::add(&epoll, &*waker.0, EventData::new_u64(WAKER), EventFlags::IN)?;
        Ok(Self { epoll, waker, events: Vec::with_capacity(BATCH) })
    }

    /// What ends its waits.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Listens for `socket`: always for reading, and for writing if so wanted.
    pub(crate) fn add(&self, socket: impl AsFd, key: u64, writing: bool) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(key), interest(writing))?)
    }

    /// Changes whether writing is listened for.
    pub(crate) fn modify(&self, socket: impl AsFd, key: u64, writing: bool) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(key), interest(writing))?)
    }

    /// Waits until a socket is ready, `until` has come, or the waker was used;
    /// without `until`, for ever. What is ready is appended to `ready`.
    ///
    /// # Errors
    /// If the kernel refuses, which it has no reason to.
    pub fn wait(&mut self, until: Option<Mono>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let timeout = until.map(|at| timespec(at.since(Mono::now())));
        self.events.clear();
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, spare, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for event in &self.events {
            let (key, flags) = (event.data.u64(), event.flags);
            if key == WAKER {
                let _ = rustix::io::read(&*self.waker.0, &mut [0_u8; 8]);
                continue;
            }
            let ended = flags.intersects(EventFlags::ERR | EventFlags::HUP | EventFlags::RDHUP);
            ready.push(Ready {
                key,
                readable: ended || flags.contains(EventFlags::IN),
                writable: ended || flags.contains(EventFlags::OUT),
            });
        }
        Ok(())
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("epoll", &self.epoll).finish_non_exhaustive()
    }
}

fn interest(writing: bool) -> EventFlags {
    let reading = EventFlags::IN | EventFlags::RDHUP;
    if writing { reading | EventFlags::OUT } else { reading }
}

fn timespec(left: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_early_and_at_once_if_it_is_past() {
        let mut reactor = Reactor::new().unwrap();
        let mut ready = Vec::new();
        reactor.wait(Some(Mono::from_nanos(0)), &mut ready).unwrap();
        for micros in [20, 300, 1500] {
            let at = Mono::now().plus(Duration::from_micros(micros));
            while Mono::now() < at {
                reactor.wait(Some(at), &mut ready).unwrap();
            }
        }
        assert!(ready.is_empty());
    }

    #[test]
    fn another_thread_ends_a_wait_without_end() {
        let mut reactor = Reactor::new().unwrap();
        let waker = reactor.waker();
        let thread = std::thread::spawn(move || waker.wake());
        let mut ready = Vec::new();
        reactor.wait(None, &mut ready).unwrap();
        assert!(ready.is_empty());
        thread.join().unwrap();
    }
}

//! A process that can be told from a later one with the same pid.

use std::os::fd::OwnedFd;
use std::time::Duration;

use procfs::process::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// How long a killed process may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process, by its pid and the time it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its process id.
    pub pid: u32,
    /// When it was started, in clock ticks since the machine was.
    pub started: u64,
    /// Which start of the machine that was: the first half of the kernel's
    /// boot id.
    pub boot: u64,
}

impl ProcessId {
    /// This process.
    pub fn own() -> Self {
        let pid = std::process::id();
        Self::of(pid).unwrap_or(Self { pid, started: 0, boot: 0 })
    }

    /// The process that has `pid` now, if there is one that has not ended.
    pub fn of(pid: u32) -> Option<Self> {
        Self::with(pid).filter(Self::lives)
    }

    /// Whether it still runs: at least one of its threads does.
    pub fn lives(&self) -> bool {
        self.handle().is_some_and(|handle| !ends_within(&handle, Duration::ZERO))
    }

    /// The process that has `pid` now, even if it has ended and its parent only
    /// has not asked yet.
    fn with(pid: u32) -> Option<Self> {
        let stat = Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?;
        Some(Self { pid, started: stat.starttime, boot: boot() })
    }

    /// A handle that stays with the process, if it is still there.
    fn handle(&self) -> Option<OwnedFd> {
        let handle = pidfd_open(Pid::from_raw(i32::try_from(self.pid).ok()?)?, PidfdFlags::empty());
        // Looked at after the handle was got, so that it is of this process.
        handle.ok().filter(|_| Self::with(self.pid) == Some(*self))
    }

    /// Waits until it has ended, at most for `patience`, blocking the thread.
    /// Whether it has. It need not be a child of this process.
    pub fn ends_within(&self, patience: Duration) -> bool {
        self.handle().is_none_or(|handle| ends_within(&handle, patience))
    }

    /// Sends `signal`, and waits at most for `patience` until it has ended.
    /// Whether it has.
    pub(super) fn end(&self, signal: Signal, patience: Duration) -> bool {
        let Some(handle) = self.handle() else { return true };
        let _ = pidfd_send_signal(&handle, signal);
        ends_within(&handle, patience)
    }

    /// Kills it if it still runs. Whether it did.
    pub(super) fn kill(&self) -> bool {
        self.lives() && self.end(Signal::KILL, PATIENCE)
    }
}

/// A process's handle becomes readable when the last of its threads has ended.
/// (The state in `/proc/PID/stat` is that of the first thread only, which may
/// be gone while others still close the process's sockets.)
fn ends_within(handle: &OwnedFd, patience: Duration) -> bool {
    let timeout = Timespec::try_from(patience).ok();
    let mut ends = [PollFd::new(handle, PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut ends, timeout.as_ref())).is_ok_and(|ended| ended > 0)
}

fn boot() -> u64 {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or(0)
}

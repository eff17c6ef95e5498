//! Whether the machine had a core to give: a generator that had to wait for one
//! can say nothing about itself.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io, thread};

use kab_evidence::clock::Mono;
use kab_verdict::value::{percent, significant};
use procfs::process::Process;
use procfs::{CurrentSI, KernelStats};

/// How often threads are looked at: one that has ended is known up to then.
const PERIOD: Duration = Duration::from_millis(100);

/// An operation is late because its thread waited for a processor only if it
/// came due in that time: so for one of a hundred to be late, the thread must
/// have waited for a hundredth of the time.
const WAITED_LIMIT: f64 = 0.01;

/// Below this many processors busy with anything else, who waits waits for
/// kab's own threads.
const FOREIGN_LIMIT: f64 = 0.1;

/// Share of the time taken by the hypervisor from which on it can be the cause.
const STEAL_LIMIT: f64 = 0.01;

/// What the machine did during a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MachineLoad {
    /// Processors that kab may use.
    pub cores: u32,
    /// Mean processors busy with anything but kab and its server.
    pub foreign_cores: f64,
    /// Share of the processors' time that the hypervisor took, 0 to 1.
    pub steal: f64,
    /// Share of the time in which the thread of kab or of the server that
    /// waited longest was ready to run, but had no processor.
    pub waited: f64,
    /// CPU time that kab used, without the server.
    pub own_cpu: Duration,
}

impl MachineLoad {
    /// Why lateness need not be kab's fault; none if it must be.
    pub fn excuse(&self) -> Option<String> {
        if self.cores < 2 {
            return Some("no core was free: there is only one for kab and the server".to_owned());
        }
        let others = self.foreign_cores >= FOREIGN_LIMIT || self.steal >= STEAL_LIMIT;
        (others && self.waited >= WAITED_LIMIT).then(|| format!("no core was free: {self}"))
    }

    /// A machine that does nothing else.
    #[cfg(test)]
    pub(crate) const fn quiet() -> Self {
        let own_cpu = Duration::from_millis(10);
        Self { cores: 2, foreign_cores: 0.0, steal: 0.0, waited: 0.0, own_cpu }
    }

    /// A machine that has no core to give.
    #[cfg(test)]
    pub(crate) const fn busy() -> Self {
        Self { foreign_cores: 1.8, waited: 0.2, ..Self::quiet() }
    }
}

impl fmt::Display for MachineLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "kab or its server waited for a processor {} of the time, while {} of {} were busy with \
             something else and the hypervisor took {}",
            percent(self.waited),
            significant(self.foreign_cores),
            self.cores,
            percent(self.steal),
        )
    }
}

/// Watches the machine, kab and one other process.
#[derive(Debug)]
pub struct MachineWatch {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<MachineLoad>,
}

impl MachineWatch {
    /// Begins, with the process `server` as the other one.
    ///
    /// # Errors
    /// If the operating system grants no thread.
    pub fn start(server: u32) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let pids = [std::process::id(), server].map(|pid| i32::try_from(pid).unwrap_or(-1));
        // Here, and not when the thread has its first turn: what it watches may
        // be well under way by then.
        let first = Reading::take(&pids);
        let thread = thread::Builder::new()
            .name("machine".into())
            .spawn(move || watch(pids, &first, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Ends; what the machine did meanwhile.
    pub fn stop(self) -> MachineLoad {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn watch(pids: [i32; 2], first: &Reading, stopped: &mpsc::Receiver<()>) -> MachineLoad {
    let mut waited: BTreeMap<i32, (u64, u64)> = BTreeMap::new();
    loop {
        for (thread, total) in pids.iter().flat_map(|&pid| waits(pid)) {
            waited.entry(thread).or_insert((total, total)).1 = total;
        }
        match stopped.recv_timeout(PERIOD) {
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            _ => break,
        }
    }
    let last = Reading::take(&pids);
    let longest = waited.values().map(|(before, after)| after - before).max().unwrap_or(0);
    last.since(first, longest)
}

/// How long each thread of `pid` has waited for a processor so far, in
/// nanoseconds. The one that writes the ledger may wait as it likes.
fn waits(pid: i32) -> Vec<(i32, u64)> {
    let Ok(tasks) = Process::new(pid).and_then(|process| process.tasks()) else {
        return Vec::new();
    };
    let wait = |task: procfs::process::Task| {
        let may_wait = matches!(task.stat().ok()?.comm.as_str(), "evidence" | "machine");
        (!may_wait).then_some((task.tid, task.schedstat().ok()?.run_delay))
    };
    tasks.flatten().filter_map(wait).collect()
}

/// Counters, in clock ticks.
struct Reading {
    at: Mono,
    busy: u64,
    steal: u64,
    all: u64,
    kab: u64,
    server: u64,
}

impl Reading {
    fn take(pids: &[i32; 2]) -> Self {
        let total = KernelStats::current().map(|stats| stats.total).ok();
        let busy = total.as_ref().map_or(0, |t| {
            t.user + t.nice + t.system + t.irq.unwrap_or(0) + t.softirq.unwrap_or(0)
        });
        let steal = total.as_ref().and_then(|t| t.steal).unwrap_or(0);
        let idle = total.as_ref().map_or(0, |t| t.idle + t.iowait.unwrap_or(0));
        let [kab, server] = pids.map(used);
        Self { at: Mono::now(), busy, steal, all: busy + steal + idle, kab, server }
    }

    fn since(&self, first: &Self, longest_wait: u64) -> MachineLoad {
        let wall = self.at.since(first.at).as_secs_f64().max(f64::EPSILON);
        let used = |now: u64, then: u64| seconds(now.saturating_sub(then));
        let own = used(self.kab, first.kab);
        let busy = used(self.busy, first.busy);
        let foreign = (busy - own - used(self.server, first.server)).max(0.0) / wall;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        MachineLoad {
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            foreign_cores: foreign,
            steal: used(self.steal, first.steal) / used(self.all, first.all).max(f64::MIN_POSITIVE),
            waited: Duration::from_nanos(longest_wait).as_secs_f64() / wall,
            own_cpu: Duration::from_secs_f64(own),
        }
    }
}

/// CPU time that the process has used, in clock ticks.
fn used(pid: i32) -> u64 {
    let stat = Process::new(pid).and_then(|process| process.stat());
    stat.map_or(0, |stat| stat.utime + stat.stime)
}

/// Clock ticks as seconds. Counters stay far below 2^53, where this is exact.
#[allow(clippy::cast_precision_loss)]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / procfs::ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_others_excuse() {
        assert_eq!(MachineLoad::quiet().excuse(), None);
        assert!(MachineLoad::busy().excuse().is_some());
        let own = MachineLoad { waited: 0.2, ..MachineLoad::quiet() };
        assert_eq!(own.excuse(), None, "kab's own threads are in each other's way");
        let unhindered = MachineLoad { foreign_cores: 0.9, ..MachineLoad::quiet() };
        assert_eq!(unhindered.excuse(), None, "others were busy, but kab never waited");
        assert!(MachineLoad { cores: 1, ..MachineLoad::quiet() }.excuse().is_some());
        let stolen = MachineLoad { steal: 0.3, waited: 0.2, ..MachineLoad::quiet() };
        assert!(stolen.excuse().is_some());
    }

    #[test]
    fn own_work_is_counted_as_own() {
        let watch = MachineWatch::start(0).unwrap();
        let (before, mut sum) = (used(i32::try_from(std::process::id()).unwrap()), 0_u64);
        while used(i32::try_from(std::process::id()).unwrap()) < before + 5 {
            sum = std::hint::black_box(sum + 1);
        }
        let load = watch.stop();
        assert!(load.own_cpu >= Duration::from_millis(50), "{load:?}");
        assert!(load.cores > 0 && load.steal <= 1.0, "{load:?}");
    }
}

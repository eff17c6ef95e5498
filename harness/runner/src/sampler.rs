//! Samples what the processes of a cell and the machine do, while it runs.
//!
//! The numbers are the kernel's own: `/proc/PID/{stat,statm,io}`, `/proc/stat`
//! and the pressure files. A process counts with all that it forked, but for kab
//! itself, which forked them all. A reader must be able to tell a slow system from a busy
//! machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::record::Pressure;
use kab_evidence::series::Sample;
use procfs::{Current, CurrentSI, KernelStats};

mod tree;

use tree::Trees;

/// How often everything is read.
const PERIOD: Duration = Duration::from_millis(500);

/// The processes to sample, by name. Shared with whoever starts them.
#[derive(Debug, Clone, Default)]
pub struct Pids(Arc<Mutex<BTreeMap<String, u32>>>);

impl Pids {
    /// Adds a process; whether it was new.
    pub fn add(&self, name: &str, pid: u32) -> bool {
        let mut pids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pids.insert(name.to_owned(), pid) != Some(pid)
    }

    fn snapshot(&self) -> BTreeMap<String, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A sampler under way.
#[derive(Debug)]
pub struct Sampler {
    task: tokio::task::JoinHandle<()>,
    pids: Pids,
    writer: Arc<JsonlWriter<Sample>>,
    trees: Arc<Mutex<Trees>>,
    first: Host,
    own_first: BTreeMap<u32, f64>,
}

impl Sampler {
    /// Starts sampling `pids`, those added later included, into `writer`.
    pub fn start(pids: Pids, writer: Arc<JsonlWriter<Sample>>) -> Self {
        let trees = Arc::<Mutex<Trees>>::default();
        let task = tokio::spawn({
            let (pids, writer, trees) = (pids.clone(), Arc::clone(&writer), Arc::clone(&trees));
            async move {
                loop {
                    sample(&pids, &writer, &trees);
                    tokio::time::sleep(PERIOD).await;
                }
            }
        });
        let own_first = cpu_by_pid(&pids.snapshot(), &trees);
        Self { task, pids, writer, trees, first: Host::read(), own_first }
    }

    /// Samples once more, now.
    pub fn read(&self) {
        sample(&self.pids, &self.writer, &self.trees);
    }

    /// Ends sampling; what the machine did since the start.
    pub async fn stop(self) -> Pressure {
        self.task.abort();
        // Ended by the abort, and with it the task's hold on the writer.
        let _ = self.task.await;
        let last = cpu_by_pid(&self.pids.snapshot(), &self.trees);
        // A process that has ended meanwhile is missing here: its share since
        // the last sample is not known.
        let own: f64 = last
            .iter()
            .map(|(pid, cpu)| cpu - self.own_first.get(pid).copied().unwrap_or(0.0))
            .sum();
        sample(&self.pids, &self.writer, &self.trees);
        Host::read().since(&self.first, own)
    }
}

/// kab itself is the parent of everything else that is sampled.
fn is_kab(pid: u32) -> bool {
    pid == std::process::id()
}

fn sample(pids: &Pids, writer: &JsonlWriter<Sample>, trees: &Mutex<Trees>) {
    let at = Mono::now();
    let put = |of: &str, metric: &str, value: f64| {
        writer.append(Sample::new(at, of, metric, value));
    };
    for (name, pid) in pids.snapshot() {
        let used = trees.lock().unwrap_or_else(PoisonError::into_inner).used(pid, is_kab(pid));
        let Some(used) = used else { continue };
        put(&name, "cpu_seconds_total", seconds(used.ticks));
        put(&name, "resident_bytes", float(used.resident));
        if let Some(written) = used.written {
            put(&name, "written_bytes_total", float(written));
        }
        if let Some(open) = used.open {
            put(&name, "open_files", float(open));
        }
    }
    let host = Host::read();
    put("host", "busy_seconds_total", host.busy);
    put("host", "steal_seconds_total", host.steal);
    for (metric, waiting) in [
        ("cpu_pressure_some_seconds_total", host.cpu_waiting),
        ("io_pressure_some_seconds_total", host.io_waiting),
        ("io_pressure_full_seconds_total", host.io_stalled),
        ("memory_pressure_some_seconds_total", host.memory_waiting),
        ("memory_pressure_full_seconds_total", host.memory_stalled),
    ] {
        if let Some(waiting) = waiting {
            put("host", metric, waiting);
        }
    }
    if let Some(available) = host.available_bytes {
        put("host", "available_bytes", float(available));
    }
}

/// Counters of the machine; times in seconds.
#[derive(Debug, Clone)]
struct Host {
    at: Mono,
    busy: f64,
    steal: f64,
    all: f64,
    // Time in which some task waited, or all of them at once (stalled).
    cpu_waiting: Option<f64>,
    io_waiting: Option<f64>,
    io_stalled: Option<f64>,
    memory_waiting: Option<f64>,
    memory_stalled: Option<f64>,
    available_bytes: Option<u64>,
}

impl Host {
    fn read() -> Self {
        let at = Mono::now();
        let (busy, steal, all) = KernelStats::current().map_or((0.0, 0.0, 0.0), |stats| {
            let t = stats.total;
            let steal = t.steal.unwrap_or(0);
            let busy = t.user + t.nice + t.system + t.irq.unwrap_or(0) + t.softirq.unwrap_or(0);
            let all = busy + t.idle + t.iowait.unwrap_or(0) + steal;
            (seconds(busy), seconds(steal), seconds(all))
        });
        let micros = |total: u64| float(total) / 1e6;
        let cpu_waiting = procfs::CpuPressure::current().ok().map(|p| micros(p.some.total));
        let io = procfs::IoPressure::current().ok();
        let memory = procfs::MemoryPressure::current().ok();
        Self {
            at,
            busy,
            steal,
            all,
            cpu_waiting,
            io_waiting: io.as_ref().map(|p| micros(p.some.total)),
            io_stalled: io.as_ref().map(|p| micros(p.full.total)),
            memory_waiting: memory.as_ref().map(|p| micros(p.some.total)),
            memory_stalled: memory.as_ref().map(|p| micros(p.full.total)),
            available_bytes: procfs::Meminfo::current().ok().and_then(|m| m.mem_available),
        }
    }

    fn since(&self, first: &Self, own_cpu_seconds: f64) -> Pressure {
        let wall = self.at.since(first.at).as_secs_f64().max(f64::EPSILON);
        let share = |now: Option<f64>, then: Option<f64>| Some((now? - then?) / wall);
        Pressure {
            cpu_some: share(self.cpu_waiting, first.cpu_waiting),
            io_some: share(self.io_waiting, first.io_waiting),
            memory_some: share(self.memory_waiting, first.memory_waiting),
            steal: (self.steal - first.steal) / (self.all - first.all).max(f64::EPSILON),
            busy_cores: (self.busy - first.busy) / wall,
            own_cores: own_cpu_seconds / wall,
        }
    }
}

fn cpu_by_pid(pids: &BTreeMap<String, u32>, trees: &Mutex<Trees>) -> BTreeMap<u32, f64> {
    let mut trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
    let mut cpu = |pid: u32| Some((pid, seconds(trees.used(pid, is_kab(pid))?.ticks)));
    pids.values().filter_map(|&pid| cpu(pid)).collect()
}

/// Clock ticks as seconds.
fn seconds(ticks: u64) -> f64 {
    float(ticks) / float(procfs::ticks_per_second())
}

/// Counters stay far below 2^53, where this is exact.
#[allow(clippy::cast_precision_loss)]
const fn float(n: u64) -> f64 {
    n as f64
}

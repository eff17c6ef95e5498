//! Samples what the processes of a cell and the machine do, while it runs.
//!
//! The numbers are the kernel's own: `/proc/PID/{stat,io}`, `/proc/stat` and
//! the pressure files. A reader must be able to tell a slow system from a busy
//! machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::{JsonlError, JsonlWriter};
use kab_evidence::record::Pressure;
use kab_evidence::series::Sample;
use procfs::{Current, CurrentSI, KernelStats};

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
    first: Host,
    own_first: BTreeMap<u32, f64>,
}

impl Sampler {
    /// Starts sampling `pids`, those added later included, into `writer`.
    pub fn start(pids: Pids, writer: JsonlWriter<Sample>) -> Self {
        let writer = Arc::new(writer);
        let task = tokio::spawn({
            let (pids, writer) = (pids.clone(), Arc::clone(&writer));
            async move {
                loop {
                    sample(&pids, &writer);
                    tokio::time::sleep(PERIOD).await;
                }
            }
        });
        let own_first = cpu_by_pid(&pids.snapshot());
        Self { task, pids, writer, first: Host::read(), own_first }
    }

    /// Ends sampling; what the machine did since the start, and whether all
    /// samples are on the disk.
    pub async fn stop(self) -> (Pressure, Result<(), JsonlError>) {
        self.task.abort();
        let last = cpu_by_pid(&self.pids.snapshot());
        // A process that has ended meanwhile is missing here: its share since
        // the last sample is not known.
        let own: f64 = last
            .iter()
            .map(|(pid, cpu)| cpu - self.own_first.get(pid).copied().unwrap_or(0.0))
            .sum();
        sample(&self.pids, &self.writer);
        let pressure = Host::read().since(&self.first, own);
        // The task gives the writer back when it is gone.
        let _ = self.task.await;
        let written = match Arc::try_unwrap(self.writer) {
            Ok(writer) => writer.finish().map(drop),
            Err(shared) => shared.flush(),
        };
        (pressure, written)
    }
}

fn sample(pids: &Pids, writer: &JsonlWriter<Sample>) {
    let at = Mono::now();
    let put = |of: &str, metric: &str, value: f64| {
        let (of, metric) = (of.to_owned(), metric.to_owned());
        writer.append(Sample { at, of, metric, value });
    };
    for (name, pid) in pids.snapshot() {
        let Ok(process) = pid_process(pid) else { continue };
        if let Ok(stat) = process.stat() {
            put(&name, "cpu_seconds_total", seconds(stat.utime + stat.stime));
            put(&name, "resident_bytes", float(stat.rss * procfs::page_size()));
        }
        if let Ok(io) = process.io() {
            put(&name, "written_bytes_total", float(io.write_bytes));
        }
        if let Ok(open) = process.fd_count() {
            put(&name, "open_files", float(open as u64));
        }
    }
    let host = Host::read();
    put("host", "busy_seconds_total", host.busy);
    put("host", "steal_seconds_total", host.steal);
    if let Some(waiting) = host.cpu_waiting {
        put("host", "cpu_pressure_some_seconds_total", waiting);
    }
    if let Some(waiting) = host.io_waiting {
        put("host", "io_pressure_some_seconds_total", waiting);
    }
}

/// Counters of the machine; times in seconds.
#[derive(Debug, Clone)]
struct Host {
    at: Mono,
    busy: f64,
    steal: f64,
    all: f64,
    cpu_waiting: Option<f64>,
    io_waiting: Option<f64>,
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
        let io_waiting = procfs::IoPressure::current().ok().map(|p| micros(p.some.total));
        Self { at, busy, steal, all, cpu_waiting, io_waiting }
    }

    fn since(&self, first: &Self, own_cpu_seconds: f64) -> Pressure {
        let wall = self.at.since(first.at).as_secs_f64().max(f64::EPSILON);
        let share = |now: Option<f64>, then: Option<f64>| Some((now? - then?) / wall);
        Pressure {
            cpu_some: share(self.cpu_waiting, first.cpu_waiting),
            io_some: share(self.io_waiting, first.io_waiting),
            steal: (self.steal - first.steal) / (self.all - first.all).max(f64::EPSILON),
            busy_cores: (self.busy - first.busy) / wall,
            own_cores: own_cpu_seconds / wall,
        }
    }
}

fn cpu_by_pid(pids: &BTreeMap<String, u32>) -> BTreeMap<u32, f64> {
    let cpu = |pid: u32| {
        let stat = pid_process(pid).and_then(|p| p.stat()).ok()?;
        Some((pid, seconds(stat.utime + stat.stime)))
    };
    pids.values().filter_map(|&pid| cpu(pid)).collect()
}

fn pid_process(pid: u32) -> procfs::ProcResult<procfs::process::Process> {
    procfs::process::Process::new(i32::try_from(pid).unwrap_or(-1))
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

//! What the whole system took for its work: CPU time over all its processes,
//! and bytes that its servers wrote.
//!
//! Both are the kernel's numbers (`/proc/PID/{stat,io}`) over the time of a
//! step, what the system takes at rest included. What it takes at rest is told
//! beside it, from steps in which nothing was asked of it, and is not
//! subtracted: whether it would have been spent anyway is for the reader to say.
//!
//! The generator, its workers and the subscribers are no part of the system:
//! they run in kab's own processes. The apps write their spans, which is CPU
//! time that a system on its own would not take, in every system alike; their
//! bytes, all of them evidence, are left out.

use kab_evidence::clock::Mono;
use kab_evidence::record::{CellRecord, StepRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::server::{AllSeries, Usage};
use crate::value::Nanos;

/// What the system took in the time of a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Its processes, by name.
    pub processes: Vec<Share>,
    /// Processes of which it is not known what they took: they ended, or began
    /// anew, in mid-step. With any, there are no totals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// CPU time of all of them, user and system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Nanos>,
    /// The same for each acknowledged operation; none without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_per_op: Option<Nanos>,
    /// Mean processors busy with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<f64>,
    /// Mean processors busy with them in those steps of the cell in which
    /// nothing was asked of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_cores: Option<f64>,
    /// Bytes that the servers handed to the disk: pages made dirty, so that a
    /// write of a byte counts as a page. None where the data are in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// The same for each acknowledged operation; none without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_op: Option<u64>,
}

/// What one process took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Its name.
    pub name: String,
    /// CPU time.
    pub cpu: Nanos,
    /// Bytes handed to the disk; none if it is no server, or if the kernel did
    /// not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
}

/// What a process has to do with the system on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Keeps or carries its data.
    Server,
    /// One of its apps.
    App,
    /// None of it: kab itself, its workers, and tools that it runs.
    Outside,
}

/// Beginnings of the names of processes that keep or carry data.
const SERVERS: [&str; 4] = ["etcd", "kube-", "postgres", "nats"];

/// Beginnings of the names of what is no part of the system.
const OUTSIDE: [&str; 3] = ["host", "kab", "kubectl"];

/// What the names of kab's own workers have before their number.
const WORKER: &str = "-worker-";

/// Whatever is not known to be outside counts: a new part of a system must not
/// be for nothing.
fn part(name: &str) -> Part {
    let begins = |with: &[&str]| with.iter().any(|with| name.starts_with(with));
    if begins(&OUTSIDE) || name.contains(WORKER) {
        Part::Outside
    } else if begins(&SERVERS) {
        Part::Server
    } else {
        Part::App
    }
}

/// What the system took between `from` and `to`, in which `ok` operations were
/// acknowledged; none if no process of it was sampled then.
pub(crate) fn cost(all: &AllSeries, from: Mono, to: Mono, ok: u64) -> Option<Cost> {
    let mut found = Cost::default();
    let (mut cpu, mut written, mut seconds) = (0.0, Some(0.0), 0.0f64);
    for name in all.all_of() {
        let part = part(name);
        if part == Part::Outside {
            continue;
        }
        let used = match all.usage(name, "cpu_seconds_total", from, to) {
            Usage::Absent => continue,
            Usage::Unknown => {
                found.unknown.push(name.to_owned());
                continue;
            }
            Usage::Known(used) => used,
        };
        seconds = seconds.max(used.span.seconds());
        cpu += used.grown;
        let bytes = (part == Part::Server).then(|| {
            match all.usage(name, "written_bytes_total", from, to) {
                Usage::Known(used) => Some(used.grown),
                Usage::Absent | Usage::Unknown => None,
            }
        });
        if let Some(bytes) = bytes {
            written = written.zip(bytes).map(|(all, more)| all + more);
        }
        found.processes.push(Share {
            name: name.to_owned(),
            cpu: Nanos::from_seconds(used.grown),
            written: bytes.flatten().map(whole),
        });
    }
    if found.processes.is_empty() && found.unknown.is_empty() {
        return None;
    }
    // Part of it is not the whole: better no number than one too low.
    if found.unknown.is_empty() {
        found.cpu = Some(Nanos::from_seconds(cpu));
        found.cores = (seconds > 0.0).then(|| cpu / seconds);
        found.cpu_per_op = (ok > 0).then(|| Nanos::from_seconds(cpu / ok as f64));
        // A store that acknowledges and writes nothing keeps its data in memory.
        let servers = found.processes.iter().any(|share| part(&share.name) == Part::Server);
        let written = written.filter(|bytes| servers && *bytes > 0.0);
        found.written = written.map(whole);
        found.bytes_per_op = written.filter(|_| ok > 0).map(|bytes| whole(bytes / ok as f64));
    }
    Some(found)
}

/// Mean processors busy with the system in those steps of `cell` that only let
/// time pass; none without such a step, or if one of its processes is unknown.
pub(crate) fn at_rest(all: &AllSeries, cell: &CellRecord) -> Option<f64> {
    let idle = |step: &&StepRecord| {
        step.verb == "wait" && step.results.get("until").is_some_and(|until| until == "elapsed")
    };
    let mut shares = Vec::new();
    for step in cell.steps.iter().filter(idle) {
        let took = cost(all, step.started, step.ended?, 0)?;
        let length = step.ended?.since(step.started).as_secs_f64();
        shares.push((took.cores? * length, length));
    }
    let length: f64 = shares.iter().map(|(_, length)| length).sum();
    (length > 0.0).then(|| shares.iter().map(|(busy, _)| busy).sum::<f64>() / length)
}

impl Cost {
    /// Forgets what was written: it went to no disk.
    pub(crate) fn in_memory(&mut self) {
        self.written = None;
        self.bytes_per_op = None;
        self.processes.iter_mut().for_each(|share| share.written = None);
    }
}

/// A count, of a number that counters are kept in.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(count: f64) -> u64 {
    // `as` goes to the nearest that fits, and to 0 for what is no number.
    count.round() as u64
}

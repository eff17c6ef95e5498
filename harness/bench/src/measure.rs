//! One tool doing one task, seen from outside.

use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_lab::process::{ChildSpec, ProcessError, Supervisor};
use procfs::{CurrentSI, KernelStats};
use serde::Serialize;

use crate::contender::{Round, Start};
use crate::stage::Site;
use crate::task::PATIENCE;

/// What was seen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// From start to end of the process.
    pub wall_seconds: f64,
    /// CPU of the tool.
    pub tool_cpu_seconds: f64,
    /// CPU of etcd and the apiserver meanwhile.
    pub server_cpu_seconds: f64,
    /// CPU that anything else on the machine used meanwhile.
    pub other_cpu_seconds: f64,
    /// Entities more than before, by the server's count.
    pub created: u64,
    /// Operations done by the tool's own word, where it runs by time.
    pub done: Option<u64>,
    /// What the tool itself printed last.
    pub said: Vec<String>,
    /// How it ended, if not with status 0.
    pub failed: Option<String>,
}

/// Runs `start`, alone.
///
/// # Errors
/// If it cannot be started.
pub async fn run(
    start: &Start,
    site: &Site,
    round: &Round,
    supervisor: &Supervisor,
) -> Result<Seen, ProcessError> {
    let entities = site.entities().await.unwrap_or(0);
    let log = round.dir.join("said.log");
    let mut spec = ChildSpec::new("contender", &start.program, log).args(&start.args).unannounced();
    for (name, value) in &start.env {
        spec = spec.env(name, value);
    }
    let (server, machine, own) = (server_cpu(site), machine_cpu(), own_cpu());
    let began = Mono::now();
    let child = supervisor.spawn(spec)?;
    let ended = match tokio::time::timeout(PATIENCE, child.ended()).await {
        Ok(ended) => ended,
        Err(_) => child.stop(Duration::ZERO).await,
    };
    let wall = Mono::now().since(began);
    let tool = ended.cpu.unwrap_or_default().as_secs_f64();
    let server = server_cpu(site) - server;
    let other = machine_cpu() - machine - server - tool - (own_cpu() - own);
    Ok(Seen {
        wall_seconds: wall.as_secs_f64(),
        tool_cpu_seconds: tool,
        server_cpu_seconds: server,
        other_cpu_seconds: other.max(0.0),
        created: site.entities().await.unwrap_or(0).saturating_sub(entities),
        done: ended.log_tail.iter().find_map(|line| wrk_requests(line)),
        failed: (!ended.success()).then(|| ended.to_string()),
        said: ended.log_tail,
    })
}

fn server_cpu(site: &Site) -> f64 {
    site.pids.iter().copied().map(process_cpu).sum()
}

fn process_cpu(pid: u32) -> f64 {
    let process = procfs::process::Process::new(i32::try_from(pid).unwrap_or(-1));
    process.and_then(|process| process.stat()).map_or(0.0, |stat| seconds(stat.utime + stat.stime))
}

fn own_cpu() -> f64 {
    process_cpu(std::process::id())
}

fn machine_cpu() -> f64 {
    KernelStats::current().map_or(0.0, |stats| {
        let t = stats.total;
        let irq = t.irq.unwrap_or(0) + t.softirq.unwrap_or(0);
        seconds(t.user + t.nice + t.system + irq)
    })
}

/// Clock ticks as seconds; far below 2^53, where this is exact.
#[allow(clippy::cast_precision_loss)]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / procfs::ticks_per_second() as f64
}

/// wrk's `  12345 requests in 8.00s, 1.2MB read`: it can only be told how long.
fn wrk_requests(line: &str) -> Option<u64> {
    let (count, rest) = line.trim().split_once(' ')?;
    rest.starts_with("requests in ").then(|| count.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::wrk_requests;

    #[test]
    fn what_wrk_says_it_did() {
        assert_eq!(wrk_requests("  20416 requests in 8.01s, 40.5MB read"), Some(20416));
        assert_eq!(wrk_requests("Requests/sec:   2548.9"), None);
    }
}

//! What the tests share.

#![allow(dead_code, missing_docs, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use kab_lab::assets::{Assets, Finder, ServerFinder, ServerPrograms};
use kab_lab::keep::ProcessId;
use kab_lab::local::{LabError, Local, LocalSpec};
use kab_lab::process::Supervisor;
use kab_lab::progress::Silent;

/// Long enough for a loaded machine; reached only when a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The real programs, found as `kab run` finds them.
pub fn assets() -> &'static Assets {
    static ASSETS: OnceLock<Assets> = OnceLock::new();
    ASSETS.get_or_init(|| Finder::from_env(vec![]).unwrap().find(true, &Silent).unwrap())
}

/// PostgreSQL and nats-server, found as `kab run` finds them.
pub fn server_programs() -> &'static ServerPrograms {
    static PROGRAMS: OnceLock<ServerPrograms> = OnceLock::new();
    PROGRAMS.get_or_init(|| ServerFinder::from_env().unwrap().find(true, &Silent).unwrap())
}

pub async fn start(
    spec: &LocalSpec,
    dir: &Path,
    supervisor: &Supervisor,
) -> Result<Local, LabError> {
    let assets = tokio::task::spawn_blocking(assets).await.unwrap();
    Local::start(spec, assets, dir, supervisor, &Silent).await
}

/// Processes and ports of a lab, to look for afterwards.
#[derive(Debug)]
pub struct Traces {
    pub processes: Vec<ProcessId>,
    ports: BTreeSet<u16>,
}

impl Traces {
    /// Of the processes `pids`, which run now.
    pub fn of(pids: impl IntoIterator<Item = u32>) -> Self {
        Self::of_processes(pids.into_iter().map(|pid| ProcessId::of(pid).expect("it runs")))
    }

    /// Of `processes`, which run now.
    pub fn of_processes(processes: impl IntoIterator<Item = ProcessId>) -> Self {
        let processes: Vec<_> = processes.into_iter().collect();
        let ports: BTreeSet<_> =
            processes.iter().flat_map(|process| listening(process.pid)).collect();
        assert!(processes.len() >= 2 && ports.len() >= 3, "{processes:?} {ports:?}");
        Self { processes, ports }
    }

    /// Fails if a process still runs or a port is still taken.
    pub fn assert_gone(&self) {
        for process in &self.processes {
            assert!(!process.lives(), "{process:?} still runs");
        }
        for &port in &self.ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .unwrap_or_else(|e| panic!("port {port}: {e}"));
        }
    }

    /// The same, once the kernel has ended the processes, which it does by
    /// itself and a moment after their owner is gone.
    pub fn assert_gone_soon(&self) {
        for process in &self.processes {
            assert!(process.ends_within(PATIENCE), "{process:?} still runs");
        }
        self.assert_gone();
    }
}

/// Ports on loopback that the process `pid` listens on.
fn listening(pid: u32) -> Vec<u16> {
    let process = procfs::process::Process::new(pid.try_into().unwrap()).unwrap();
    let sockets: BTreeSet<u64> = process
        .fd()
        .unwrap()
        .flatten()
        .filter_map(|fd| match fd.target {
            procfs::process::FDTarget::Socket(inode) => Some(inode),
            _ => None,
        })
        .collect();
    let tcp = process.tcp().unwrap();
    tcp.into_iter()
        .filter(|socket| socket.state == procfs::net::TcpState::Listen)
        .filter(|socket| sockets.contains(&socket.inode))
        .map(|socket| socket.local_address.port())
        .collect()
}

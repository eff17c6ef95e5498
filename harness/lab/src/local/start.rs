//! Bringing a control plane up.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use futures::FutureExt;
use futures::future::select_all;
use http::StatusCode;

use super::client::Client;
use super::conditions::conditions;
use super::kubeconfig::kubeconfig;
use super::pki::{Pki, write_secret};
use super::plan::{PORTS, Plan, SERVICE_IP};
use super::{LabError, Local, LocalSpec, Running, ports, tracing};
use crate::assets::Assets;
use crate::process::{Child, Supervisor};
use crate::progress::Progress;

/// How often a lab is tried when its ports are taken by others.
const TRIES: usize = 5;

/// How long a control plane may take to become ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long after an answer the next question follows.
const POLL: Duration = Duration::from_millis(20);

impl Local {
    /// Starts a control plane with its files in `dir`, and waits until it is
    /// ready. If a component ends before that, the error has its log's tail.
    pub async fn start(
        spec: &LocalSpec,
        assets: &Assets,
        dir: &Path,
        supervisor: &Supervisor,
        progress: &dyn Progress,
    ) -> Result<Self, LabError> {
        let ports = || ports::free(PORTS);
        Self::start_on(spec, assets, dir, supervisor, progress, ports).await
    }

    /// As [`Self::start`], with ports from `free_ports`.
    pub(super) async fn start_on(
        spec: &LocalSpec,
        assets: &Assets,
        dir: &Path,
        supervisor: &Supervisor,
        progress: &dyn Progress,
        mut free_ports: impl FnMut() -> io::Result<Vec<u16>>,
    ) -> Result<Self, LabError> {
        spec.check()?;
        fs::create_dir_all(dir).map_err(failed("making the lab's folder", dir))?;
        let dir = dir.canonicalize().map_err(failed("finding", dir))?;
        let pki = Pki::make(&dir.join("pki"), SERVICE_IP)?;
        let logs = spec.logs.clone().unwrap_or_else(|| dir.join("logs"));
        let mut tries = 0;
        loop {
            tries += 1;
            let ports = free_ports().map_err(LabError::Ports)?;
            let ports = ports.try_into().map_err(|_| {
                LabError::Ports(io::Error::other("fewer than a control plane needs"))
            })?;
            let plan = Plan { spec, assets, dir: &dir, logs: logs.clone(), pki: &pki, ports };
            match attempt(&plan, supervisor, progress).await {
                Err(error) if error.is_address_in_use() && tries < TRIES => {
                    progress.say("a port was taken by others in the meantime; trying other ports");
                }
                outcome => return outcome,
            }
        }
    }
}

async fn attempt(
    plan: &Plan<'_>,
    supervisor: &Supervisor,
    progress: &dyn Progress,
) -> Result<Local, LabError> {
    let etcd_data = plan.etcd_data();
    if etcd_data.exists() {
        fs::remove_dir_all(&etcd_data).map_err(failed("removing", &etcd_data))?;
    }
    let server = plan.server();
    write_secret(&plan.kubeconfig(), &kubeconfig(&server, &plan.pki.admin))?;
    let manager = kubeconfig(&server, &plan.pki.controller_manager);
    write_secret(&plan.controller_manager_kubeconfig(), &manager)?;
    if let Some(endpoint) = plan.spec.tracing {
        let path = plan.tracing_config();
        fs::write(&path, tracing::config(endpoint)).map_err(failed("writing", &path))?;
    }
    let command_lines = plan.command_lines()?;

    // etcd listens long before it has elected itself, and the apiserver gets
    // itself ready long before it needs an answer: so they start together.
    // The controller manager would only ask in vain, and waits.
    let mut running = Running::default();
    for (asset, args) in &command_lines {
        let spec = plan.child(asset, args.clone());
        let log = plan.logs.join(format!("{}.log", asset.name));
        // The log of a try before would explain the wrong death.
        let _ = fs::remove_file(log);
        if Plan::is_manager(asset) {
            let api = Client::new(&server, &plan.pki.admin)?;
            ready(plan, &api, "/readyz", &running).await?;
        }
        running.0.push(supervisor.spawn(spec)?);
    }
    let api = Client::new(&server, &plan.pki.admin)?;
    ready(plan, &api, "/readyz", &running).await?;
    if plan.spec.controller_manager.is_some() {
        let manager = Client::new(&plan.controller_manager_url(), &plan.pki.admin)?;
        ready(plan, &manager, "/healthz", &running).await?;
    }
    let etcd = Client::new(&plan.etcd_url(), &plan.pki.etcd_client)?;
    let conditions = conditions(plan, &command_lines, &api, &etcd).await?;
    for child in &running.0 {
        child.announce(supervisor);
    }
    progress.say(&format!("the control plane is ready at {server}"));
    Ok(Local {
        running,
        kubeconfig: plan.kubeconfig(),
        server,
        admin: plan.pki.admin.clone(),
        etcd_url: plan.etcd_url(),
        etcd_client: plan.pki.etcd_client.clone(),
        conditions,
    })
}

/// Waits until `path` is answered with 200, or a component ends.
async fn ready(
    plan: &Plan<'_>,
    client: &Client,
    path: &str,
    running: &Running,
) -> Result<(), LabError> {
    let mut last = String::from("nothing was asked yet");
    let answered = async {
        loop {
            match client.get(path).await {
                Ok((StatusCode::OK, _)) => return,
                Ok((status, body)) => last = unready(status, &body),
                // Refused connections are normal until it listens.
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let died = select_all(running.0.iter().map(|child| child.ended().boxed()));
    let outcome = tokio::select! {
        biased;
        (ended, index, _) = died => {
            let child: &Child = &running.0[index];
            let (name, log) = (child.name().to_owned(), child.log().to_owned());
            return Err(LabError::Died { name, ended, log });
        }
        outcome = tokio::time::timeout(PATIENCE, answered) => outcome,
    };
    outcome.map_err(|_| LabError::NotReady { after: PATIENCE, last, logs: plan.logs.clone() })
}

/// What of a component is not ready, from the lines of its answer that do not
/// begin with `[+]`.
fn unready(status: StatusCode, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let missing: Vec<_> = body.lines().filter(|line| line.starts_with("[-]")).collect();
    format!("it answered {status} ({})", missing.join(", "))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LabError {
    let path = path.to_owned();
    move |source| LabError::Io { action, path, source }
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;

//! Apps as child processes.

use std::net::SocketAddr;

use kab_evidence::span::SPANS_DIR_ENV;
use kab_lab::process::{Child, ChildSpec, Supervisor};
use serde::Serialize;

use super::{DeployError, DeploySpec, PATIENCE, write_json};
use crate::app::Readiness;

/// An app that said it is ready.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    address: Option<SocketAddr>,
}

impl Running {
    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr, DeployError> {
        let name = || self.child.name().to_owned();
        self.address.ok_or_else(|| DeployError::NoAddress { name: name() })
    }
}

/// Starts the app `app` as a child called `name`, and waits until it is ready.
/// Its death is announced from then on; before that it is this function's error.
pub(crate) async fn start<C: Serialize>(
    spec: &DeploySpec,
    supervisor: &Supervisor,
    app: &str,
    name: &str,
    config: &C,
) -> Result<Running, DeployError> {
    let file = spec.work_dir.join(format!("{name}.json"));
    write_json(&file, config)?;
    let log = spec.logs_dir.join(format!("{name}.log"));
    let child = ChildSpec::new(name, &spec.program, log)
        .args(&spec.leading_args)
        .args(["app", app, "--config"])
        .args([file])
        .env(SPANS_DIR_ENV, &spec.spans_dir)
        .lines()
        .unannounced();
    let child = supervisor.spawn(child)?;
    match tokio::time::timeout(PATIENCE, readiness(&child)).await {
        Ok(Ok(address)) => {
            child.announce(supervisor);
            Ok(Running { child, address })
        }
        Ok(Err(e)) => Err(e),
        Err(_) => {
            child.kill();
            Err(DeployError::InVain { what: format!("{name} is ready") })
        }
    }
}

/// Waits until `child` says that it is ready; where it then listens.
pub(crate) async fn readiness(child: &Child) -> Result<Option<SocketAddr>, DeployError> {
    if let Some(mut lines) = child.take_lines() {
        while let Some(line) = lines.recv().await {
            if let Ok(Readiness { ready }) = serde_json::from_str(&line) {
                return Ok(ready.address);
            }
        }
    }
    // No more lines will come.
    let ended = child.ended().await;
    Err(DeployError::Died {
        name: child.name().to_owned(),
        how: ended.to_string(),
        log_tail: ended.log_tail,
    })
}

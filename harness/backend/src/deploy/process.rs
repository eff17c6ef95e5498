//! Apps as child processes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use kab_evidence::span::{SPANS_DIR_ENV, SPANS_PREFIX_ENV};
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

/// Starts the app `app` as a child called `name`, behind the instance's prefix,
/// and waits until it is ready. Its death is announced from then on; before that
/// it is this function's error.
///
/// When it is ready, its configuration on disk says where it listens: whoever
/// starts it again from there finds it in the same place.
pub(crate) async fn start<C: Serialize>(
    spec: &DeploySpec,
    supervisor: &Supervisor,
    app: &str,
    name: &str,
    config: &C,
) -> Result<Running, DeployError> {
    let file = config_file(spec, name);
    write_json(&file, config)?;
    let full = format!("{}{name}", spec.prefix);
    let log = spec.logs_dir.join(format!("{full}.log"));
    let child = ChildSpec::new(full, &spec.program, log)
        .args(&spec.leading_args)
        .args(["app", app, "--config"])
        .args([&file])
        .env(SPANS_DIR_ENV, &spec.spans_dir)
        .env(SPANS_PREFIX_ENV, &spec.prefix)
        .lines()
        .unannounced();
    let child = supervisor.spawn(child)?;
    match tokio::time::timeout(PATIENCE, readiness(&child)).await {
        Ok(Ok(address)) => {
            if let Some(address) = address {
                pin(&file, config, address)?;
            }
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

/// The configuration of the app called `name`.
pub(crate) fn config_file(spec: &DeploySpec, name: &str) -> PathBuf {
    spec.work_dir.join(format!("{name}.json"))
}

/// Writes `config` anew, with the address that the app listens on by now.
fn pin<C: Serialize>(file: &Path, config: &C, address: SocketAddr) -> Result<(), DeployError> {
    let mut pinned = serde_json::to_value(config).unwrap_or_default();
    if let Some(fields) = pinned.as_object_mut() {
        fields.insert("listen".to_owned(), address.to_string().into());
    }
    write_json(file, &pinned)
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

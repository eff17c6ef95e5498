//! Containers as processes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::span::{SPANS_DIR_ENV, SPANS_PREFIX_ENV};
use kab_lab::process::{Child, ChildSpec};

use super::{Shared, StandInError};
use crate::deploy::process::readiness;
use crate::deploy::{DeployError, PATIENCE};

/// How soon a container is started again, and at most; a node does the same
/// from ten seconds to five minutes.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// What a container's process is started with.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) name: String,
    /// The namespace of its pod.
    pub(super) namespace: String,
    /// Pod and container, for messages and the log's name.
    pub(super) title: String,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(String, OsString)>,
    pub(super) log: PathBuf,
}

/// A container: its process, and how often it was started.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) recipe: Recipe,
    pub(super) child: Child,
    started: Mono,
    backoff: Duration,
}

impl Process {
    /// Starts it, and waits until it is ready.
    pub(super) async fn start(shared: &Shared, recipe: Recipe) -> Result<Self, StandInError> {
        let child = spawn(shared, &recipe).await?;
        Ok(Self { recipe, child, started: Mono::now(), backoff: FIRST_BACKOFF })
    }

    pub(super) fn runs(&self) -> bool {
        self.child.has_ended().is_none()
    }

    /// When one that has ended is to be started again.
    pub(super) fn due(&self) -> Mono {
        self.started.plus(self.backoff)
    }

    /// Starts it again, later each time that it did not last.
    pub(super) async fn restart(&mut self, shared: &Shared) -> Result<(), StandInError> {
        let lasted = Mono::now().since(self.started) > LAST_BACKOFF;
        let longer = self.backoff.saturating_mul(2).min(LAST_BACKOFF);
        self.backoff = if lasted { FIRST_BACKOFF } else { longer };
        self.started = Mono::now();
        self.child = spawn(shared, &self.recipe).await?;
        Ok(())
    }
}

async fn spawn(shared: &Shared, recipe: &Recipe) -> Result<Child, StandInError> {
    let spec = &shared.spec;
    let mut child = ChildSpec::new(&recipe.title, &spec.program, &recipe.log)
        .args(&spec.leading_args)
        .args(&recipe.args)
        .env(SPANS_DIR_ENV, &spec.spans_dir)
        .env(SPANS_PREFIX_ENV, spec.prefix_of(&recipe.namespace))
        .env_remove("KUBECONFIG")
        .lines()
        .unannounced();
    for (name, value) in &recipe.env {
        child = child.env(name, value);
    }
    let child = shared.supervisor.spawn(child).map_err(DeployError::from)?;
    match tokio::time::timeout(PATIENCE, readiness(&child)).await {
        Ok(Ok(_)) => {
            child.announce(&shared.supervisor);
            Ok(child)
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => {
            child.kill();
            let what = format!("{} is ready", recipe.title);
            Err(DeployError::InVain { what }.into())
        }
    }
}

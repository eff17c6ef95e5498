//! What it takes to put a system on trial into a cluster: objects applied,
//! identities made, processes started. What is particular to one system is in
//! its own module.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kab_lab::process::ProcessError;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::runtime::wait;
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::informer::Delivery;
use crate::client::ClientError;
use crate::defect::Defects;
use crate::entity::{CRD_NAME, Todo};
use crate::system::Variant;

pub mod access;
pub(crate) mod again;
pub mod certificate;
pub mod process;

/// How long the cluster may take to act on something it has accepted.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often is asked where there is nothing to be awaited.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// Where a system goes, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploySpec {
    /// Kubeconfig of somebody who may do everything; of no matter to a system
    /// without a cluster.
    pub kubeconfig: PathBuf,
    /// Which system.
    pub variant: Variant,
    /// What is wrong with it; [`Variant::defects`] unless that is the question.
    pub defects: Defects,
    /// Numbers that a scenario may want to be others.
    pub limits: Limits,
    /// Namespace of the system: its own, made if it is not there.
    pub namespace: String,
    /// What the names of its processes begin with: nothing for the first
    /// instance, `kab02-` for another one beside it.
    pub prefix: String,
    /// Program that runs the apps...
    pub program: PathBuf,
    /// ... and its arguments before `app NAME --config FILE`.
    pub leading_args: Vec<OsString>,
    /// Folder for configurations, kubeconfigs and certificates.
    pub work_dir: PathBuf,
    /// Folder for the apps' spans.
    pub spans_dir: PathBuf,
    /// Folder for the apps' logs.
    pub logs_dir: PathBuf,
}

/// Numbers of a system that has them: the naive one has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many entities an instance may have. A quota: where no controller
    /// manager runs, what was deleted counts as well.
    pub entities: u64,
    /// How an informer tries again.
    pub delivery: Delivery,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entities: 1_000_000_000, delivery: Delivery::default() }
    }
}

/// A system could not be deployed, looked into, or taken down.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// There is no client for the cluster.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The apiserver refused, or did not answer.
    #[error("{action}: {source}")]
    Api {
        /// What was attempted.
        action: String,
        /// What the apiserver said.
        source: Box<kube::Error>,
    },
    /// The cluster accepted something but did not act on it.
    #[error(
        "waited {} s in vain until {what}; is the cluster overloaded, or its apiserver unwell?",
        PATIENCE.as_secs()
    )]
    InVain {
        /// What was awaited.
        what: String,
    },
    /// A file could not be written or read.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The admin's kubeconfig has no cluster to point the apps at.
    #[error("kubeconfig {} names no cluster in its current context", .0.display())]
    NoCluster(PathBuf),
    /// A certificate could not be made.
    #[error("making the certificate of the webhook: {0}")]
    Certificate(#[from] rcgen::Error),
    /// An app's process could not be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// An app ended before it was ready.
    #[error("{name} ended before it was ready ({how}):\n{}", log_tail.join("\n"))]
    Died {
        /// Which app.
        name: String,
        /// How it ended.
        how: String,
        /// The last lines of its log.
        log_tail: Vec<String>,
    },
    /// An app did not say where it listens.
    #[error("{name} said that it is ready, but not where it listens")]
    NoAddress {
        /// Which app.
        name: String,
    },
    /// A step asks the apiserver of a system that has none.
    #[error(
        "the conventional system has no apiserver to ask or to watch; go through the gateway, and \
         subscribe with informers"
    )]
    NoApiserver,
    /// The conventional system has nothing to stand on.
    #[error("the conventional system needs PostgreSQL and nats-server, which were not started")]
    NoServers,
    /// The database of the conventional system.
    #[error(transparent)]
    Conventional(#[from] crate::conventional::ConventionalError),
    /// The broker of the conventional system.
    #[error(transparent)]
    Broker(#[from] crate::conventional::broker::BrokerError),
    /// There is no such process.
    #[error("the system has no process called {0:?}")]
    NoProcess(String),
    /// An instance did not become ready.
    #[error("{instance} did not become ready within {} s: {why}", within.as_secs())]
    NotReady {
        /// Which instance: `namespace/name`.
        instance: String,
        /// How long it was waited for.
        within: Duration,
        /// What its conditions and the stand-in for its pods say.
        why: String,
    },
    /// The spans that show a webhook in force cannot be read.
    #[error("reading spans: {0}")]
    Spans(#[from] kab_evidence::jsonl::JsonlError),
}

impl DeployError {
    pub(crate) fn api(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Api { action, source: Box::new(source) }
    }
}

/// Applies `object` on the server's side, as `manager`: makes it if it is not
/// there, else brings what it says into line.
pub async fn apply<K>(
    api: &Api<K>,
    manager: &str,
    name: &str,
    object: &serde_json::Value,
) -> Result<(), DeployError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let params = PatchParams::apply(manager).force();
    let applied = api.patch(name, &params, &Patch::Apply(object)).await;
    let action = || format!("applying {} {name}", K::kind(&()));
    applied.map(drop).map_err(|e| DeployError::api(action())(e))
}

/// Deletes `name`; that it is gone already is as good.
pub(crate) async fn delete<K>(api: &Api<K>, name: &str) -> Result<(), DeployError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(e) => Err(DeployError::api(format!("deleting {} {name}", K::kind(&())))(e)),
    }
}

/// Waits until the Todo's definition is established and its collection served.
pub async fn await_served(client: &Client, namespace: &str) -> Result<(), DeployError> {
    let what = || format!("{CRD_NAME} is served");
    let established = wait::await_condition(
        Api::all(client.clone()),
        CRD_NAME,
        wait::conditions::is_crd_established(),
    );
    match tokio::time::timeout(PATIENCE, established).await {
        Ok(Ok(_)) => {}
        Ok(Err(e)) => return Err(awaiting(what(), e)),
        Err(_) => return Err(DeployError::InVain { what: what() }),
    }
    let todos: Api<Todo> = Api::namespaced(client.clone(), namespace);
    poll_until(what(), async || todos.list(&Default::default()).await.is_ok()).await
}

fn awaiting(what: String, error: wait::Error) -> DeployError {
    tracing::warn!(%error, "waiting until {what}");
    DeployError::InVain { what }
}

/// Asks again and again, until it is so or [`PATIENCE`] is at its end.
pub(crate) async fn poll_until(
    what: String,
    mut is_so: impl AsyncFnMut() -> bool,
) -> Result<(), DeployError> {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.map_err(|_| DeployError::InVain { what })
}

/// Writes a file that only its owner may read, making its folder if need be.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), DeployError> {
    let written = write_owned(path, content);
    written.map_err(|source| DeployError::File { action: "writing", path: path.to_owned(), source })
}

/// The same, with the operating system's own error.
pub(crate) fn write_owned(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(content)
}

/// Writes `value` as JSON to a file that only its owner may read.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), DeployError> {
    let text = serde_json::to_vec_pretty(value).map_err(|e| DeployError::File {
        action: "writing",
        path: path.to_owned(),
        source: e.into(),
    })?;
    write_private(path, &text)
}

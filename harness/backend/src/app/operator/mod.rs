//! The operator: makes of every `K8sAsBackend` a running instance, and keeps
//! it one.

use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{Api, DynamicObject};
use kube::runtime::controller::{self, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde::{Deserialize, Serialize};

use super::{AppError, announce, terminated};
use crate::client::connect;

mod certificates;
mod cleanup;
mod context;
mod events;
pub(crate) mod hash;
mod kinds;
mod names;
mod objects;
mod pass;
mod reconcile;
mod resource;
mod status;
mod tls;

pub use names::{INSTANCE_LABEL, MANAGED_SELECTOR, NAMESPACE_LABEL};
pub use resource::{BackendSpec, BackendStatus, DEFINITION, GROUP, K8sAsBackend, definition};

use certificates::Schedule;
use context::Context;

/// Changes that come together are looked at together.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// Instances that are looked at at the same time.
const CONCURRENCY: u16 = 4;

/// What an operator needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorConfig {
    /// How to reach the apiserver, and as whom; left out in a pod.
    #[serde(default)]
    pub kubeconfig: PathBuf,
    /// Where it looks for instances; everywhere if left out.
    #[serde(default)]
    pub namespace: Option<String>,
    /// How pods are reached.
    #[serde(default)]
    pub reach: Reach,
    /// About the webhook servers' certificates.
    #[serde(default)]
    pub certificates: CertificateConfig,
    /// After how many objects made, changed or deleted it is to die at once,
    /// for tests of what comes after.
    #[serde(default)]
    pub die_after: Option<u32>,
}

/// How pods are reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reach {
    /// By their Services.
    #[default]
    Service,
    /// By the address that is written on their Deployment, as the lab's
    /// stand-in for pods does.
    Annotated,
}

/// When certificates are changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CertificateConfig {
    /// How long one is used.
    pub rotate_after_seconds: u64,
    /// How long a new authority is registered before its certificate is used.
    pub settle_seconds: u64,
    /// Where instances with that defect share theirs; `kab-certificates` in
    /// the folder for temporary files if left out.
    pub shared_folder: Option<PathBuf>,
}

impl Default for CertificateConfig {
    /// A month; and what a node takes at most to bring a Secret to its pods.
    fn default() -> Self {
        Self { rotate_after_seconds: 30 * 24 * 3600, settle_seconds: 120, shared_folder: None }
    }
}

impl CertificateConfig {
    const fn schedule(&self) -> Schedule {
        Schedule {
            every: Duration::from_secs(self.rotate_after_seconds),
            settle: Duration::from_secs(self.settle_seconds),
        }
    }

    fn shared_folder(&self) -> PathBuf {
        let default = || std::env::temp_dir().join("kab-certificates");
        self.shared_folder.clone().unwrap_or_else(default)
    }
}

/// Runs until SIGTERM.
pub(super) async fn run(config: OperatorConfig) -> Result<(), AppError> {
    let client = connect(&config.kubeconfig).await?;
    let stop = terminated()?;
    let namespace = config.namespace.clone();
    let instances: Api<K8sAsBackend> = match &namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let controller = Controller::new(instances, watcher::Config::default())
        .with_config(controller::Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY));
    let store = controller.store();
    let controller = watch_objects(controller, &client, namespace.as_deref(), &store);
    let reporter = Reporter { controller: GROUP.to_owned(), instance: None };
    let recorder = Recorder::new(client.clone(), reporter);
    let context = Context::new(client, config, recorder, store.clone());
    let run = controller
        .graceful_shutdown_on(stop)
        .run(reconcile::reconcile, reconcile::retry, context.into())
        .for_each(|handled| async move {
            // What an instance fails of is told where it is retried.
            if let Err(error @ controller::Error::QueueError(_)) = handled {
                tracing::warn!(%error, "a watch broke off and is begun anew");
            }
        });
    let ready = async {
        // It ends only with the controller.
        let _ = store.wait_until_ready().await;
        announce(None)?;
        std::future::pending::<Result<(), AppError>>().await
    };
    tokio::select! {
        () = run => Ok(()),
        outcome = ready => outcome,
    }
}

/// Whatever happens to an object of an instance calls for a look at it.
fn watch_objects(
    mut controller: Controller<K8sAsBackend>,
    client: &Client,
    namespace: Option<&str>,
    store: &Store<K8sAsBackend>,
) -> Controller<K8sAsBackend> {
    let managed = watcher::Config::default().labels(MANAGED_SELECTOR);
    for kind in kinds::OF_AN_INSTANCE.into_iter().chain([&kinds::DEFINITION]) {
        let store = store.clone();
        controller = controller.watches_with(
            kind.watched(client, namespace),
            kind.resource(),
            managed.clone(),
            move |object| concerned(&object, &store),
        );
    }
    controller
}

/// Whose object it is: what names no instance is everybody's.
fn concerned(object: &DynamicObject, store: &Store<K8sAsBackend>) -> Vec<ObjectRef<K8sAsBackend>> {
    let labels = object.labels();
    match (labels.get(INSTANCE_LABEL), labels.get(NAMESPACE_LABEL)) {
        (Some(name), Some(namespace)) => vec![ObjectRef::new(name).within(namespace)],
        _ => store.state().iter().map(|backend| ObjectRef::from_obj(&**backend)).collect(),
    }
}

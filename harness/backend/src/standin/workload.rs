//! A Deployment: as many pods of its template as it wants, told in its status.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, select_all};
use k8s_openapi::api::apps::v1::Deployment;
use kab_evidence::clock::Mono;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::pod::Pod;
use super::{ADDRESS_ANNOTATION, Shared, StandInError, locked};
use crate::app::operator::hash::hash;

/// How soon a pod that could not be started is tried again, and at most.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// What is to happen next.
enum Next {
    /// There is more to do at once.
    Again,
    /// Nothing, until something changes, or until then.
    Wait(Option<Mono>),
}

struct Workload {
    shared: Arc<Shared>,
    api: Api<Deployment>,
    name: String,
    pods: Vec<Pod>,
    /// Failures in a row.
    failures: u32,
    /// Before then no pod is started: the last could not be.
    not_before: Mono,
    /// The status as last written, and of what.
    written: Option<Value>,
}

/// Runs a Deployment until nobody wants it any more.
pub(super) async fn run(
    shared: Arc<Shared>,
    (namespace, name): (String, String),
    mut wanted: watch::Receiver<Option<Arc<Deployment>>>,
) {
    let api = Api::namespaced(shared.client.clone(), &namespace);
    let mut workload = Workload {
        shared,
        api,
        name,
        pods: Vec::new(),
        failures: 0,
        not_before: Mono::now(),
        written: None,
    };
    loop {
        let deployment = wanted.borrow_and_update().clone();
        let Some(deployment) = deployment else { break };
        // What was lost is told before it is replaced, as a kubelet does.
        workload.tell(&deployment).await;
        let next = workload.step(&deployment).await;
        workload.tell(&deployment).await;
        let wake = match next {
            Next::Again => {
                // Unless its sender is gone: then it is deleted.
                if wanted.has_changed().is_err() {
                    break;
                }
                continue;
            }
            Next::Wait(wake) => wake,
        };
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            () = workload.loses_one() => {}
            () = until(wake) => {}
        }
    }
    let Workload { pods, shared, name, .. } = workload;
    join_all(pods.into_iter().map(|pod| pod.stop(&shared))).await;
    locked(&shared.troubles).remove(&name);
}

async fn until(wake: Option<Mono>) {
    match wake {
        Some(wake) => tokio::time::sleep(wake.since(Mono::now())).await,
        None => std::future::pending().await,
    }
}

impl Workload {
    /// Does one thing towards what is wanted. New pods come before old ones
    /// go, one by one, as `maxSurge: 1, maxUnavailable: 0` says.
    async fn step(&mut self, deployment: &Deployment) -> Next {
        let Some(spec) = &deployment.spec else { return Next::Wait(None) };
        let template = serde_json::to_value(&spec.template).unwrap_or_default();
        let template = hash(&template);
        let replicas = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0);
        let new = self.pods.iter().filter(|pod| pod.template == template).count();
        if new < replicas {
            return self.add(deployment, template).await;
        }
        let old = self.pods.iter().position(|pod| pod.template != template);
        let surplus = old.or_else(|| (new > replicas).then(|| self.pods.len() - 1));
        if let Some(place) = surplus {
            self.pods.remove(place).stop(&self.shared).await;
            return Next::Again;
        }
        if !self.shared.spec.restart {
            return Next::Wait(None);
        }
        self.restart(deployment).await
    }

    async fn add(&mut self, deployment: &Deployment, template: String) -> Next {
        if Mono::now() < self.not_before {
            return Next::Wait(Some(self.not_before));
        }
        match Pod::start(&self.shared, deployment, template).await {
            Ok(pod) => {
                self.pods.push(pod);
                self.succeeded();
                Next::Again
            }
            Err(error) => Next::Wait(Some(self.failed(&error))),
        }
    }

    async fn restart(&mut self, deployment: &Deployment) -> Next {
        let due = |pods: &[Pod]| pods.iter().filter_map(Pod::due).min();
        let Some(first) = due(&self.pods) else { return Next::Wait(None) };
        if first > Mono::now() {
            return Next::Wait(Some(first));
        }
        // Until it runs again it is not ready, however soon that is.
        self.tell(deployment).await;
        let shared = Arc::clone(&self.shared);
        for pod in self.pods.iter_mut().filter(|pod| !pod.is_ready()) {
            if let Err(error) = pod.restart(&shared).await {
                let trouble = format!("Deployment {}: {error}", self.name);
                tracing::warn!(trouble, "a container cannot be started again");
                locked(&shared.troubles).insert(self.name.clone(), trouble);
            }
        }
        Next::Again
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        locked(&self.shared.troubles).remove(&self.name);
    }

    /// Remembers what went wrong; when to try again.
    fn failed(&mut self, error: &StandInError) -> Mono {
        let wait = FIRST_RETRY.saturating_mul(1 << self.failures.min(16)).min(LAST_RETRY);
        self.failures += 1;
        self.not_before = Mono::now().plus(wait);
        let trouble = format!("Deployment {}: {error}", self.name);
        tracing::warn!(trouble, "a pod cannot be started");
        locked(&self.shared.troubles).insert(self.name.clone(), trouble);
        self.not_before
    }

    async fn loses_one(&self) {
        let losses: Vec<_> = self.pods.iter().map(|pod| Box::pin(pod.loses_one())).collect();
        if losses.is_empty() {
            std::future::pending::<()>().await;
        }
        select_all(losses).await;
    }

    /// Writes the status, and the address, if they are not written yet.
    async fn tell(&mut self, deployment: &Deployment) {
        let template = deployment.spec.as_ref().map(|spec| &spec.template);
        let template = hash(&serde_json::to_value(template).unwrap_or_default());
        let ready = self.pods.iter().filter(|pod| pod.is_ready()).count();
        let updated = self.pods.iter().filter(|pod| pod.template == template).count();
        let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = json!({
            "observedGeneration": deployment.metadata.generation,
            "replicas": self.pods.len(),
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas":
                usize::try_from(wanted).unwrap_or(0).saturating_sub(ready),
        });
        let said = json!([deployment.uid(), status]);
        if self.written.as_ref() != Some(&said) {
            let patch = Patch::Merge(json!({ "status": status }));
            let told = self.api.patch_status(&self.name, &PatchParams::default(), &patch).await;
            self.written = told.map(|_| said).map_err(|e| self.untold(&e)).ok();
        }
        if ready > 0
            && let Some(address) = self.address(deployment)
            && deployment.annotations().get(ADDRESS_ANNOTATION) != Some(&address)
        {
            let patch = json!({ "metadata": { "annotations": { ADDRESS_ANNOTATION: address } } });
            let patch = Patch::Merge(patch);
            let told = self.api.patch(&self.name, &PatchParams::default(), &patch).await;
            let _ = told.map_err(|e| self.untold(&e));
        }
    }

    fn untold(&self, error: &kube::Error) {
        tracing::warn!(%error, name = self.name, "the Deployment's status cannot be written");
    }

    /// Where the first port of the Deployment's containers is.
    fn address(&self, deployment: &Deployment) -> Option<String> {
        let spec = deployment.spec.as_ref()?.template.spec.as_ref()?;
        let mut ports = spec.containers.iter().flat_map(|one| one.ports.iter().flatten());
        let port = u16::try_from(ports.next()?.container_port).ok()?;
        let namespace = deployment.namespace().unwrap_or_default();
        let address = self.shared.address(&namespace, &self.name, port);
        address.ok().map(|address| address.to_string())
    }
}

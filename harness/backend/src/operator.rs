//! A system deployed as its users would: by an operator that is told what is
//! wanted. Where the cluster has no nodes, the stand-in runs its pods.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kab_lab::process::{Child, Supervisor};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::runtime::wait;
use kube::{Client, Resource, ResourceExt};
use serde_json::json;

use crate::app::operator::{
    BackendSpec, CertificateConfig, DEFINITION, K8sAsBackend, OperatorConfig, Reach, definition,
};
use crate::client::connect;
use crate::deploy::process::start;
use crate::deploy::{DeployError, DeploySpec, PATIENCE, apply};
use crate::kubernetes::admission::await_in_force;
use crate::standin::{Container, StandIn, StandInSpec};
use crate::system::Admission;

/// The instance that [`deploy`] makes.
pub const FIRST: &str = "kab01";

/// Who applies instances, on behalf of whoever wants them.
const MANAGER: &str = "kab";

/// How long an instance may take to become ready, or to be gone.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// What an operator is to be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// About the webhook servers' certificates.
    pub certificates: CertificateConfig,
    /// See [`OperatorConfig::die_after`].
    pub die_after: Option<u32>,
}

/// An operator, the stand-in for its pods, and the instances it has made.
/// The processes end with it and the supervisor; the objects stay until the
/// instances are deleted.
pub struct OperatorDeployed {
    spec: DeploySpec,
    client: Client,
    operator: Child,
    standin: StandIn,
    first: K8sAsBackend,
}

/// Puts an operator into a cluster and has it make the instance [`FIRST`] of
/// the system that `spec` names; when this returns, it is ready, and its
/// webhook, if it has one, in force.
///
/// # Errors
/// If the cluster refuses something, the operator does not start, or the
/// instance does not become ready: then its conditions are part of the error.
pub async fn deploy(
    spec: &DeploySpec,
    supervisor: &Supervisor,
) -> Result<OperatorDeployed, DeployError> {
    deploy_with(spec, &Options::default(), &instance(spec), supervisor).await
}

/// What the instance of `spec` is wanted to be, unless a scenario has wishes.
pub fn instance(spec: &DeploySpec) -> BackendSpec {
    BackendSpec {
        size: 1,
        product_version: "1.0.0".to_owned(),
        image: None,
        variant: spec.variant,
        defects: Some(spec.defects.clone()),
        subscriber_url: None,
    }
}

/// The same with an operator and an instance to one's own liking.
///
/// # Errors
/// As for [`deploy`].
pub async fn deploy_with(
    spec: &DeploySpec,
    options: &Options,
    first: &BackendSpec,
    supervisor: &Supervisor,
) -> Result<OperatorDeployed, DeployError> {
    let client = connect(&spec.kubeconfig).await?;
    install(&client).await?;
    make_namespace(&client, &spec.namespace).await?;
    let standin = StandIn::start(StandInSpec::of(spec)).await?;
    let operator = start_operator(spec, options, supervisor).await?;
    wish(&client, &spec.namespace, FIRST, first).await?;
    let ready = await_ready(&client, &spec.namespace, FIRST, &standin).await?;
    let deployed = OperatorDeployed { spec: spec.clone(), client, operator, standin, first: ready };
    if first.variant.admission() == Some(Admission::Webhook)
        && let Some(webhook) = deployed.child(FIRST, "webhook")
    {
        await_in_force(spec, &deployed.client, webhook.pid()).await?;
    }
    Ok(deployed)
}

/// Puts the definition of `K8sAsBackend` in place, and waits until it is
/// served.
///
/// # Errors
/// If the cluster refuses it, or does not serve it.
pub async fn install(client: &Client) -> Result<(), DeployError> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    apply(&definitions, MANAGER, DEFINITION, &definition()).await?;
    let established =
        wait::await_condition(definitions, DEFINITION, wait::conditions::is_crd_established());
    let what = || format!("{DEFINITION} is served");
    match tokio::time::timeout(PATIENCE, established).await {
        Ok(Ok(_)) => {}
        _ => return Err(DeployError::InVain { what: what() }),
    }
    // Its path is served a moment later.
    let instances: Api<K8sAsBackend> = Api::all(client.clone());
    let served = async || instances.list(&Default::default()).await.is_ok();
    crate::deploy::poll_until(what(), served).await
}

/// Starts an operator as a process called `operator`.
///
/// # Errors
/// If it does not start.
pub async fn start_operator(
    spec: &DeploySpec,
    options: &Options,
    supervisor: &Supervisor,
) -> Result<Child, DeployError> {
    let config = OperatorConfig {
        kubeconfig: spec.kubeconfig.clone(),
        namespace: None,
        reach: Reach::Annotated,
        certificates: CertificateConfig {
            shared_folder: Some(spec.work_dir.join("certificates")),
            ..options.certificates.clone()
        },
        die_after: options.die_after,
    };
    Ok(start(spec, supervisor, "operator", "operator", &config).await?.child)
}

async fn make_namespace(client: &Client, name: &str) -> Result<(), DeployError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    apply(&namespaces, MANAGER, name, &namespace).await
}

/// Says what is wanted of an instance; the operator makes it so.
async fn wish(
    client: &Client,
    namespace: &str,
    name: &str,
    wanted: &BackendSpec,
) -> Result<K8sAsBackend, DeployError> {
    let instances: Api<K8sAsBackend> = Api::namespaced(client.clone(), namespace);
    let object = json!({
        "apiVersion": K8sAsBackend::api_version(&()), "kind": K8sAsBackend::kind(&()),
        "metadata": { "name": name }, "spec": wanted,
    });
    let params = PatchParams::apply(MANAGER).force();
    let applied = instances.patch(name, &params, &Patch::Apply(&object)).await;
    applied.map_err(DeployError::api(format!("applying K8sAsBackend {namespace}/{name}")))
}

/// Waits until the operator has found the instance, as it is wanted now, to
/// be ready.
async fn await_ready(
    client: &Client,
    namespace: &str,
    name: &str,
    standin: &StandIn,
) -> Result<K8sAsBackend, DeployError> {
    let instances: Api<K8sAsBackend> = Api::namespaced(client.clone(), namespace);
    let ready = |backend: Option<&K8sAsBackend>| backend.is_some_and(K8sAsBackend::is_ready);
    let waiting = wait::await_condition(instances.clone(), name, ready);
    if let Ok(Ok(Some(backend))) = tokio::time::timeout(READY_WITHIN, waiting).await {
        return Ok(backend);
    }
    let why = match instances.get_opt(name).await {
        Ok(Some(backend)) => explanation(&backend, standin),
        Ok(None) => "there is no such instance".to_owned(),
        Err(error) => format!("and its conditions cannot be read: {error}"),
    };
    Err(DeployError::NotReady {
        instance: format!("{namespace}/{name}"),
        within: READY_WITHIN,
        why,
    })
}

fn explanation(backend: &K8sAsBackend, standin: &StandIn) -> String {
    let conditions = backend.status.iter().flat_map(|status| &status.conditions);
    let mut said: Vec<String> = conditions
        .map(|condition| {
            let (type_, status) = (&condition.type_, &condition.status);
            format!("{type_} is {status} ({}) {}", condition.reason, condition.message)
        })
        .collect();
    if said.is_empty() {
        said.push("the operator has said nothing of it; does it run?".to_owned());
    }
    said.extend(standin.troubles());
    said.join("; ")
}

impl OperatorDeployed {
    /// Has an instance made, or changed, and waits until it is ready.
    ///
    /// # Errors
    /// If the apiserver refuses it, or it does not become ready.
    pub async fn make(
        &self,
        namespace: &str,
        name: &str,
        wanted: &BackendSpec,
    ) -> Result<K8sAsBackend, DeployError> {
        make_namespace(&self.client, namespace).await?;
        wish(&self.client, namespace, name, wanted).await?;
        await_ready(&self.client, namespace, name, &self.standin).await
    }

    /// Waits until an instance is ready.
    ///
    /// # Errors
    /// If it does not become that; its conditions are part of the error.
    pub async fn ready(&self, namespace: &str, name: &str) -> Result<K8sAsBackend, DeployError> {
        await_ready(&self.client, namespace, name, &self.standin).await
    }

    /// Deletes an instance, and waits until it is gone: then the operator has
    /// deleted its objects, if it does that.
    ///
    /// # Errors
    /// If the apiserver refuses it, or it does not go.
    pub async fn delete_instance(&self, namespace: &str, name: &str) -> Result<(), DeployError> {
        let instances: Api<K8sAsBackend> = Api::namespaced(self.client.clone(), namespace);
        let found = instances.get_opt(name).await;
        let action = format!("deleting K8sAsBackend {namespace}/{name}");
        let Some(found) = found.map_err(DeployError::api(&action))? else { return Ok(()) };
        let deleted = instances.delete(name, &DeleteParams::default()).await;
        deleted.map_err(DeployError::api(&action))?;
        let uid = found.uid().unwrap_or_default();
        let gone = wait::conditions::is_deleted(&uid);
        let gone = wait::await_condition(instances.clone(), name, gone);
        match tokio::time::timeout(READY_WITHIN, gone).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(DeployError::InVain { what: format!("{namespace}/{name} is gone") }),
        }
    }

    /// Where the gateway of the first instance takes requests.
    pub fn gateway_url(&self) -> &str {
        let addresses = self.first.status.iter().flat_map(|status| &status.addresses);
        addresses.map(String::as_str).next().unwrap_or_default()
    }

    /// The same as an address; none if the instance says none that is one.
    pub fn gateway_address(&self) -> Option<SocketAddr> {
        self.gateway_url().strip_prefix("http://")?.trim_end_matches('/').parse().ok()
    }

    /// The namespace of the first instance.
    pub fn namespace(&self) -> &str {
        &self.spec.namespace
    }

    /// The operator's process.
    pub const fn operator(&self) -> &Child {
        &self.operator
    }

    /// Starts another operator in place of one that has ended.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart_operator(
        &mut self,
        options: &Options,
        supervisor: &Supervisor,
    ) -> Result<(), DeployError> {
        self.operator = start_operator(&self.spec, options, supervisor).await?;
        Ok(())
    }

    /// What stands in for its pods.
    pub const fn standin(&self) -> &StandIn {
        &self.standin
    }

    /// All containers of the first instance's namespace called `name`
    /// (`gateway`, `informer`, `webhook`) of `instance`.
    pub fn containers(&self, instance: &str, name: &str) -> Vec<Container> {
        let mut all = self.standin.containers();
        let of = |container: &Container| {
            let deployments = [format!("{instance}-app"), format!("{instance}-webhook")];
            deployments.contains(&container.deployment)
                && container.name == name
                && container.namespace == self.spec.namespace
        };
        all.retain(of);
        all
    }

    /// The process of one of them.
    pub fn child(&self, instance: &str, name: &str) -> Option<Child> {
        self.containers(instance, name).into_iter().next().map(|container| container.child)
    }

    /// Name and process id of the operator and of each container.
    pub fn pids(&self) -> Vec<(String, u32)> {
        let containers = self.standin.containers();
        let containers = containers.iter().map(|container| {
            (format!("{}/{}", container.pod, container.name), container.child.pid())
        });
        std::iter::once(("operator".to_owned(), self.operator.pid())).chain(containers).collect()
    }

    /// Stops the operator and all pods, each in order, `grace` at most. The
    /// objects stay.
    pub async fn stop(self, grace: Duration) {
        // First, or it would have the pods' ends told as trouble.
        self.operator.stop(grace).await;
        self.standin.stop(grace).await;
    }
}

impl fmt::Debug for OperatorDeployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("OperatorDeployed");
        shown.field("spec", &self.spec).field("pids", &self.pids()).finish_non_exhaustive()
    }
}

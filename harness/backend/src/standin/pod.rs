//! A pod: containers that start and end together.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::{join_all, select_all, try_join_all};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{self as core, PodSpec, ServiceAccount};
use kab_evidence::clock::Mono;
use kube::ResourceExt;
use kube::api::Api;

use super::container::{Process, Recipe};
use super::network::{Surroundings, local_path};
use super::{Container, Shared, StandInError, locked, volumes};
use crate::deploy::access::{kubeconfig, token};
use crate::deploy::write_json;

/// How long a container may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(5);

/// A pod of a Deployment.
#[derive(Debug)]
pub(super) struct Pod {
    name: String,
    namespace: String,
    deployment: String,
    /// Of which template it is.
    pub(super) template: String,
    dir: PathBuf,
    processes: Vec<Process>,
}

impl Pod {
    /// Runs a pod of `deployment`, and waits until it is ready.
    pub(super) async fn start(
        shared: &Shared,
        deployment: &Deployment,
        template: String,
    ) -> Result<Self, StandInError> {
        let (namespace, owner) =
            (deployment.namespace().unwrap_or_default(), deployment.name_any());
        let name = shared.next_pod(&owner);
        let dir = shared.spec.work_dir.join(&namespace).join(&name);
        let missing = || StandInError::Missing(format!("the pod template of {owner}"));
        let spec = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let spec = spec.ok_or_else(missing)?;
        let mut pod =
            Self { name, namespace, deployment: owner, template, dir, processes: Vec::new() };
        match pod.run(shared, spec).await {
            Ok(processes) => {
                pod.processes = processes;
                pod.show(shared);
                Ok(pod)
            }
            Err(error) => {
                volumes::discard(shared, &pod.dir);
                Err(error)
            }
        }
    }

    async fn run(&self, shared: &Shared, spec: &PodSpec) -> Result<Vec<Process>, StandInError> {
        let mut around = Surroundings { namespace: &self.namespace, ports: Vec::new() };
        for port in spec.containers.iter().flat_map(|container| container.ports.iter().flatten()) {
            let port = u16::try_from(port.container_port).unwrap_or_default();
            around.ports.push((port, shared.address(&self.namespace, &self.deployment, port)?));
        }
        let mounted = volumes::fill(shared, &around, spec, &self.dir).await?;
        let account = self.account(shared, spec).await?;
        let recipe = |container| self.recipe(shared, container, &mounted, account.as_ref());
        let recipes: Vec<Recipe> = spec.containers.iter().map(recipe).collect::<Result<_, _>>()?;
        let starting = recipes.into_iter().map(|recipe| Process::start(shared, recipe));
        let started = join_all(starting).await;
        let failed = started.iter().any(Result::is_err);
        if failed {
            let others = started.iter().flatten().map(|process| process.child.stop(GRACE));
            join_all(others).await;
        }
        started.into_iter().collect()
    }

    /// A kubeconfig with the token of the pod's account, if it is to have one.
    async fn account(
        &self,
        shared: &Shared,
        spec: &PodSpec,
    ) -> Result<Option<PathBuf>, StandInError> {
        if spec.automount_service_account_token == Some(false) {
            return Ok(None);
        }
        let account = spec.service_account_name.as_deref().unwrap_or("default");
        let accounts: Api<ServiceAccount> = Api::namespaced(shared.client.clone(), &self.namespace);
        let token = token(&accounts, account).await?;
        let path = self.dir.join("kubeconfig");
        let config = kubeconfig(&shared.spec.kubeconfig, &self.namespace, account, &token)?;
        write_json(&path, &config)?;
        Ok(Some(path))
    }

    fn recipe(
        &self,
        shared: &Shared,
        container: &core::Container,
        mounted: &[(String, PathBuf)],
        account: Option<&PathBuf>,
    ) -> Result<Recipe, StandInError> {
        let local = |arg: &String| local_path(arg, mounted).unwrap_or_else(|| arg.clone()).into();
        let mut env = Vec::new();
        for variable in container.env.iter().flatten() {
            env.push((variable.name.clone(), self.value(variable)?));
        }
        if let Some(account) = account {
            env.push(("KUBECONFIG".to_owned(), account.into()));
        }
        let log = format!("{}.{}.{}.log", self.namespace, self.name, container.name);
        Ok(Recipe {
            name: container.name.clone(),
            namespace: self.namespace.clone(),
            title: format!("{}/{}", self.name, container.name),
            args: container.args.iter().flatten().map(local).collect(),
            env,
            log: shared.spec.logs_dir.join(log),
        })
    }

    fn value(&self, variable: &core::EnvVar) -> Result<OsString, StandInError> {
        let field = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref());
        match (&variable.value, field.map(|field| field.field_path.as_str())) {
            (Some(value), _) => Ok(value.into()),
            (None, Some("metadata.name")) => Ok((&self.name).into()),
            (None, Some("metadata.namespace")) => Ok((&self.namespace).into()),
            _ => Err(StandInError::Beyond(format!(
                "variable {} has no value and is neither the pod's name nor its namespace",
                variable.name
            ))),
        }
    }

    /// Whether all of it runs.
    pub(super) fn is_ready(&self) -> bool {
        self.processes.iter().all(Process::runs)
    }

    /// When a container of it is to be started again, if one is.
    pub(super) fn due(&self) -> Option<Mono> {
        self.processes.iter().filter(|process| !process.runs()).map(Process::due).min()
    }

    /// Starts again whatever has ended and is due.
    pub(super) async fn restart(&mut self, shared: &Shared) -> Result<(), StandInError> {
        let due = |process: &&mut Process| !process.runs() && process.due() <= Mono::now();
        let restarts = self.processes.iter_mut().filter(due);
        let outcome = try_join_all(restarts.map(|process| process.restart(shared))).await;
        self.show(shared);
        outcome.map(drop)
    }

    /// Waits until a container that runs has ended.
    pub(super) async fn loses_one(&self) {
        let running = self.processes.iter().filter(|process| process.runs());
        let ends: Vec<_> = running.map(|process| Box::pin(process.child.ended())).collect();
        if ends.is_empty() {
            std::future::pending::<()>().await;
        }
        select_all(ends).await;
    }

    /// Ends it.
    pub(super) async fn stop(self, shared: &Shared) {
        join_all(self.processes.iter().map(|process| process.child.stop(GRACE))).await;
        locked(&shared.containers).remove(&self.name);
        volumes::discard(shared, &self.dir);
    }

    /// Lets others see its containers.
    fn show(&self, shared: &Shared) {
        let container = |process: &Process| Container {
            namespace: self.namespace.clone(),
            deployment: self.deployment.clone(),
            pod: self.name.clone(),
            name: process.recipe.name.clone(),
            child: process.child.clone(),
        };
        let containers = self.processes.iter().map(container).collect();
        locked(&shared.containers).insert(self.name.clone(), containers);
    }
}

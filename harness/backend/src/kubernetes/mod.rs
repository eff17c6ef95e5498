//! The systems that keep their entities in custom resources: as the origin
//! built it, and as well as Kubernetes allows today. What tells them apart are
//! the [`crate::defect`]s that they have, and how a write is judged.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kab_evidence::ledger::Outcome;
use kab_evidence::store::StoredEntity;
use kab_lab::process::{Child, Ended, Supervisor};
use kube::Client;
use kube::api::{Api, ListParams};

use crate::app::gateway;
use crate::app::gateway::messages::NewTodo;
use crate::app::informer::{self, InformerConfig};
use crate::defect::Defects;
use crate::deploy::access::grant;
use crate::deploy::process::start;
use crate::deploy::{DeployError, DeploySpec, again};
use crate::entity::Todo;
use objects::roles;

pub(crate) mod admission;
mod ground;
pub(crate) mod objects;
mod place;
mod teardown;

/// How many entities a page of [`Deployed::stored`] holds: client-go's own.
const PAGE: u32 = 500;

/// How long an app may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(5);

/// A system that is in place. Its processes end with the supervisor;
/// its objects stay until [`Deployed::teardown`].
pub struct Deployed {
    spec: DeploySpec,
    client: Client,
    informer_kubeconfig: PathBuf,
    gateway: SocketAddr,
    children: Vec<Child>,
    made: teardown::Made,
}

/// The field manager of one instance: two instances share cluster-wide
/// objects, and each keeps to its own part of them.
fn manager(spec: &DeploySpec) -> String {
    format!("kab-{}", spec.namespace)
}

impl fmt::Debug for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Deployed");
        shown.field("spec", &self.spec).field("gateway", &self.gateway);
        shown.field("pids", &self.pids()).finish_non_exhaustive()
    }
}

impl Deployed {
    /// The gateway's address.
    pub const fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// What is wrong with it.
    pub const fn defects(&self) -> &Defects {
        &self.spec.defects
    }

    /// The namespace of the system.
    pub fn namespace(&self) -> &str {
        &self.spec.namespace
    }

    /// Kubeconfig of account `index` for whoever asks the apiserver directly:
    /// an ordinary service account, so that the apiserver treats it as any
    /// other (administrators are exempt from priority and fairness).
    ///
    /// # Errors
    /// If the cluster refuses it.
    pub async fn load_account(&self, index: u16) -> Result<PathBuf, DeployError> {
        let (manager, name) = (manager(&self.spec), format!("load-{index}"));
        grant(&self.spec, &self.client, &manager, &name, roles::LOAD).await
    }

    /// The kubeconfig of an account that may only read and watch the entities:
    /// an ordinary service account, as that of a load.
    ///
    /// # Errors
    /// If the cluster refuses it.
    pub async fn watch_account(&self) -> Result<PathBuf, DeployError> {
        grant(&self.spec, &self.client, &manager(&self.spec), "watcher", roles::WATCHER).await
    }

    /// Stops the apps, each in order, `grace` at most; what they saw is then
    /// written out. How each ended, by name. The objects stay.
    pub async fn stop(self, grace: Duration) -> Vec<(String, Ended)> {
        let stops = self
            .children
            .iter()
            .map(|child| async { (child.name().to_owned(), child.stop(grace).await) });
        futures::future::join_all(stops).await
    }

    /// Where the gateway takes requests: `http://127.0.0.1:41001`.
    pub fn gateway_url(&self) -> String {
        format!("http://{}", self.gateway)
    }

    /// Starts the informer of subscriber `index`, which listens at
    /// `subscriber_url` (notifications go to `/api/todonotifications` below
    /// it), as `replicas` processes: `informer-<index>`, `informer-<index>-1`,
    /// and so on. When this returns, the watch of the first is established, and
    /// the others watch too, or wait to take its place. If there was an informer
    /// of that subscriber, this takes its place.
    ///
    /// # Errors
    /// If one does not start.
    pub async fn add_informer(
        &mut self,
        supervisor: &Supervisor,
        index: u32,
        replicas: u32,
        subscriber_url: &str,
    ) -> Result<(), DeployError> {
        let name = format!("{}informer-{index}", self.spec.prefix);
        let is_replica = |child: &Child| {
            child.name().strip_prefix(&name).is_some_and(|rest| {
                rest.is_empty() || rest.strip_prefix('-').is_some_and(|n| n.parse::<u32>().is_ok())
            })
        };
        let (before, others) = self.children.drain(..).partition(is_replica);
        self.children = others;
        let before: Vec<Child> = before;
        futures::future::join_all(before.iter().map(|child| child.stop(GRACE))).await;
        for replica in 0..replicas.max(1) {
            let config = InformerConfig {
                kubeconfig: self.informer_kubeconfig.clone(),
                namespace: self.spec.namespace.clone(),
                subscriber: index,
                subscriber_url: subscriber_url.to_owned(),
                identity: Some(informer::process_name(index, replica)),
                replica,
                defects: self.spec.defects.clone(),
                delivery: self.spec.limits.delivery,
            };
            let name = informer::process_name(index, replica);
            let running = start(&self.spec, supervisor, "informer", &name, &config).await?;
            self.children.push(running.child);
        }
        Ok(())
    }

    /// Everything the store holds now, read by the admin in consistent pages.
    ///
    /// # Errors
    /// If the apiserver does not give it.
    pub async fn stored(&self) -> Result<Vec<StoredEntity>, DeployError> {
        let todos: Api<Todo> = Api::namespaced(self.client.clone(), &self.spec.namespace);
        let mut stored = Vec::new();
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = todos.list(&page).await;
            let list = list.map_err(|e| DeployError::api("listing what is stored")(e))?;
            stored.extend(list.items.into_iter().map(entity));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page.continue_token = Some(token),
                None => return Ok(stored),
            }
        }
    }

    /// Name and process id of each app, also of those that have ended.
    pub fn pids(&self) -> Vec<(String, u32)> {
        self.children.iter().map(|child| (child.name().to_owned(), child.pid())).collect()
    }

    /// The process called `name`: `gateway`, `webhook`, `informer-0`,
    /// `informer-0-1`, ...
    pub fn child(&self, name: &str) -> Option<&Child> {
        self.children.get(again::place_of(&self.spec, &self.children, name)?)
    }

    /// The processes, also those that have ended.
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// Starts the process called `name` again, at the same address. When this
    /// returns, it is ready.
    ///
    /// # Errors
    /// If there was no such process, or it does not start.
    pub async fn restart(
        &mut self,
        supervisor: &Supervisor,
        name: &str,
    ) -> Result<(), DeployError> {
        again::restart(&self.spec, &mut self.children, supervisor, name).await
    }

    /// Kubeconfig of the service account of `app`: `gateway` or `informer`.
    pub fn app_account(&self, app: &str) -> PathBuf {
        self.spec.work_dir.join(format!("{app}.kubeconfig"))
    }

    /// What a client of the naive gateway can conclude from the status of its
    /// answer to a write.
    pub const fn classify(status: u16) -> Outcome {
        gateway::classify(true, status)
    }

    /// Path of the gateway that a create is posted to.
    pub const CREATE_PATH: &str = gateway::TODO_PATH;

    /// Body of the request that creates a Todo: `code` becomes its name and
    /// must be a DNS subdomain, `when` is RFC 3339.
    pub fn create_request(&self, code: &str, message: &str, when: &str) -> Vec<u8> {
        let new = NewTodo { code: code.into(), message: message.into(), when: when.into() };
        // Three texts: this cannot fail.
        serde_json::to_vec(&new).unwrap_or_default()
    }
}

fn entity(todo: Todo) -> StoredEntity {
    StoredEntity {
        op: todo.op(),
        name: todo.metadata.name.unwrap_or_default(),
        uid: todo.metadata.uid.unwrap_or_default(),
        rv: todo.metadata.resource_version.unwrap_or_default(),
    }
}

//! The systems that keep their entities in custom resources: as the origin
//! built it, and as well as Kubernetes allows today. What tells them apart are
//! the [`crate::defect`]s that they have, and how a write is judged.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kab_evidence::ledger::Outcome;
use kab_evidence::store::StoredEntity;
use kab_lab::process::{Child, Ended, Supervisor};
use kube::Client;
use kube::api::{Api, ListParams};

use crate::app::gateway::GatewayConfig;
use crate::app::gateway::messages::NewTodo;
use crate::app::informer::InformerConfig;
use crate::app::webhook::WebhookConfig;
use crate::client::connect;
use crate::deploy::access::{Rule, grant};
use crate::deploy::process::{Running, start};
use crate::deploy::{DeployError, DeploySpec, apply, await_served, certificate, write_private};
use crate::entity::{CRD_NAME, GROUP, PLURAL, Todo};

pub(crate) mod admission;
mod teardown;

/// How many entities a page of [`Deployed::stored`] holds: client-go's own.
const PAGE: u32 = 500;

/// How long an app may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(5);

/// What the gateway may do. The origin binds its apps to `cluster-admin`
/// (defect 1). The lab does not, for now: this is the place to bring that
/// back, as a switch, when a scenario is about it.
pub(crate) const GATEWAY: &[Rule] =
    &[Rule { group: GROUP, resource: PLURAL, verbs: &["create", "get", "list"] }];

/// What an informer may do: see [`GATEWAY`].
pub(crate) const INFORMER: &[Rule] = &[
    Rule { group: GROUP, resource: PLURAL, verbs: &["get", "list", "watch"] },
    Rule { group: "", resource: "events", verbs: &["create"] },
];

/// What the accounts of a load may do: everything that its operations need.
const LOAD: &[Rule] = &[
    Rule { group: GROUP, resource: PLURAL, verbs: EVERYTHING },
    Rule { group: "", resource: "configmaps", verbs: EVERYTHING },
    Rule { group: "coordination.k8s.io", resource: "leases", verbs: EVERYTHING },
];
const EVERYTHING: &[&str] = &["create", "get", "list", "watch", "update", "patch", "delete"];

/// What bare watchers may do.
const WATCHER: &[Rule] =
    &[Rule { group: GROUP, resource: PLURAL, verbs: &["get", "list", "watch"] }];

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

impl Deployed {
    /// Puts a system into a cluster: gateway and webhook, the latter in
    /// force. Informers come with their subscribers, by [`Deployed::add_informer`].
    ///
    /// # Errors
    /// If the cluster refuses something, an app does not start, or the webhook
    /// does not come into force. What was made until then stays.
    pub async fn deploy(spec: &DeploySpec, supervisor: &Supervisor) -> Result<Self, DeployError> {
        let client = connect(&spec.kubeconfig).await?;
        let manager = manager(spec);
        let made = make_ground(spec, &client, &manager).await?;
        let (gateway_access, informer_kubeconfig, ()) = tokio::try_join!(
            grant(spec, &client, &manager, "gateway", GATEWAY),
            grant(spec, &client, &manager, "informer", INFORMER),
            await_served(&client, &spec.namespace),
        )?;
        let gateway = start_gateway(spec, supervisor, gateway_access).await?;
        let gateway_address = gateway.address()?;
        let (webhook, authority) = start_webhook(spec, supervisor, gateway_address).await?;
        admission::register(spec, &client, &manager, webhook.address()?, &authority).await?;
        admission::await_in_force(spec, &client, webhook.child.pid()).await?;
        Ok(Self {
            spec: spec.clone(),
            client,
            informer_kubeconfig,
            gateway: gateway_address,
            children: vec![gateway.child, webhook.child],
            made,
        })
    }
}

/// The field manager of one instance: two instances share cluster-wide
/// objects, and each keeps to its own part of them.
fn manager(spec: &DeploySpec) -> String {
    format!("kab-{}", spec.namespace)
}

/// Namespace and definition; which of them were not there before.
async fn make_ground(
    spec: &DeploySpec,
    client: &Client,
    manager: &str,
) -> Result<teardown::Made, DeployError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = &spec.namespace;
    let namespace = serde_json::json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name },
    });
    let (had_namespace, had_definition) =
        tokio::try_join!(namespaces.get_metadata_opt(name), definitions.get_metadata_opt(CRD_NAME))
            .map_err(|e| DeployError::api("looking for what is there already")(e))?;
    let definition = definition();
    tokio::try_join!(
        apply(&namespaces, manager, name, &namespace),
        apply(&definitions, manager, CRD_NAME, &definition),
    )?;
    Ok(teardown::Made { namespace: had_namespace.is_none(), definition: had_definition.is_none() })
}

/// The Todo's definition. The origin's has no schema (defect 2); today's API
/// wants one, and this is the one that says nothing.
pub(crate) fn definition() -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": CRD_NAME },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "plural": PLURAL, "singular": "todo",
                "kind": crate::entity::KIND, "listKind": "TodoList",
            },
            "versions": [{
                "name": crate::entity::VERSION, "served": true, "storage": true,
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                } },
            }],
        },
    })
}

async fn start_gateway(
    spec: &DeploySpec,
    supervisor: &Supervisor,
    kubeconfig: PathBuf,
) -> Result<Running, DeployError> {
    let config = GatewayConfig {
        kubeconfig,
        namespace: spec.namespace.clone(),
        pod_name: "gateway-0".to_owned(),
        listen: crate::app::any_loopback_port(),
    };
    start(spec, supervisor, "gateway", "gateway", &config).await
}

/// Starts the webhook; and the PEM of the authority that signed its
/// certificate, made for this instance alone (the origin shares certificates
/// between instances: defect 15 is left out).
async fn start_webhook(
    spec: &DeploySpec,
    supervisor: &Supervisor,
    gateway: SocketAddr,
) -> Result<(Running, String), DeployError> {
    let made = certificate::for_loopback(&format!("webhook of {}", spec.namespace))?;
    let config = WebhookConfig {
        gateway_url: format!("http://{gateway}"),
        certificate: spec.work_dir.join("webhook.crt"),
        key: spec.work_dir.join("webhook.key"),
        listen: crate::app::any_loopback_port(),
    };
    write_private(&config.certificate, made.certificate.as_bytes())?;
    write_private(&config.key, made.key.as_bytes())?;
    let running = start(spec, supervisor, "webhook", "webhook", &config).await?;
    Ok((running, made.authority))
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
        grant(&self.spec, &self.client, &manager, &name, LOAD).await
    }

    /// The kubeconfig of an account that may only read and watch the entities:
    /// an ordinary service account, as that of a load.
    ///
    /// # Errors
    /// If the cluster refuses it.
    pub async fn watch_account(&self) -> Result<PathBuf, DeployError> {
        grant(&self.spec, &self.client, &manager(&self.spec), "watcher", WATCHER).await
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

    /// Starts the informer of subscriber `index`, which listens at `subscriber_url`
    /// (notifications go to `/api/todonotifications` below it). When this
    /// returns, its watch is established. If there was an informer of that
    /// subscriber, this takes its place: then everything is announced anew.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn add_informer(
        &mut self,
        supervisor: &Supervisor,
        index: u32,
        subscriber_url: &str,
    ) -> Result<(), DeployError> {
        let name = format!("informer-{index}");
        if let Some(place) = self.children.iter().position(|child| child.name() == name) {
            self.children.swap_remove(place).stop(GRACE).await;
        }
        let config = InformerConfig {
            kubeconfig: self.informer_kubeconfig.clone(),
            namespace: self.spec.namespace.clone(),
            subscriber: index,
            subscriber_url: subscriber_url.to_owned(),
        };
        let running = start(&self.spec, supervisor, "informer", &name, &config).await?;
        self.children.push(running.child);
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

    /// The process called `name`: `gateway`, `webhook`, `informer-0`, ...
    pub fn child(&self, name: &str) -> Option<&Child> {
        self.children.iter().find(|child| child.name() == name)
    }

    /// What a client of the gateway can conclude from the status of its answer
    /// to a write.
    ///
    /// The naive gateway answers 400 to every failure, also to those after
    /// which the write may have been stored: a lost connection, a timeout
    /// (defect 11). So 400 leaves everything open.
    pub const fn classify(status: u16) -> Outcome {
        match status {
            200..=299 => Outcome::Ok,
            // The gateway's router, which comes before any write.
            404 | 405 | 413 | 414 | 415 | 431 => Outcome::Failed,
            _ => Outcome::Indeterminate,
        }
    }

    /// Path of the gateway that a create is posted to.
    pub const CREATE_PATH: &str = "/api/todo";

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

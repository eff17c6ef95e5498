//! The server that all tools are tried on: a control plane of the lab's, the
//! Todo resource, and one ordinary service account for everybody.

use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kab_backend::client::connect;
use kab_backend::deploy::access::{Rule, grant};
use kab_backend::deploy::{DeployError, DeploySpec, Limits, apply, await_served};
use kab_backend::entity::{CRD_NAME, GROUP, KIND, PLURAL, Todo, VERSION};
use kab_backend::system::Variant;
use kab_calibrate::null::NullServer;
use kab_lab::assets::Assets;
use kab_lab::local::{LabError, Local, LocalSpec};
use kab_lab::process::Supervisor;
use kab_lab::progress::Progress;
use kube::Client;
use kube::api::{Api, ListParams};
use kube::config::Kubeconfig;

use crate::worker::Target;

/// The namespace of all entities.
const NAMESPACE: &str = "bench";

/// What the account may do. It is no administrator: those are exempt from
/// priority and fairness, and no load in use is.
const RULES: &[Rule] = &[Rule {
    group: GROUP,
    resource: PLURAL,
    verbs: &["create", "get", "list", "watch", "patch", "delete"],
}];

/// A server could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The control plane.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The resource or the account.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// The client.
    #[error(transparent)]
    Client(#[from] kab_backend::client::ClientError),
    /// The account's kubeconfig has no token.
    #[error("the kubeconfig at {} has no token in it", .0.display())]
    NoToken(PathBuf),
    /// A file could not be written.
    #[error("writing {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// A server that is ready.
pub struct Stage {
    /// The control plane.
    pub local: Local,
    /// Where the tools are sent.
    pub site: Site,
}

/// Where tools are sent, and as whom.
pub struct Site {
    /// URL of the collection.
    pub url: String,
    /// The account's token, if one is needed.
    pub token: Option<String>,
    /// A create's body, with `generateName`, as a file.
    pub body: PathBuf,
    /// The same for kab.
    pub target: Target,
    /// The server's processes.
    pub pids: Vec<u32>,
    /// Who counts the entities; nobody on a server that keeps none.
    client: Option<Client>,
}

impl Site {
    /// The kubeconfig of the account, if there is one.
    pub fn kubeconfig(&self) -> Option<&Path> {
        match &self.target {
            Target::Cluster { kubeconfig, .. } => Some(kubeconfig),
            Target::Null { .. } => None,
        }
    }

    /// The null server's site; its files are in `dir`.
    ///
    /// # Errors
    /// If the body cannot be written.
    pub fn null(server: &NullServer, dir: &Path) -> Result<Self, StageError> {
        let ready = server.ready();
        let body = dir.join("body.json");
        std::fs::write(&body, new_todo())
            .map_err(|source| StageError::File { path: body.clone(), source })?;
        let address = ready.address;
        Ok(Self {
            url: format!(
                "https://{address}/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}"
            ),
            token: None,
            body,
            target: Target::Null {
                address,
                ca: ready.ca.clone().unwrap_or_default(),
                namespace: NAMESPACE.to_owned(),
            },
            pids: vec![server.pid()],
            client: None,
        })
    }

    /// How many entities there are; none if nobody counts them.
    pub async fn entities(&self) -> Option<u64> {
        let todos: Api<Todo> = Api::namespaced(self.client.clone()?, NAMESPACE);
        let list = todos.list(&ListParams::default().limit(1)).await.ok()?;
        let here = list.items.len() as u64;
        Some(here + u64::try_from(list.metadata.remaining_item_count.unwrap_or(0)).unwrap_or(0))
    }
}

impl Stage {
    /// Sets one up, with its files in `dir`.
    ///
    /// # Errors
    /// If any part of it does not come up.
    pub async fn set(
        assets: &Assets,
        dir: &Path,
        supervisor: &Supervisor,
        progress: &dyn Progress,
    ) -> Result<Self, StageError> {
        let local = Local::start(&LocalSpec::default(), assets, dir, supervisor, progress).await?;
        let client = connect(local.kubeconfig()).await?;
        let spec = DeploySpec {
            variant: Variant::Naive,
            defects: Variant::Naive.defects(),
            limits: Limits::default(),
            kubeconfig: local.kubeconfig().to_owned(),
            namespace: NAMESPACE.to_owned(),
            prefix: String::new(),
            program: PathBuf::new(),
            leading_args: Vec::new(),
            work_dir: dir.join("bench"),
            spans_dir: dir.join("bench"),
            logs_dir: dir.join("bench"),
        };
        let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(client.clone());
        let namespace = serde_json::json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE },
        });
        apply(&namespaces, "kab-bench", NAMESPACE, &namespace).await?;
        let definitions = Api::<CustomResourceDefinition>::all(client.clone());
        apply(&definitions, "kab-bench", CRD_NAME, &definition()).await?;
        await_served(&client, NAMESPACE).await?;
        let kubeconfig = grant(&spec, &client, "kab-bench", "bench", RULES).await?;
        let token = token(&kubeconfig)?;
        let url =
            format!("{}/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}", local.server());
        let body = dir.join("bench/body.json");
        std::fs::write(&body, new_todo())
            .map_err(|source| StageError::File { path: body.clone(), source })?;
        let site = Site {
            url,
            token: Some(token),
            body,
            target: Target::Cluster { kubeconfig, namespace: NAMESPACE.to_owned() },
            pids: local.pids().into_values().collect(),
            client: Some(client),
        };
        Ok(Self { local, site })
    }
}

fn token(kubeconfig: &Path) -> Result<String, StageError> {
    use secrecy::ExposeSecret;
    let read = Kubeconfig::read_from(kubeconfig).ok();
    let user = read.and_then(|config| config.auth_infos.into_iter().next()?.auth_info);
    let token = user.and_then(|user| user.token.map(|token| token.expose_secret().to_owned()));
    token.ok_or_else(|| StageError::NoToken(kubeconfig.to_owned()))
}

/// A Todo with a structural schema: what its own application would have.
fn definition() -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": CRD_NAME },
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {
                "plural": PLURAL, "singular": "todo", "kind": KIND, "listKind": "TodoList",
            },
            "versions": [{
                "name": VERSION, "served": true, "storage": true,
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": { "spec": {
                        "type": "object",
                        "properties": {
                            "message": { "type": "string" }, "when": { "type": "string" },
                        },
                    } },
                } },
            }],
        },
    })
}

fn new_todo() -> String {
    serde_json::json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND,
        "metadata": {
            "generateName": "peer-",
            "annotations": { "kab.dev/op": "0123456789abcdef0123456789abcdef" },
        },
        "spec": { "message": "m".repeat(crate::task::SIZE), "when": "2030-01-01T00:00:00Z" },
    })
    .to_string()
}

//! What the tests stand on: one control plane for all of them, a namespace for
//! each, writes with a ledger, and the oracle over what watchers saw.

// Helpers of tests are tests, to everybody but clippy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs)]

pub mod proxy;

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use kab_backend::client::{connect, install_tls_provider};
use kab_evidence::clock::Mono;
use kab_evidence::folder::{CellFolder, RunFolder};
use kab_evidence::id::{OP_ANNOTATION, OpId};
use kab_evidence::join::Joined;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
use kab_lab::assets::Finder;
use kab_lab::local::{Local, LocalSpec};
use kab_lab::process::Supervisor;
use kab_lab::progress::Silent;
use kab_verdict::watch::{self, Guarantee, Watch};
use kab_watch::WatchSpec;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::json;
use tokio::sync::Mutex;

/// Far beyond what anything here takes: only a test that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

struct Plane {
    local: Local,
    _supervisor: Supervisor,
    _dir: tempfile::TempDir,
}

/// The control plane that the running tests share.
static PLANE: Mutex<Weak<Plane>> = Mutex::const_new(Weak::new());

async fn plane() -> Arc<Plane> {
    let mut shared = PLANE.lock().await;
    if let Some(plane) = shared.upgrade() {
        return plane;
    }
    install_tls_provider();
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new().unwrap();
    let assets = Finder::from_env(Vec::new()).unwrap().find(false, &Silent).unwrap();
    let local = LocalSpec::default();
    let local = Local::start(&local, &assets, dir.path(), &supervisor, &Silent).await.unwrap();
    let plane = Arc::new(Plane { local, _supervisor: supervisor, _dir: dir });
    define(&connect(plane.local.kubeconfig()).await.unwrap()).await;
    *shared = Arc::downgrade(&plane);
    plane
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// Makes the Todo's definition, and waits until it is served.
async fn define(client: &kube::Client) {
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "todos.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": { "plural": "todos", "singular": "todo", "kind": "Todo", "listKind": "TodoList" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true }
            } }],
        },
    });
    let kind = "CustomResourceDefinition";
    let crds = resource("apiextensions.k8s.io", "v1", kind, "customresourcedefinitions");
    let crds: Api<DynamicObject> = Api::all_with(client.clone(), &crds);
    let params = PatchParams::apply("test").force();
    crds.patch("todos.example.com", &params, &Patch::Apply(&crd)).await.unwrap();
    let todos: Api<DynamicObject> =
        Api::all_with(client.clone(), &resource("example.com", "v1", "Todo", "todos"));
    let served = async {
        while todos.list(&Default::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, served).await.unwrap();
}

/// A namespace with Todos, and the evidence of what is done to them.
pub struct Scene {
    pub client: kube::Client,
    pub kubeconfig: std::path::PathBuf,
    pub cell: CellFolder,
    namespace: String,
    ledger: Option<JsonlWriter<OpRecord>>,
    ops: Vec<OpId>,
    _dir: tempfile::TempDir,
    _plane: Arc<Plane>,
}

impl Scene {
    pub async fn new(namespace: &str) -> Self {
        let plane = plane().await;
        let client = connect(plane.local.kubeconfig()).await.unwrap();
        let namespaces: Api<DynamicObject> =
            Api::all_with(client.clone(), &resource("", "v1", "Namespace", "namespaces"));
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace },
        });
        let object = serde_json::from_value(object).unwrap();
        namespaces.create(&PostParams::default(), &object).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let cell = RunFolder::create(dir.path()).unwrap().cell("naive");
        let ledger = Some(JsonlWriter::append_to(&cell.ops_path()).unwrap());
        Self {
            client,
            kubeconfig: plane.local.kubeconfig().to_owned(),
            cell,
            namespace: namespace.to_owned(),
            ledger,
            ops: Vec::new(),
            _dir: dir,
            _plane: plane,
        }
    }

    pub fn spec(&self, step: &str, count: u32) -> WatchSpec {
        WatchSpec {
            step: step.to_owned(),
            watch_dir: self.cell.watch_dir(),
            group: "example.com".into(),
            version: "v1".into(),
            plural: "todos".into(),
            kind: "Todo".into(),
            namespace: Some(self.namespace.clone()),
            count,
        }
    }

    /// All operations so far.
    pub fn ops(&self) -> &[OpId] {
        &self.ops
    }

    /// Creates `count` Todos one after the other, and writes them down.
    pub async fn create(&mut self, count: usize) {
        let todos = resource("example.com", "v1", "Todo", "todos");
        let todos: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &todos);
        for _ in 0..count {
            let op = OpId::new(5, self.ops.len() as u64);
            let name = format!("todo-{}", self.ops.len());
            let object = json!({
                "apiVersion": "example.com/v1", "kind": "Todo",
                "metadata": { "name": name, "annotations": { OP_ANNOTATION: op.to_string() } },
                "spec": { "message": "x".repeat(700) },
            });
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            let sent = Mono::now();
            let made = todos.create(&PostParams::default(), &object).await.unwrap();
            self.ledger.as_ref().unwrap().append(OpRecord {
                op,
                step: "write".into(),
                kind: OpKind::Create,
                key: Some(name),
                intended: sent,
                sent: Some(sent),
                done: Some(Mono::now()),
                outcome: Outcome::Ok,
                class: "http-201".into(),
                uid: made.metadata.uid,
                rv: made.metadata.resource_version,
                bytes_out: 0,
                bytes_in: 0,
                detail: None,
            });
            self.ops.push(op);
        }
    }

    /// What the oracle says. The watchers must have been stopped.
    pub fn judge(&mut self) -> Watch {
        self.ledger.take().unwrap().finish().unwrap();
        watch::read(&self.cell, &Joined::read(&self.cell).unwrap()).unwrap().unwrap()
    }
}

pub fn broken(watch: &Watch) -> BTreeSet<Guarantee> {
    watch.broken().map(|result| result.guarantee).collect()
}

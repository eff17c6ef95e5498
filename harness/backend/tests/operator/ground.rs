//! What the operator's tests stand on: one control plane for all of them, one
//! test at a time on it (the Todo's definition is the whole cluster's), and
//! ways to look at a cluster that are not the operator's own.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::events::v1::Event;
use kab_backend::app::operator::{
    CertificateConfig, INSTANCE_LABEL, K8sAsBackend, NAMESPACE_LABEL,
};
use kab_backend::client::{connect, install_tls_provider};
use kab_backend::defect::Defects;
use kab_backend::deploy::{DeploySpec, Limits};
use kab_backend::operator::{OperatorDeployed, Options, deploy_with, instance};
use kab_backend::system::Variant;
use kab_evidence::id::{OpId, TRACEPARENT};
use kab_evidence::jsonl;
use kab_evidence::span::Span;
use kab_lab::assets::Finder;
use kab_lab::local::{Local, LocalSpec};
use kab_lab::process::Supervisor;
use kab_lab::progress::Silent;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::discovery::verbs;
use kube::discovery::Discovery;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// Far beyond what anything here takes: only a test that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A control plane. It ends, and its files go, with the last test that has it.
struct Plane {
    local: Local,
    /// A test has failed on it, and may have left anything.
    spoilt: AtomicBool,
    _supervisor: Supervisor,
    _dir: tempfile::TempDir,
}

/// The control plane that the running tests share...
static PLANE: Mutex<Weak<Plane>> = Mutex::const_new(Weak::new());
/// ... and whose turn it is.
static TURN: Mutex<()> = Mutex::const_new(());

async fn plane() -> Arc<Plane> {
    let mut shared = PLANE.lock().await;
    if let Some(plane) = shared.upgrade()
        && !plane.spoilt.load(Ordering::Relaxed)
    {
        return plane;
    }
    install_tls_provider();
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new().unwrap();
    let assets = Finder::from_env(Vec::new()).unwrap().find(false, &Silent).unwrap();
    let local = LocalSpec::default();
    let local = Local::start(&local, &assets, dir.path(), &supervisor, &Silent).await.unwrap();
    let plane = Arc::new(Plane {
        local,
        spoilt: AtomicBool::new(false),
        _supervisor: supervisor,
        _dir: dir,
    });
    *shared = Arc::downgrade(&plane);
    plane
}

/// A namespace of a test's own, in a cluster that it has to itself.
pub struct Ground {
    pub spec: DeploySpec,
    pub admin: Client,
    pub supervisor: Supervisor,
    _dir: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
    plane: Arc<Plane>,
}

impl Drop for Ground {
    /// What a test that fails leaves would make the others fail.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.plane.spoilt.store(true, Ordering::Relaxed);
        }
    }
}

impl Ground {
    pub async fn new(namespace: &str, variant: Variant, defects: Defects) -> Self {
        // Had while it waits, or it would end with the test before.
        let waiting = plane().await;
        let turn = TURN.lock().await;
        let plane = plane().await;
        drop(waiting);
        let dir = tempfile::tempdir().unwrap();
        let spec = DeploySpec {
            kubeconfig: plane.local.kubeconfig().to_owned(),
            variant,
            defects,
            namespace: namespace.to_owned(),
            program: env!("CARGO_BIN_EXE_kab-app").into(),
            leading_args: Vec::new(),
            work_dir: dir.path().join("work"),
            spans_dir: dir.path().join("spans"),
            logs_dir: dir.path().join("logs"),
            limits: Limits::default(),
            prefix: String::new(),
        };
        let admin = connect(plane.local.kubeconfig()).await.unwrap();
        let supervisor = Supervisor::new().unwrap();
        Self { spec, admin, supervisor, _dir: dir, _turn: turn, plane }
    }

    /// With an operator and a first instance that is ready.
    pub async fn deploy(&self) -> OperatorDeployed {
        self.deploy_with(&Options::default()).await
    }

    pub async fn deploy_with(&self, options: &Options) -> OperatorDeployed {
        let first = instance(&self.spec);
        match deploy_with(&self.spec, options, &first, &self.supervisor).await {
            Ok(deployed) => deployed,
            Err(error) => panic!("{error}\n{}", self.logs()),
        }
    }

    /// What all processes have printed, for tests that fail.
    pub fn logs(&self) -> String {
        let files = std::fs::read_dir(&self.spec.logs_dir).into_iter().flatten().flatten();
        let text = |path: std::path::PathBuf| {
            format!("{}:\n{}", path.display(), std::fs::read_to_string(&path).unwrap_or_default())
        };
        files.map(|file| text(file.path())).collect::<Vec<_>>().join("\n")
    }

    /// The objects called `plural` in this ground's namespace, or the cluster's.
    pub async fn api(&self, group: &str, plural: &str) -> Api<DynamicObject> {
        let group = kube::discovery::group(&self.admin, group).await.unwrap();
        let resources = group.recommended_resources();
        let (resource, capabilities) =
            resources.into_iter().find(|(resource, _)| resource.plural == plural).unwrap();
        match capabilities.scope {
            kube::discovery::Scope::Cluster => Api::all_with(self.admin.clone(), &resource),
            kube::discovery::Scope::Namespaced => {
                Api::namespaced_with(self.admin.clone(), &self.spec.namespace, &resource)
            }
        }
    }

    /// Everything of an instance that the cluster has, of whatever kind, as
    /// `Kind name`, sorted.
    pub async fn everything_of(&self, namespace: &str, name: &str) -> Vec<String> {
        let labels = format!("{INSTANCE_LABEL}={name},{NAMESPACE_LABEL}={namespace}");
        // A kind that is just being withdrawn is still told of, but not there.
        let found = async {
            loop {
                match self.find(&labels).await {
                    Ok(found) => return found,
                    Err(kube::Error::Api(status)) if status.code == 404 => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("discovery settles")
    }

    async fn find(&self, labels: &str) -> Result<Vec<String>, kube::Error> {
        let params = ListParams::default().labels(labels);
        let discovery = Discovery::new(self.admin.clone()).run().await?;
        let mut found = Vec::new();
        for group in discovery.groups() {
            for (resource, capabilities) in group.recommended_resources() {
                if !capabilities.supports_operation(verbs::LIST) {
                    continue;
                }
                let all: Api<DynamicObject> = Api::all_with(self.admin.clone(), &resource);
                for object in all.list_metadata(&params).await? {
                    found.push(format!("{} {}", resource.kind, object.name_any()));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Waits until the object called `name` is there and as `is_so` says.
    pub async fn becomes(
        &self,
        api: &Api<DynamicObject>,
        name: &str,
        what: &str,
        is_so: impl Fn(&DynamicObject) -> bool,
    ) -> DynamicObject {
        let mut states = pin!(kube::runtime::watcher::watch_object(api.clone(), name));
        let found = async {
            while let Some(state) = states.try_next().await.unwrap() {
                if let Some(object) = state
                    && is_so(&object)
                {
                    return object;
                }
            }
            panic!("the watch ended")
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(object) => object,
            Err(_) => panic!("{name} did not become {what}\n{}", self.logs()),
        }
    }

    /// Waits until an Event with this reason says `part` of the note.
    pub async fn told(&self, reason: &str, part: &str) -> Event {
        self.told_of(reason, part, None).await
    }

    /// The same of the object with this UID: another of its name is not it.
    pub async fn told_of(&self, reason: &str, part: &str, uid: Option<&str>) -> Event {
        let events: Api<Event> = Api::namespaced(self.admin.clone(), &self.spec.namespace);
        let mut events = pin!(watcher(events, watcher::Config::default()).applied_objects());
        let found = async {
            while let Some(event) = events.next().await {
                let event = event.unwrap();
                let says = event.note.as_ref().is_some_and(|note| note.contains(part));
                let related = event.related.as_ref().and_then(|related| related.uid.as_deref());
                let of = uid.is_none() || related == uid;
                if event.reason.as_deref() == Some(reason) && says && of {
                    return event;
                }
            }
            panic!("the watch ended")
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(event) => event,
            Err(_) => {
                let all = self.notes().await.join("\n");
                panic!("no Event {reason} of {uid:?} says {part}, but\n{all}\n{}", self.logs())
            }
        }
    }

    /// All Events with this reason so far.
    pub async fn events(&self, reason: &str) -> Vec<Event> {
        let mut events = self.all_events().await;
        events.retain(|event| event.reason.as_deref() == Some(reason));
        events
    }

    async fn all_events(&self) -> Vec<Event> {
        let events: Api<Event> = Api::namespaced(self.admin.clone(), &self.spec.namespace);
        events.list(&ListParams::default()).await.unwrap().items
    }

    /// What all Events say, for tests that fail.
    async fn notes(&self) -> Vec<String> {
        let note = |event: Event| {
            let uid = event.related.and_then(|related| related.uid);
            let (reason, note) = (event.reason.unwrap_or_default(), event.note.unwrap_or_default());
            format!("{reason} of {uid:?}: {note}")
        };
        self.all_events().await.into_iter().map(note).collect()
    }

    /// All spans of processes called `name`, of those that have ended.
    pub fn spans(&self, name: &str) -> Vec<Span> {
        let files = std::fs::read_dir(&self.spec.spans_dir).into_iter().flatten().flatten();
        let ours = files.map(|file| file.path()).filter(|path| {
            path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-"))
        });
        ours.flat_map(|path| jsonl::read(&path).unwrap().values).collect()
    }
}

/// Certificates that are changed every few seconds.
pub fn hasty() -> CertificateConfig {
    CertificateConfig { rotate_after_seconds: 2, settle_seconds: 1, shared_folder: None }
}

/// Creates a Todo through a gateway.
pub async fn create(gateway: &str, code: &str, message: &str, op: OpId) -> (StatusCode, Value) {
    let todo = json!({ "code": code, "message": message, "when": "2030-01-02T03:04:05Z" });
    let request = http::Request::post(format!("{gateway}/api/todo"))
        .header(TRACEPARENT, op.traceparent())
        .body(Full::<bytes::Bytes>::from(todo.to_string()))
        .unwrap();
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Where an instance's gateway is.
pub fn gateway(backend: &K8sAsBackend) -> String {
    backend.status.as_ref().unwrap().addresses[0].clone()
}

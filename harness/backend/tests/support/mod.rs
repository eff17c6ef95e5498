//! What the tests stand on: a control plane for all of them that have the same
//! definition, instances of a system in namespaces of their own, and a
//! subscriber that tells what it got.

// Helpers of tests are tests, to everybody but clippy.
// Not every test needs every one.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use futures::StreamExt;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;
use kab_backend::client::{connect, install_tls_provider};
use kab_backend::defect::{Defect, Defects};
use kab_backend::deploy::{DeploySpec, Limits};
use kab_backend::entity::Todo;
use kab_backend::kubernetes::Deployed;
use kab_backend::system::Variant;
use kab_evidence::id::{OpId, RESOURCE_VERSION, TRACEPARENT};
use kab_evidence::jsonl;
use kab_evidence::span::Span;
use kab_lab::assets::Finder;
use kab_lab::local::{Local, LocalSpec};
use kab_lab::process::Supervisor;
use kab_lab::progress::Silent;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

/// Far beyond what anything here takes: only a test that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A control plane. It ends, and its files go, with the last test that has it.
pub struct Plane {
    local: Local,
    _supervisor: Supervisor,
    dir: tempfile::TempDir,
}

/// The control planes that the running tests share. The definition is the
/// whole cluster's, so that systems with a schema and systems without one
/// need clusters of their own; and those without a status a third.
static PLANES: Mutex<BTreeMap<Definition, Weak<Plane>>> = Mutex::const_new(BTreeMap::new());

/// What a definition depends on: schema, status.
type Definition = (bool, bool);

fn definition(defects: &Defects) -> Definition {
    let status = [Defect::NoSchema, Defect::NoRetry, Defect::ForgetfulReplicas];
    (!defects.has(Defect::NoSchema), !status.into_iter().all(|defect| defects.has(defect)))
}

async fn plane(system: &Of) -> Arc<Plane> {
    let mut shared = PLANES.lock().await;
    let key = definition(&system.defects);
    if let Some(plane) = shared.get(&key).and_then(Weak::upgrade) {
        return plane;
    }
    install_tls_provider();
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new().unwrap();
    let assets = Finder::from_env(Vec::new()).unwrap().find(false, &Silent).unwrap();
    let local = LocalSpec::default();
    let local = Local::start(&local, &assets, dir.path(), &supervisor, &Silent).await.unwrap();
    let plane = Arc::new(Plane { local, _supervisor: supervisor, dir });
    // It makes the definition, so no other instance takes that down. Its own
    // webhook goes, and stays registered: if others are asked as well, none
    // may be in the way.
    let first = Of {
        defects: system.defects.clone().with(Defect::FailOpen, true),
        variant: system.variant,
        limits: system.limits.clone(),
    };
    let first = spec(&plane, &first, "first", plane.dir.path());
    Deployed::deploy(&first, &Supervisor::new().unwrap()).await.unwrap();
    shared.insert(key, Arc::downgrade(&plane));
    plane
}

/// Keeps up the control plane for a system, as long as the answer lives.
pub async fn keep_up(system: &Of) -> impl Sized + use<> {
    plane(system).await
}

/// Which system.
#[derive(Debug, Clone)]
pub struct Of {
    pub variant: Variant,
    pub defects: Defects,
    pub limits: Limits,
}

impl Of {
    /// As it is.
    pub fn variant(variant: Variant) -> Self {
        Self { variant, defects: variant.defects(), limits: Limits::default() }
    }

    /// With one defect switched on or off.
    pub fn with(mut self, defect: Defect, on: bool) -> Self {
        self.defects = self.defects.with(defect, on);
        self
    }

    /// With so many entities at most.
    pub fn entities(mut self, most: u64) -> Self {
        self.limits.entities = most;
        self
    }

    /// Whose informer gives up after so many tries, and soon.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.limits.delivery.attempts = attempts;
        self.limits.delivery.longest_pause_ms = 100;
        self
    }
}

fn spec(plane: &Plane, system: &Of, namespace: &str, dir: &Path) -> DeploySpec {
    DeploySpec {
        kubeconfig: plane.local.kubeconfig().to_owned(),
        variant: system.variant,
        defects: system.defects.clone(),
        limits: system.limits.clone(),
        namespace: namespace.to_owned(),
        prefix: String::new(),
        program: env!("CARGO_BIN_EXE_kab-app").into(),
        leading_args: Vec::new(),
        work_dir: dir.join("work"),
        spans_dir: dir.join("spans"),
        logs_dir: dir.join("logs"),
    }
}

/// A system in a namespace of its own; its processes end with it.
pub struct Instance {
    pub deployed: Deployed,
    pub spec: DeploySpec,
    pub admin: kube::Client,
    pub supervisor: Supervisor,
    _dir: tempfile::TempDir,
    _plane: Arc<Plane>,
}

impl Instance {
    /// The naive system.
    pub async fn new(namespace: &str) -> Self {
        Self::of(namespace, Of::variant(Variant::Naive)).await
    }

    /// The hardened one.
    pub async fn hardened(namespace: &str) -> Self {
        Self::of(namespace, Of::variant(Variant::Hardened)).await
    }

    pub async fn of(namespace: &str, system: Of) -> Self {
        let plane = plane(&system).await;
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(&plane, &system, namespace, dir.path());
        let supervisor = Supervisor::new().unwrap();
        let deployed = Deployed::deploy(&spec, &supervisor).await.unwrap();
        let admin = connect(plane.local.kubeconfig()).await.unwrap();
        Self { deployed, spec, admin, supervisor, _dir: dir, _plane: plane }
    }

    pub fn todos(&self) -> kube::Api<kab_backend::entity::Todo> {
        kube::Api::namespaced(self.admin.clone(), &self.spec.namespace)
    }

    pub async fn add_informer(&mut self, url: &str) {
        self.add_informers(1, url).await;
    }

    /// The informer of one subscriber, several times.
    pub async fn add_informers(&mut self, replicas: u32, url: &str) {
        self.deployed.add_informer(&self.supervisor, 0, replicas, url).await.unwrap();
    }

    /// Creates through the gateway.
    pub async fn create(&self, code: &str, op: Option<OpId>) -> (StatusCode, Value) {
        let body = self.deployed.create_request(code, "hello", "2026-01-02T03:04:05Z");
        self.post(Deployed::CREATE_PATH, body, op).await
    }

    pub async fn post(&self, path: &str, body: Vec<u8>, op: Option<OpId>) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.deployed.gateway_url());
        let mut request = http::Request::post(url);
        if let Some(op) = op {
            request = request.header(TRACEPARENT, op.traceparent());
        }
        send(request.body(Full::from(body)).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.deployed.gateway_url());
        send(http::Request::get(url).body(Full::default()).unwrap()).await
    }

    /// Runs kubectl as the admin, in this instance's namespace; none where
    /// there is no kubectl.
    pub async fn kubectl(&self, args: &[&str], input: &Value) -> Option<std::process::Output> {
        let file = self.spec.work_dir.join("object.json");
        std::fs::write(&file, input.to_string()).unwrap();
        let mut kubectl = tokio::process::Command::new("kubectl");
        kubectl.args(["--kubeconfig", self.spec.kubeconfig.to_str().unwrap()]);
        kubectl.args(["--namespace", &self.spec.namespace]).args(args);
        if !input.is_null() {
            kubectl.args(["-f", file.to_str().unwrap()]);
        }
        kubectl.output().await.ok()
    }

    /// Creates as kubectl's users do, past the gateway.
    pub async fn kubectl_create(&self, object: Value) {
        match self.kubectl(&["create"], &object).await {
            Some(output) => assert!(output.status.success(), "{output:?}"),
            // Where there is no kubectl, the request that it would send.
            None => {
                let todo = serde_json::from_value(object).unwrap();
                self.todos().create(&Default::default(), &todo).await.unwrap();
            }
        }
    }

    /// A client with the rights of one of the apps.
    pub async fn as_app(&self, app: &str) -> kube::Client {
        let kubeconfig = self.spec.work_dir.join(format!("{app}.kubeconfig"));
        connect(&kubeconfig).await.unwrap()
    }

    /// All spans so far of the process called `name`, oldest first.
    pub fn spans(&self, name: &str) -> Vec<Span> {
        let pids: BTreeMap<_, _> = self.deployed.pids().into_iter().collect();
        let file = format!("{name}-{}.jsonl", pids[name]);
        jsonl::read(&self.spec.spans_dir.join(file)).unwrap().values
    }

    /// Stops the process called `name`, so that its spans are complete.
    pub async fn stop(&self, name: &str) -> kab_lab::process::Ended {
        self.deployed.child(name).unwrap().stop(PATIENCE).await
    }
}

/// A Todo as an app writes it.
pub fn todo(name: &str, message: &str, when: &str) -> Todo {
    let mut todo = Todo::default();
    todo.metadata.name = Some(name.to_owned());
    todo.spec = serde_json::json!({ "message": message, "when": when });
    todo
}

/// The first object of a kind that there is, or that comes.
pub async fn first<K>(of: kube::Api<K>) -> K
where
    K: kube::Resource<DynamicType = ()>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug
        + Send
        + 'static,
{
    let objects = watcher(of, watcher::Config::default()).applied_objects();
    let next = tokio::time::timeout(PATIENCE, Box::pin(objects).next()).await;
    next.expect("there is none").unwrap().unwrap()
}

pub async fn send(request: http::Request<Full<bytes::Bytes>>) -> (StatusCode, Value) {
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// What a subscriber was told.
#[derive(Debug)]
pub struct Notification {
    pub body: Value,
    pub op: Option<OpId>,
    pub revision: String,
    pub key: Option<String>,
}

/// A subscriber that answers 200 to everything, or what it is told to.
pub struct Subscriber {
    pub url: String,
    answer: Arc<AtomicU16>,
    received: mpsc::UnboundedReceiver<Notification>,
    server: tokio::task::JoinHandle<()>,
}

impl Subscriber {
    pub async fn new() -> Self {
        Self::at("127.0.0.1:0").await
    }

    /// One that listens at `address`.
    pub async fn at(address: &str) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let answer = Arc::new(AtomicU16::new(200));
        let app = axum::Router::new()
            .route("/api/todonotifications", post(receive))
            .with_state((sender, Arc::clone(&answer)));
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, answer, received, server }
    }

    /// From now on it answers so.
    pub fn answer(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    pub async fn next(&mut self) -> Notification {
        let next = tokio::time::timeout(PATIENCE, self.received.recv());
        next.await.expect("no notification came").unwrap()
    }

    /// How many notifications came that nobody has taken.
    pub fn untaken(&self) -> usize {
        self.received.len()
    }

    /// Nobody listens any more. Connections that are open stay: their tasks
    /// are the runtime's. So this must come before the informer's first POST.
    pub async fn shut_down(self) {
        self.server.abort();
        let _ = self.server.await;
    }
}

async fn receive(
    State((sender, answer)): State<(mpsc::UnboundedSender<Notification>, Arc<AtomicU16>)>,
    headers: HeaderMap,
    body: axum::Json<Value>,
) -> StatusCode {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let notification = Notification {
        body: body.0,
        op: text(TRACEPARENT).and_then(OpId::from_traceparent),
        revision: text(RESOURCE_VERSION).unwrap_or_default().to_owned(),
        key: text("idempotency-key").map(str::to_owned),
    };
    let status = StatusCode::from_u16(answer.load(Ordering::SeqCst)).unwrap();
    sender.send(notification).unwrap();
    status
}

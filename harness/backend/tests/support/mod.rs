//! What the tests stand on: one control plane for all of them, instances of
//! the naive system in namespaces of their own, and a subscriber that tells
//! what it got.

// Helpers of tests are tests, to everybody but clippy.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;
use kab_backend::client::{connect, install_tls_provider};
use kab_backend::deploy::{DeploySpec, Limits};
use kab_backend::kubernetes::Deployed;
use kab_backend::system::Variant;
use kab_evidence::id::{OpId, RESOURCE_VERSION, TRACEPARENT};
use kab_evidence::jsonl;
use kab_evidence::span::Span;
use kab_lab::assets::Finder;
use kab_lab::local::{Local, LocalSpec};
use kab_lab::process::Supervisor;
use kab_lab::progress::Silent;
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

/// Far beyond what anything here takes: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A control plane. It ends, and its files go, with the last test that has it.
struct Plane {
    local: Local,
    _supervisor: Supervisor,
    dir: tempfile::TempDir,
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
    let plane = Arc::new(Plane { local, _supervisor: supervisor, dir });
    // It makes the definition, so no other instance takes that down.
    let first = spec(&plane, "first", plane.dir.path());
    Deployed::deploy(&first, &Supervisor::new().unwrap()).await.unwrap();
    *shared = Arc::downgrade(&plane);
    plane
}

fn spec(plane: &Plane, namespace: &str, dir: &Path) -> DeploySpec {
    DeploySpec {
        kubeconfig: plane.local.kubeconfig().to_owned(),
        variant: Variant::Naive,
        defects: Variant::Naive.defects(),
        limits: Limits::default(),
        namespace: namespace.to_owned(),
        prefix: String::new(),
        program: env!("CARGO_BIN_EXE_kab-app").into(),
        leading_args: Vec::new(),
        work_dir: dir.join("work"),
        spans_dir: dir.join("spans"),
        logs_dir: dir.join("logs"),
    }
}

/// A naive system in a namespace of its own; its processes end with it.
pub struct Instance {
    pub deployed: Deployed,
    pub spec: DeploySpec,
    pub admin: kube::Client,
    pub supervisor: Supervisor,
    _dir: tempfile::TempDir,
    _plane: Arc<Plane>,
}

impl Instance {
    pub async fn new(namespace: &str) -> Self {
        let plane = plane().await;
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(&plane, namespace, dir.path());
        let supervisor = Supervisor::new().unwrap();
        let deployed = Deployed::deploy(&spec, &supervisor).await.unwrap();
        let admin = connect(plane.local.kubeconfig()).await.unwrap();
        Self { deployed, spec, admin, supervisor, _dir: dir, _plane: plane }
    }

    pub fn todos(&self) -> kube::Api<kab_backend::entity::Todo> {
        kube::Api::namespaced(self.admin.clone(), &self.spec.namespace)
    }

    pub async fn add_informer(&mut self, url: &str) {
        self.deployed.add_informer(&self.supervisor, 0, 1, url).await.unwrap();
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

    /// Creates as kubectl's users do, past the gateway.
    pub async fn kubectl_create(&self, object: Value) {
        let file = self.spec.work_dir.join("object.json");
        std::fs::write(&file, object.to_string()).unwrap();
        let ran = tokio::process::Command::new("kubectl")
            .args(["--kubeconfig", self.spec.kubeconfig.to_str().unwrap()])
            .args(["--namespace", &self.spec.namespace])
            .args(["create", "-f", file.to_str().unwrap()])
            .output()
            .await;
        match ran {
            Ok(output) => assert!(output.status.success(), "{output:?}"),
            // Where there is no kubectl, the request that it would send.
            Err(_) => {
                let todo = serde_json::from_value(object).unwrap();
                self.todos().create(&Default::default(), &todo).await.unwrap();
            }
        }
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
}

/// A subscriber that answers 200 to everything.
pub struct Subscriber {
    pub url: String,
    received: mpsc::UnboundedReceiver<Notification>,
    server: tokio::task::JoinHandle<()>,
}

impl Subscriber {
    pub async fn new() -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let app =
            axum::Router::new().route("/api/todonotifications", post(receive)).with_state(sender);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, received, server }
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
    State(sender): State<mpsc::UnboundedSender<Notification>>,
    headers: HeaderMap,
    body: axum::Json<Value>,
) {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let notification = Notification {
        body: body.0,
        op: text(TRACEPARENT).and_then(OpId::from_traceparent),
        revision: text(RESOURCE_VERSION).unwrap_or_default().to_owned(),
    };
    sender.send(notification).unwrap();
}

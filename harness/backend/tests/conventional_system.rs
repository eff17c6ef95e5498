//! The conventional system as it is deployed: gateway, relay, consumers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

#[path = "support/conventional.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use http::HeaderMap;
use kab_backend::conformance::{Trial, run};
use kab_backend::conventional::{Deployed, Ground};
use kab_backend::deploy::{DeploySpec, Limits};
use kab_backend::store::remote::RemoteStore;
use kab_backend::store::{Draft, Notice, Notices, Refused, Revision, Store};
use kab_backend::system::Variant;
use kab_evidence::id::{OpId, TRACEPARENT};
use kab_evidence::jsonl;
use kab_evidence::span::Span;
use kab_lab::process::Supervisor;
use support::{Plane, draft, op, plane};
use tokio::sync::mpsc;

/// Far beyond what anything here takes: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A system of a test's own.
struct Scene {
    system: Deployed,
    supervisor: Supervisor,
    spec: DeploySpec,
    plane: std::sync::Arc<Plane>,
    _dir: tempfile::TempDir,
}

fn spec(tenant: &str, dir: &Path) -> DeploySpec {
    DeploySpec {
        kubeconfig: "/nonexistent".into(),
        variant: Variant::Conventional,
        defects: Variant::Conventional.defects(),
        limits: Limits::default(),
        prefix: String::new(),
        namespace: tenant.to_owned(),
        program: env!("CARGO_BIN_EXE_kab-app").into(),
        leading_args: Vec::new(),
        work_dir: dir.join("work"),
        spans_dir: dir.join("spans"),
        logs_dir: dir.join("logs"),
    }
}

impl Scene {
    async fn new(tenant: &str) -> Self {
        let (plane, dir) = (plane().await, tempfile::tempdir().unwrap());
        let spec = spec(tenant, dir.path());
        let supervisor = Supervisor::new().unwrap();
        let ground = Ground::from(&plane.servers);
        let system = Deployed::deploy(&spec, &ground, &supervisor).await.unwrap();
        Self { system, supervisor, spec, plane, _dir: dir }
    }

    fn gateway(&self) -> RemoteStore {
        RemoteStore::new(&self.system.gateway_url(), Vec::new())
    }
}

/// A subscriber that takes everything: which operation.
async fn subscriber() -> (String, mpsc::UnboundedReceiver<Option<OpId>>) {
    async fn receive(
        State(sender): State<mpsc::UnboundedSender<Option<OpId>>>,
        headers: HeaderMap,
    ) {
        let op = headers.get(TRACEPARENT).and_then(|v| OpId::from_traceparent(v.to_str().ok()?));
        sender.send(op).unwrap();
    }
    let (sender, received) = mpsc::unbounded_channel();
    let app = axum::Router::new().route("/api/todonotifications", post(receive));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app.with_state(sender)).await.unwrap() });
    (url, received)
}

async fn told(received: &mut mpsc::UnboundedReceiver<Option<OpId>>) -> Option<OpId> {
    let told = tokio::time::timeout(PATIENCE, received.recv()).await;
    told.expect("nobody was told").unwrap()
}

async fn conforms<S: Store>(store: &S, tag: &str) {
    assert_eq!(store.differences(), []);
    let trial = Trial { tag: tag.to_owned(), ancient: Revision("0".to_owned()) };
    let findings = run(store, &trial).await;
    let failed: Vec<_> = findings.iter().filter(|f| f.failed()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn it_conforms_directly_and_through_the_gateway() {
    let scene = Scene::new("conform").await;
    let url = scene.system.database().gateway_url();
    let store = kab_backend::store::postgres::PostgresStore::connect(url, "conform", 8).await;
    conforms(&store.unwrap(), "direct").await;
    conforms(&scene.gateway(), "gateway").await;
}

#[tokio::test]
async fn a_write_goes_from_the_gateway_to_every_subscriber_once() {
    let mut scene = Scene::new("whole").await;
    let ((one, mut first), (other, mut second)) = (subscriber().await, subscriber().await);
    scene.system.add_informer(&scene.supervisor, 0, 3, &one).await.unwrap();
    scene.system.add_informer(&scene.supervisor, 1, 1, &other).await.unwrap();
    let gateway = scene.gateway();
    for n in 0..20 {
        gateway.create(Some(op(n)), &draft(&format!("x{n}"))).await.answer.unwrap();
    }
    for received in [&mut first, &mut second] {
        let mut ops = Vec::new();
        for _ in 0..20 {
            ops.push(told(received).await.unwrap().number());
        }
        ops.sort_unstable();
        assert_eq!(ops, (0..20).collect::<Vec<_>>());
        assert!(received.try_recv().is_err(), "three replicas tell once");
    }
    let stored = scene.system.stored().await.unwrap();
    assert_eq!(stored.len(), 20);
    let pids: BTreeMap<_, _> = scene.system.pids().into_iter().collect();
    let names: Vec<_> = pids.keys().map(String::as_str).collect();
    let wanted = ["consumer-0", "consumer-0-1", "consumer-0-2", "consumer-1", "gateway", "relay"];
    assert_eq!(names, wanted);

    // A consumer of the same subscriber takes the place of those before.
    scene.system.add_informer(&scene.supervisor, 0, 1, &one).await.unwrap();
    assert_eq!(scene.system.pids().len(), 4);
    gateway.create(Some(op(99)), &draft("last")).await.answer.unwrap();
    assert_eq!(told(&mut first).await, Some(op(99)), "nothing again from the beginning");

    let pid = pids["gateway"];
    scene.system.stop(PATIENCE).await;
    let spans = scene.spec.spans_dir.join(format!("gateway-{pid}.jsonl"));
    let spans: Vec<Span> = jsonl::read(&spans).unwrap().values;
    let of = |stored: &kab_evidence::store::StoredEntity| {
        spans.iter().any(|span| {
            matches!(span, Span::Gateway { op, uid: Some(uid), rv: Some(rv), .. }
                if *op == stored.op && *uid == stored.uid && *rv == stored.rv)
        })
    };
    assert!(stored.iter().all(of), "{spans:?}");
    scene.system.teardown().await.unwrap();
}

#[tokio::test]
async fn two_instances_on_the_same_servers_do_not_meet() {
    let (mut one, mut other) = (Scene::new("kab01").await, Scene::new("kab02").await);
    let ((url, mut first), (url2, mut second)) = (subscriber().await, subscriber().await);
    one.system.add_informer(&one.supervisor, 0, 1, &url).await.unwrap();
    other.system.add_informer(&other.supervisor, 0, 1, &url2).await.unwrap();
    one.gateway().create(Some(op(1)), &draft("x")).await.answer.unwrap();
    other.gateway().create(Some(op(2)), &draft("x")).await.answer.unwrap();
    assert_eq!((told(&mut first).await, told(&mut second).await), (Some(op(1)), Some(op(2))));
    assert!(first.try_recv().is_err() && second.try_recv().is_err());

    // One goes, and leaves nothing of its own in the server that stays.
    let count = async |plane: &Plane| -> i64 {
        let client = support::client(plane.servers.postgres_url()).await;
        let text = "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'kab\\_%')
                         + (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'kab\\_%')";
        client.query_one(text, &[]).await.unwrap().get(0)
    };
    let plane = std::sync::Arc::clone(&one.plane);
    let before = count(&plane).await;
    let name = one.system.database().admin_url().rsplit('/').next().unwrap().to_owned();
    one.system.teardown().await.unwrap();
    let client = support::client(plane.servers.postgres_url()).await;
    let left = "SELECT count(*) FROM pg_roles WHERE rolname LIKE $1";
    let left: i64 = client.query_one(left, &[&format!("{name}%")]).await.unwrap().get(0);
    assert_eq!(left, 0);
    assert!(before >= 4);
    other.gateway().create(Some(op(3)), &draft("y")).await.answer.unwrap();
    assert_eq!(told(&mut second).await, Some(op(3)));
}

#[tokio::test]
async fn replicas_of_the_gateway_agree_on_notifications() {
    let scene = Scene::new("notes").await;
    let made = scene.gateway().create(None, &draft("x")).await.answer.unwrap();
    let notice = Notice { todo_id: made.id, issued_at: "2030-01-01T00:00:00Z".to_owned() };
    let (status, _) = post_json(&scene, "/api/todonotifications", &notice).await;
    assert_eq!(status, 200);
    let url = scene.system.database().gateway_url();
    let store = kab_backend::store::postgres::PostgresStore::connect(url, "notes", 1).await;
    assert_eq!(store.unwrap().kept().await.unwrap(), [notice]);
}

async fn post_json<B: serde::Serialize>(
    scene: &Scene,
    path: &str,
    body: &B,
) -> (u16, bytes::Bytes) {
    use http_body_util::{BodyExt, Full};
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<Full<bytes::Bytes>>();
    let request = http::Request::post(format!("{}{path}", scene.system.gateway_url()))
        .header("content-type", "application/json")
        .body(Full::from(serde_json::to_vec(body).unwrap()))
        .unwrap();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn refusals_keep_their_kinds_through_the_gateway() {
    let scene = Scene::new("kinds").await;
    let gateway = scene.gateway();
    gateway.create(None, &draft("x")).await.answer.unwrap();
    let again = gateway.create(None, &draft("x")).await.answer;
    assert!(matches!(again, Err(Refused::Conflict(_))), "{again:?}");
    let blank = Draft { message: " ".into(), ..draft("y") };
    let blank = gateway.create(None, &blank).await.answer;
    assert!(matches!(blank, Err(Refused::Invalid(_))), "{blank:?}");
}

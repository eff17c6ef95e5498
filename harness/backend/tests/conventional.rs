//! Relay, broker and consumer, the real ones, in every way in which a change
//! could be lost or told twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

#[path = "support/conventional.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use axum::extract::State;
use axum::routing::post;
use futures::StreamExt;
use http::{HeaderMap, StatusCode};
use kab_backend::app::consumer::ConsumerConfig;
use kab_backend::app::relay::RelayConfig;
use kab_backend::store::Store;
use kab_evidence::id::{OpId, RESOURCE_VERSION, TRACEPARENT};
use kab_evidence::jsonl;
use kab_evidence::span::{Change, Span};
use kab_lab::process::{Child, Supervisor};
use rustix::process::Signal;
use serde_json::Value;
use support::{Base, app, draft, op};
use tokio::sync::{mpsc, watch};

/// Far beyond what anything here takes: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A subscriber that answers what it is told to.
struct Subscriber {
    url: String,
    received: mpsc::UnboundedReceiver<Told>,
    answers: watch::Sender<StatusCode>,
}

/// A notification.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    body: Value,
    op: Option<OpId>,
    revision: String,
    key: String,
    answered: StatusCode,
}

impl Subscriber {
    async fn new(answer: StatusCode) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let (answers, answering) = watch::channel(answer);
        let app = axum::Router::new()
            .route("/api/todonotifications", post(receive))
            .with_state((sender, answering));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, received, answers }
    }

    async fn next(&mut self) -> Told {
        let next = tokio::time::timeout(PATIENCE, self.received.recv()).await;
        next.expect("no notification came").unwrap()
    }
}

type Shared = (mpsc::UnboundedSender<Told>, watch::Receiver<StatusCode>);

async fn receive(
    State((sender, answers)): State<Shared>,
    headers: HeaderMap,
    body: axum::Json<Value>,
) -> StatusCode {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let answered = *answers.borrow();
    let told = Told {
        body: body.0,
        op: OpId::from_traceparent(text(TRACEPARENT)),
        revision: text(RESOURCE_VERSION).to_owned(),
        key: text("idempotency-key").to_owned(),
        answered,
    };
    sender.send(told).unwrap();
    answered
}

/// A database, and apps of a tenant of the test's own.
struct Scene {
    base: Base,
    supervisor: Supervisor,
    dir: tempfile::TempDir,
    tenant: String,
}

impl Scene {
    async fn new(tenant: &str) -> Self {
        let base = Base::new().await;
        let (supervisor, dir) = (Supervisor::new().unwrap(), tempfile::tempdir().unwrap());
        Self { base, supervisor, dir, tenant: tenant.to_owned() }
    }

    async fn relay(&self, name: &str) -> Child {
        let config = RelayConfig {
            database: self.base.database.relay_url().to_owned(),
            broker: self.base.ground().broker,
        };
        app(&self.supervisor, self.dir.path(), "relay", name, &config).await
    }

    fn consuming(&self, url: &str) -> ConsumerConfig {
        ConsumerConfig {
            broker: self.base.ground().broker,
            tenant: self.tenant.clone(),
            subscriber: 0,
            subscriber_url: url.to_owned(),
            max_deliver: 20,
            in_flight: 16,
        }
    }

    async fn consumer(&self, name: &str, config: &ConsumerConfig) -> Child {
        app(&self.supervisor, self.dir.path(), "consumer", name, config).await
    }

    /// How many messages the broker has of this tenant.
    async fn published(&self) -> u64 {
        let stream = self.base.broker().await.get_stream("TODO").await.unwrap();
        let filter = format!("todo.{}.>", self.tenant);
        let mut subjects = stream.info_with_subjects(filter).await.unwrap();
        let mut count = 0;
        while let Some(subject) = subjects.next().await {
            count += u64::try_from(subject.unwrap().1).unwrap();
        }
        count
    }

    /// Waits until all of the outbox is marked.
    async fn await_marked(&self) {
        let open = "SELECT count(*) FROM kab.outbox WHERE published IS NULL";
        poll(async || self.base.admin.query_one(open, &[]).await.unwrap().get::<_, i64>(0) == 0)
            .await;
    }
}

async fn poll(mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it did not come about");
}

#[tokio::test]
async fn a_change_goes_all_the_way_with_its_operation() {
    let scene = Scene::new("way").await;
    let mut subscriber = Subscriber::new(StatusCode::OK).await;
    let _relay = scene.relay("relay").await;
    let consumer = scene.consumer("consumer", &scene.consuming(&subscriber.url)).await;
    let store = scene.base.store("way").await;
    let made = store.create(Some(op(1)), &draft("x")).await.answer.unwrap();
    let told = subscriber.next().await;
    assert_eq!((told.op, told.revision.as_str()), (Some(op(1)), made.revision.0.as_str()));
    assert_eq!(told.body["todoId"], made.id.as_str());
    assert_eq!(told.body["change"], "created");
    assert!(told.body["issuedAt"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());

    store.delete(Some(op(2)), "x", None).await.answer.unwrap();
    let told = subscriber.next().await;
    assert_eq!((told.op, &told.body["change"]), (Some(op(2)), &Value::from("deleted")));
    assert_eq!(told.body["todoId"], made.id.as_str(), "a delete has its id");
    // psql's writes come, too, though nobody rings.
    let by_hand = "INSERT INTO kab.todo (tenant, code, message, due) \
                   VALUES ('way', 'hand', 'm', '2030-01-01Z')";
    scene.base.admin.batch_execute(by_hand).await.unwrap();
    assert_eq!(subscriber.next().await.op, None);

    consumer.stop(PATIENCE).await;
    let file = scene.dir.path().join(format!("spans/consumer-0-{}.jsonl", consumer.pid()));
    let spans: Vec<Span> = jsonl::read(&file).unwrap().values;
    assert_eq!(spans.len(), 3);
    let Span::Informer { op: Some(of), change, ref uid, ref rv, seen, posted, status } = spans[0]
    else {
        panic!("{spans:?}")
    };
    assert_eq!((of, change, uid, rv), (op(1), Change::Applied, &made.id, &made.revision.0));
    assert!(posted.unwrap() >= seen && status == Some(200));
}

#[tokio::test]
async fn what_happens_while_the_subscriber_is_down_comes_when_it_is_up() {
    let scene = Scene::new("down").await;
    let mut subscriber = Subscriber::new(StatusCode::SERVICE_UNAVAILABLE).await;
    let _relay = scene.relay("relay").await;
    let _consumer = scene.consumer("consumer", &scene.consuming(&subscriber.url)).await;
    let store = scene.base.store("down").await;
    for n in 0..5 {
        store.create(Some(op(n)), &draft(&format!("x{n}"))).await.answer.unwrap();
    }
    let refused = subscriber.next().await;
    assert_eq!(refused.answered, StatusCode::SERVICE_UNAVAILABLE);
    subscriber.answers.send_replace(StatusCode::OK);
    let mut taken: BTreeMap<OpId, Told> = BTreeMap::new();
    while taken.len() < 5 {
        let told = subscriber.next().await;
        if told.answered == StatusCode::OK {
            let twice = taken.insert(told.op.unwrap(), told);
            assert_eq!(twice, None, "taken once");
        }
    }
    // The same change has the same key, at every try.
    let again = taken.get(&refused.op.unwrap()).unwrap();
    assert_eq!(again.key, refused.key);
    assert!(again.key.ends_with(&format!("/{}", again.revision)));
}

#[tokio::test]
async fn a_consumer_that_was_away_goes_on_where_it_was() {
    let scene = Scene::new("away").await;
    let mut subscriber = Subscriber::new(StatusCode::OK).await;
    let _relay = scene.relay("relay").await;
    let store = scene.base.store("away").await;
    // Before there is a consumer, there is nobody to be told.
    store.create(Some(op(0)), &draft("early")).await.answer.unwrap();
    scene.await_marked().await;
    let config = scene.consuming(&subscriber.url);
    let first = scene.consumer("first", &config).await;
    store.create(Some(op(1)), &draft("a")).await.answer.unwrap();
    assert_eq!(subscriber.next().await.op, Some(op(1)), "not the one before its time");
    first.stop(PATIENCE).await;
    store.create(Some(op(2)), &draft("b")).await.answer.unwrap();
    scene.await_marked().await;
    // Two replicas: each change goes to one of them.
    let _second = scene.consumer("second", &config).await;
    let _third = scene.consumer("third", &config).await;
    assert_eq!(subscriber.next().await.op, Some(op(2)));
    for n in 3..30 {
        store.create(Some(op(n)), &draft(&format!("c{n}"))).await.answer.unwrap();
    }
    let mut seen: Vec<_> = Vec::new();
    for _ in 3..30 {
        seen.push(subscriber.next().await.op.unwrap().number());
    }
    seen.sort_unstable();
    assert_eq!(seen, (3..30).collect::<Vec<_>>());
    assert!(subscriber.received.try_recv().is_err(), "nothing twice");
}

/// The relay is killed when the broker has a message, and the outbox no mark.
#[tokio::test]
async fn a_relay_killed_between_publishing_and_marking_tells_nothing_twice() {
    let scene = Scene::new("killed").await;
    let mut subscriber = Subscriber::new(StatusCode::OK).await;
    let _consumer = scene.consumer("consumer", &scene.consuming(&subscriber.url)).await;
    let store = scene.base.store("killed").await;
    store.create(Some(op(1)), &draft("x")).await.answer.unwrap();
    // With its line locked, it can be published, but not marked.
    scene.base.admin.batch_execute("BEGIN; SELECT * FROM kab.outbox FOR UPDATE").await.unwrap();
    let relay = scene.relay("relay").await;
    assert_eq!(subscriber.next().await.op, Some(op(1)));
    relay.signal(Signal::KILL);
    relay.ended().await;
    // Its statement, which waits for the lock, would go on without it.
    let end = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity \
               WHERE application_name = 'kab-relay' AND datname = current_database()";
    scene.base.admin.query(end, &[]).await.unwrap();
    scene.base.admin.batch_execute("ROLLBACK").await.unwrap();
    let open = "SELECT count(*) FROM kab.outbox WHERE published IS NULL";
    let open: i64 = scene.base.admin.query_one(open, &[]).await.unwrap().get(0);
    assert_eq!(open, 1, "the gap that is meant");

    let _relay = scene.relay("another").await;
    scene.await_marked().await;
    assert_eq!(scene.published().await, 1, "the broker dropped the second copy");
    store.create(Some(op(2)), &draft("y")).await.answer.unwrap();
    assert_eq!(subscriber.next().await.op, Some(op(2)), "and nothing in between");
}

/// Without the id of a message, the broker would not know the second copy: the
/// test above can fail.
#[tokio::test]
async fn two_messages_without_an_id_are_two() {
    let scene = Scene::new("plain").await;
    let _relay = scene.relay("relay").await;
    let broker = scene.base.broker().await;
    for _ in 0..2 {
        broker.publish("todo.plain.x", "{}".into()).await.unwrap().await.unwrap();
    }
    assert_eq!(scene.published().await, 2);
}

#[tokio::test]
async fn a_line_that_appears_late_is_published_too() {
    let scene = Scene::new("late").await;
    let mut subscriber = Subscriber::new(StatusCode::OK).await;
    let _relay = scene.relay("relay").await;
    let _consumer = scene.consumer("consumer", &scene.consuming(&subscriber.url)).await;
    let slow = support::client(scene.base.database.gateway_url()).await;
    let insert = "SET app.tenant = 'late'; BEGIN; INSERT INTO kab.todo (code, message, due) \
                  VALUES ('slow', 'm', '2030-01-01Z')";
    slow.batch_execute(insert).await.unwrap();
    let store = scene.base.store("late").await;
    let fast = store.create(Some(op(1)), &draft("fast")).await.answer.unwrap();
    assert_eq!(subscriber.next().await.op, Some(op(1)));
    slow.batch_execute("COMMIT").await.unwrap();
    let late = subscriber.next().await;
    let number = |revision: &str| revision.parse::<u64>().unwrap();
    assert!(number(&late.revision) < number(&fast.revision.0));
}

#[tokio::test]
async fn what_is_refused_again_and_again_is_a_dead_letter() {
    let scene = Scene::new("dead").await;
    let mut subscriber = Subscriber::new(StatusCode::INTERNAL_SERVER_ERROR).await;
    let _relay = scene.relay("relay").await;
    let config = ConsumerConfig { max_deliver: 3, ..scene.consuming(&subscriber.url) };
    let _consumer = scene.consumer("consumer", &config).await;
    let store = scene.base.store("dead").await;
    let made = store.create(Some(op(1)), &draft("x")).await.answer.unwrap();

    let stream = scene.base.broker().await.get_stream("TODO_DEAD").await.unwrap();
    let dead = pull::Config {
        filter_subject: "todo-dead.dead-subscriber-0".to_owned(),
        ..pull::Config::default()
    };
    let dead = stream.create_consumer(dead).await.unwrap();
    let mut letters = dead.messages().await.unwrap();
    let letter = tokio::time::timeout(PATIENCE, letters.next());
    let letter = letter.await.expect("no dead letter").unwrap().unwrap();
    let body: Value = serde_json::from_slice(&letter.payload).unwrap();
    assert_eq!(body["todoId"], made.id.as_str());
    let headers = letter.headers.clone().unwrap();
    assert!(headers.get("kab-dead-because").unwrap().as_str().contains("500"), "{headers:?}");
    assert_eq!(headers.get(TRACEPARENT).unwrap().as_str(), op(1).traceparent());
    for _ in 0..3 {
        assert_eq!(subscriber.next().await.op, Some(op(1)));
    }
    // Given up: what comes next is the next change.
    subscriber.answers.send_replace(StatusCode::OK);
    store.create(Some(op(2)), &draft("y")).await.answer.unwrap();
    assert_eq!(subscriber.next().await.op, Some(op(2)));
}

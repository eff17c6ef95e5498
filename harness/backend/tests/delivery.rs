//! The hardened informer: what is told, to whom, and what becomes of it when
//! something is in the way.

// Helpers of tests are tests, to everybody but clippy.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Event;
use kab_backend::defect::Defect;
use kab_backend::entity::Todo;
use kab_backend::system::Variant;
use kab_evidence::span::Span;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::runtime::wait;
use rustix::process::Signal;
use serde_json::json;
use support::{Instance, Of, Subscriber};

const DELIVERED: &str = "k8sasbackend.com/delivered";

async fn ready(namespace: &str) -> (Instance, Subscriber) {
    with(namespace, Of::variant(Variant::Hardened)).await
}

async fn with(namespace: &str, system: Of) -> (Instance, Subscriber) {
    let subscriber = Subscriber::new().await;
    let mut instance = Instance::of(namespace, system).await;
    instance.add_informer(&subscriber.url).await;
    (instance, subscriber)
}

impl Instance {
    async fn make(&self, code: &str) -> String {
        let (status, answer) = self.create(code, None).await;
        assert!(status.is_success(), "{answer}");
        self.todos().get(code).await.unwrap().metadata.uid.unwrap()
    }

    async fn change(&self, code: &str, message: &str) -> String {
        let patch = Patch::Merge(json!({ "spec": { "message": message } }));
        let changed = self.todos().patch(code, &PatchParams::default(), &patch).await.unwrap();
        changed.metadata.resource_version.unwrap()
    }

    async fn lease(&self) -> Lease {
        let leases: Api<Lease> = Api::namespaced(self.admin.clone(), &self.spec.namespace);
        leases.get("informer-0").await.unwrap()
    }
}

/// Not defect 6: it is tried again, in order; others do not wait for it.
#[tokio::test]
async fn what_fails_is_told_again() {
    let (instance, mut subscriber) = ready("again").await;
    subscriber.answer(500);
    instance.make("a").await;
    let first = subscriber.next().await;
    let later = instance.change("a", "later").await;
    let again = subscriber.next().await;
    assert_eq!((&again.key, &again.body), (&first.key, &first.body));
    subscriber.answer(200);
    // The change waits until what was before it is delivered.
    let told = loop {
        let told = subscriber.next().await;
        if told.key != first.key {
            break told;
        }
    };
    assert_eq!((&told.revision, &told.body["change"]), (&later, &json!("updated")));
    assert!(instance.stop("informer-0").await.success());
    let statuses: Vec<_> = instance
        .spans("informer-0")
        .into_iter()
        .map(|span| match span {
            Span::Informer { status, .. } => status,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(statuses, [Some(200), Some(200)]);
}

/// A dead letter is found in the entity's own status, and the next change goes
/// on; when that is delivered, it is taken back.
#[tokio::test]
async fn what_cannot_be_told_is_a_dead_letter() {
    let system = Of::variant(Variant::Hardened).attempts(2);
    let (instance, mut subscriber) = with("dead-letter", system).await;
    subscriber.answer(503);
    instance.make("a").await;
    let told = [subscriber.next().await, subscriber.next().await];
    assert_eq!(told[0].key, told[1].key);
    let todos = instance.todos();
    let has = |count: usize| {
        move |todo: Option<&Todo>| {
            let status = todo.and_then(|todo| todo.status.as_ref());
            let letters = status.and_then(|status| status["deadLetters"].as_array());
            todo.is_some() && letters.map_or(0, Vec::len) == count
        }
    };
    let todo = wait::await_condition(todos.clone(), "a", has(1)).await.unwrap().unwrap();
    let status = todo.status.unwrap();
    let letter = &status["deadLetters"][0];
    assert_eq!(letter["revision"], told[0].revision.as_str());
    assert_eq!((&letter["attempts"], &letter["change"]), (&json!(2), &json!("created")));
    assert!(letter["cause"].as_str().unwrap().contains("503"), "{letter}");
    let condition = &status["conditions"][0];
    assert_eq!(condition["type"], "Subscriber0Told");
    assert_eq!(condition["status"], "False");
    let events: Api<Event> = Api::namespaced(instance.admin.clone(), "dead-letter");
    let event = support::first(events).await;
    assert_eq!(event.reason.as_deref(), Some("DeliveryFailed"));

    subscriber.answer(200);
    let revision = instance.change("a", "next").await;
    // Writing the status is no change to be told.
    assert_eq!(subscriber.next().await.revision, revision);
    let todo = wait::await_condition(todos, "a", has(0)).await.unwrap().unwrap();
    assert_eq!(todo.status.unwrap()["conditions"][0]["status"], "True");
    instance.stop("informer-0").await;
    assert_eq!(subscriber.untaken(), 0);
}

/// Also where the definition has no schema: then it has a status all the same.
#[tokio::test]
async fn a_dead_letter_needs_no_schema() {
    let system = Of::variant(Variant::Naive).with(Defect::NoRetry, false).attempts(1);
    let (instance, subscriber) = with("no-schema", system).await;
    let todos = instance.todos();
    for (answer, letters) in [(500, 1), (200, 0)] {
        subscriber.answer(answer);
        match letters {
            1 => drop(instance.make("a").await),
            _ => drop(instance.change("a", "next").await),
        }
        let has = |todo: Option<&Todo>| {
            let status = todo.and_then(|todo| todo.status.as_ref());
            status.and_then(|status| status["deadLetters"].as_array()).map(Vec::len)
                == Some(letters)
        };
        wait::await_condition(todos.clone(), "a", has).await.unwrap();
    }
}

/// Not defect 8.
#[tokio::test]
async fn a_subscriber_that_comes_back_is_told_what_it_missed() {
    let (instance, subscriber) = ready("comes-back").await;
    let address = subscriber.url.trim_start_matches("http://").to_owned();
    subscriber.shut_down().await;
    let id = instance.make("a").await;
    let mut subscriber = Subscriber::at(&address).await;
    let told = subscriber.next().await;
    assert_eq!(told.body["todoId"], id.as_str());
    assert!(instance.deployed.child("informer-0").unwrap().has_ended().is_none());
}

/// Not defect 7.
#[tokio::test]
async fn a_delete_is_announced_with_its_id() {
    let (instance, mut subscriber) = ready("deleted").await;
    let id = instance.make("gone").await;
    subscriber.next().await;
    instance.todos().delete("gone", &DeleteParams::default()).await.unwrap();
    let told = subscriber.next().await;
    assert_eq!(told.body["todoId"], id.as_str());
    assert_eq!(told.body["change"], "deleted");
    assert!(told.body["issuedAt"].is_string());
    // And the reference subscriber, the gateway, takes it.
    let body = told.body.to_string().into_bytes();
    let (status, _) = instance.post("/api/todonotifications", body, None).await;
    assert!(status.is_success());
}

/// Not defect 9: what happened while it was away is told, once, and nothing
/// else; what was there before it ever began is not.
#[tokio::test]
async fn a_restarted_informer_goes_on_where_it_was() {
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::hardened("restarted").await;
    instance.make("earlier").await;
    instance.add_informer(&subscriber.url).await;
    for name in ["a", "b"] {
        instance.make(name).await;
        subscriber.next().await;
    }
    assert!(instance.stop("informer-0").await.success());
    instance.make("c").await;
    let changed = instance.change("a", "meanwhile").await;
    let gone = instance.todos().get("b").await.unwrap().metadata.uid.unwrap();
    instance.todos().delete("b", &DeleteParams::default()).await.unwrap();
    instance.add_informer(&subscriber.url).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(subscriber.next().await);
    }
    let find = |change: &str| told.iter().find(|told| told.body["change"] == change).unwrap();
    assert_eq!(find("updated").revision, changed);
    assert_eq!(find("deleted").body["todoId"], gone.as_str());
    let id = instance.todos().get("c").await.unwrap().metadata.uid.unwrap();
    assert_eq!(find("created").body["todoId"], id.as_str());
    assert!(instance.stop("informer-0").await.success());
    assert_eq!(subscriber.untaken(), 0);
}

/// At least once, also when it is killed with a change in its hands.
#[tokio::test]
async fn a_killed_informer_leaves_nothing_untold() {
    let (mut instance, mut subscriber) = ready("killed").await;
    subscriber.answer(500);
    instance.make("a").await;
    let first = subscriber.next().await;
    let informer = instance.deployed.child("informer-0").unwrap();
    informer.kill();
    informer.ended().await;
    subscriber.answer(200);
    instance.add_informer(&subscriber.url).await;
    // Those on their way when it was killed are the same change.
    assert_eq!(subscriber.next().await.key, first.key);
}

/// A position that the store does not know any more: everything newer is told.
#[tokio::test]
async fn what_an_informer_has_missed_for_too_long_it_learns_from_a_list() {
    let (mut instance, mut subscriber) = ready("too-old").await;
    for name in ["a", "b"] {
        instance.make(name).await;
        subscriber.next().await;
    }
    assert!(instance.stop("informer-0").await.success());
    let leases: Api<Lease> = Api::namespaced(instance.admin.clone(), "too-old");
    let long_ago = Patch::Merge(json!({ "metadata": { "annotations": { (DELIVERED): "1" } } }));
    leases.patch("informer-0", &PatchParams::default(), &long_ago).await.unwrap();
    instance.add_informer(&subscriber.url).await;
    let mut told = [subscriber.next().await, subscriber.next().await].map(|told| told.revision);
    let mut stored: Vec<_> =
        instance.deployed.stored().await.unwrap().into_iter().map(|todo| todo.rv).collect();
    told.sort();
    stored.sort();
    assert_eq!(told.to_vec(), stored);
    let ended = instance.stop("informer-0").await;
    assert!(ended.log_tail.join("\n").contains("not all known any more"), "{ended:?}");
}

/// Not defect 12: of several replicas one tells; when it ends, the next goes on
/// where it was.
#[tokio::test]
async fn of_several_replicas_one_notifies() {
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::hardened("replicas").await;
    instance.add_informers(2, &subscriber.url).await;
    for name in ["a", "b"] {
        instance.make(name).await;
        subscriber.next().await;
    }
    let holder = async || instance.lease().await.spec.unwrap().holder_identity.unwrap();
    assert_eq!(holder().await, "informer-0");
    // Told to end, it gives the lease up.
    assert!(instance.stop("informer-0").await.success());
    let id = instance.make("c").await;
    assert_eq!(subscriber.next().await.body["todoId"], id.as_str());
    assert_eq!(holder().await, "informer-0-1");
    assert!(instance.stop("informer-0-1").await.success());
    assert_eq!(subscriber.untaken(), 0);
}

/// The same if it does not say good-bye.
#[tokio::test]
async fn a_replica_takes_over_from_one_that_stands_still() {
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::hardened("takes-over").await;
    instance.add_informers(2, &subscriber.url).await;
    instance.make("a").await;
    subscriber.next().await;
    let first = instance.deployed.child("informer-0").unwrap();
    first.signal(Signal::STOP);
    let id = instance.make("b").await;
    // What the first had told it may tell again: the mark is a second behind.
    while subscriber.next().await.body["todoId"] != id.as_str() {}
    // Back again, it sees that it lost its turn.
    first.signal(Signal::CONT);
    let id = instance.make("c").await;
    while subscriber.next().await.body["todoId"] != id.as_str() {}
    assert_eq!(instance.lease().await.spec.unwrap().holder_identity.unwrap(), "informer-0-1");
}

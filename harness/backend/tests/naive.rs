//! The naive system on a real control plane: what it does, and each of its
//! defects.

mod support;

use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Event;
use kab_backend::kubernetes::Deployed;
use kab_evidence::id::OpId;
use kab_evidence::ledger::Outcome;
use kab_evidence::span::{Change, Span};
use kube::api::{Api, DeleteParams, ListParams};
use kube::runtime::{WatchStreamExt, wait, watcher};
use serde_json::{Value, json};
use support::{Instance, Subscriber};

fn todo(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "k8sasbackend.com/v1", "kind": "Todo",
        "metadata": { "name": name }, "spec": spec,
    })
}

#[tokio::test]
async fn a_write_goes_all_the_way_and_every_process_saw_it() {
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::new("all-the-way").await;
    instance.add_informer(&subscriber.url).await;

    let op = OpId::new(3, 14);
    let (status, answer) = instance.create("milk", Some(op)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(Deployed::classify(status.as_u16()), Outcome::Ok);
    let id = answer["id"].as_str().unwrap();
    assert_eq!(
        answer,
        json!({ "id": id, "code": "milk", "message": "hello", "when": "2026-01-02T03:04:05Z" })
    );

    let stored = instance.deployed.stored().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!((stored[0].name.as_str(), stored[0].uid.as_str()), ("milk", id));
    assert_eq!(stored[0].op, Some(op));

    let told = subscriber.next().await;
    assert_eq!((told.op, &told.revision), (Some(op), &stored[0].rv));
    assert_eq!(told.body["todoId"], id);
    assert!(told.body["issuedAt"].is_string(), "{}", told.body);

    for name in ["informer-0", "gateway", "webhook"] {
        assert!(instance.stop(name).await.success(), "{name} did not end cleanly");
    }
    let gateway = instance.spans("gateway");
    let Some((began, ended)) = gateway.iter().find_map(|span| match span {
        Span::Gateway { op: Some(found), start, api_sent, api_done, end, rv, .. }
            if *found == op =>
        {
            assert!(start <= api_sent && api_sent <= api_done && api_done <= end);
            assert_eq!(rv.as_ref(), Some(&stored[0].rv));
            Some((*api_sent, *api_done))
        }
        _ => None,
    }) else {
        panic!("{gateway:?}")
    };
    assert!(gateway.iter().any(|span| {
        matches!(span, Span::Validate { op: Some(found), valid: true, .. } if *found == op)
    }));
    assert!(instance.spans("webhook").iter().any(|span| match span {
        Span::Webhook { op: Some(found), start, end, allowed } => {
            *found == op && *allowed && began <= *start && start <= end && *end <= ended
        }
        _ => false,
    }));
    let [Span::Informer { op: found, change, uid, rv, seen, posted, status }] =
        &instance.spans("informer-0")[..]
    else {
        panic!("{:?}", instance.spans("informer-0"))
    };
    assert_eq!((*found, *change, uid.as_str()), (Some(op), Change::Applied, id));
    assert_eq!((rv, *status), (&stored[0].rv, Some(200)));
    assert!(posted.unwrap() > *seen);
}

#[tokio::test]
async fn what_kubectl_writes_is_announced_and_recorded_too() {
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::new("kubectl").await;
    instance.add_informer(&subscriber.url).await;
    instance.kubectl_create(todo("by-hand", json!({ "message": "m", "when": "w" }))).await;

    let told = subscriber.next().await;
    let stored = instance.deployed.stored().await.unwrap();
    assert_eq!(told.op, None);
    assert_eq!(told.body["todoId"], stored[0].uid.as_str());

    let events: Api<Event> = Api::namespaced(instance.admin.clone(), &instance.spec.namespace);
    // The recorder goes its own pace beside the callback.
    let mut recorded = pin!(watcher(events, watcher::Config::default()).applied_objects());
    let event = recorded.next().await.unwrap().unwrap();
    assert_eq!(event.involved_object.uid.as_ref(), Some(&stored[0].uid));
    assert_eq!(event.message.as_deref(), Some("Todo CRD by-hand has been add"));

    let (status, list) = instance.get("/api/todo").await;
    assert_eq!(status, 200);
    assert_eq!(list[0]["code"], "by-hand");
}

/// Defects 2, 3: nothing keeps nonsense out; and then nobody can list.
#[tokio::test]
async fn anything_is_stored_and_one_bad_todo_breaks_the_list() {
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::new("anything").await;
    instance.add_informer(&subscriber.url).await;
    let raw = json!({ "raw": "not even JSON" }).to_string().into_bytes();
    let (status, opinion) = instance.post("/api/todo/validate", raw, None).await;
    assert_eq!((status.as_u16(), &opinion["valid"]), (200, &json!(true)));

    instance.kubectl_create(todo("nonsense", json!({ "when": [1], "x": { "y": null } }))).await;
    // The informer does not mind what it is.
    assert!(subscriber.next().await.body["todoId"].is_string());
    let (status, _) = instance.get("/api/todo").await;
    assert_eq!(status, 500);
    assert_eq!(Deployed::classify(500), Outcome::Indeterminate);
}

/// Defect 4.
#[tokio::test]
async fn with_the_webhook_down_writes_go_in_unjudged() {
    let instance = Instance::new("webhook-down").await;
    instance.stop("webhook").await;
    let judged = instance.spans("webhook").len();
    let (status, answer) = instance.create("unjudged", Some(OpId::new(1, 1))).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(instance.spans("webhook").len(), judged);
    assert_eq!(instance.deployed.stored().await.unwrap().len(), 1);
}

/// Defect 5.
#[tokio::test]
async fn each_instance_judges_the_writes_of_the_other() {
    let (one, other) = tokio::join!(Instance::new("kab01"), Instance::new("kab02"));
    let op = OpId::new(5, 5);
    assert_eq!(one.create("mine", Some(op)).await.0, 200);
    other.stop("webhook").await;
    let judged =
        |span: &Span| matches!(span, Span::Webhook { op: Some(found), .. } if *found == op);
    assert!(other.spans("webhook").iter().any(judged));
}

/// Defect 7.
#[tokio::test]
async fn a_delete_is_announced_without_an_id() {
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::new("deleted").await;
    instance.add_informer(&subscriber.url).await;
    assert_eq!(instance.create("gone", None).await.0, 200);
    assert_ne!(subscriber.next().await.body["todoId"], "");
    instance.todos().delete("gone", &DeleteParams::default()).await.unwrap();
    let told = subscriber.next().await;
    assert_eq!(told.body, json!({ "todoId": "", "issuedAt": null }));

    // And the reference subscriber, the gateway, refuses it.
    let body = told.body.to_string().into_bytes();
    assert_eq!(instance.post("/api/todonotifications", body, None).await.0, 400);
}

/// Defects 6 and 8.
#[tokio::test]
async fn a_subscriber_that_is_down_takes_the_informer_with_it() {
    let subscriber = Subscriber::new().await;
    let mut instance = Instance::new("subscriber-down").await;
    instance.add_informer(&subscriber.url).await;
    subscriber.shut_down().await;

    assert_eq!(instance.create("lost", Some(OpId::new(8, 8))).await.0, 200);
    let ended = instance.deployed.child("informer-0").unwrap().ended().await;
    assert_eq!(ended.status, Some(1));
    let log = ended.log_tail.join("\n");
    assert!(log.contains("gave no answer (Connection refused"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    let [Span::Informer { posted: Some(_), status: None, .. }] = &instance.spans("informer-0")[..]
    else {
        panic!("{:?}", instance.spans("informer-0"))
    };
}

/// Defect 9.
#[tokio::test]
async fn a_restarted_informer_announces_everything_again() {
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::new("restarted").await;
    instance.add_informer(&subscriber.url).await;
    for name in ["a", "b"] {
        assert_eq!(instance.create(name, None).await.0, 200);
        subscriber.next().await;
    }
    let first = instance.deployed.pids();
    instance.add_informer(&subscriber.url).await;
    assert_ne!(instance.deployed.pids(), first);
    let mut again = [subscriber.next().await, subscriber.next().await].map(|told| told.revision);
    let mut stored: Vec<_> =
        instance.deployed.stored().await.unwrap().into_iter().map(|todo| todo.rv).collect();
    again.sort();
    stored.sort();
    assert_eq!(again.to_vec(), stored);
    instance.stop("informer-0").await;
    assert_eq!(subscriber.untaken(), 0);
    let listed = |span: &Span| matches!(span, Span::Informer { change: Change::Listed, .. });
    assert!(instance.spans("informer-0").iter().all(listed));
}

/// Defect 10.
#[tokio::test]
async fn notifications_are_forgotten_with_the_process() {
    let mut instance = Instance::new("forgetful").await;
    let gateway = instance.deployed.gateway_url();
    instance.add_informer(&gateway).await;
    assert_eq!(instance.create("remember", None).await.0, 200);
    let known = loop {
        let (_, known) = instance.get("/api/todonotifications").await;
        if known["notifications"] != json!([]) {
            break known;
        }
    };
    let stored = instance.deployed.stored().await.unwrap();
    assert_eq!(known["notifications"][0]["todoId"], stored[0].uid.as_str());
    assert_eq!(known["meta"]["podName"], "gateway-0");

    let again = Instance::new("forgetful").await;
    let (_, known) = again.get("/api/todonotifications").await;
    assert_eq!(known["notifications"], json!([]));
}

/// Defect 11.
#[tokio::test]
async fn every_refusal_is_a_400() {
    let instance = Instance::new("refused").await;
    assert_eq!(instance.create("twice", None).await.0, 200);
    for (code, reason) in [("twice", 409), ("Not A Name", 422)] {
        let (status, answer) = instance.create(code, None).await;
        assert_eq!((status.as_u16(), &answer["code"]), (400, &json!(reason)), "{answer}");
    }
    assert_eq!(Deployed::classify(400), Outcome::Indeterminate);
    instance.stop("gateway").await;
    let api_status = |span: &Span| match span {
        Span::Gateway { status, api_status, .. } => Some((*status, *api_status)),
        _ => None,
    };
    let seen: Vec<_> = instance.spans("gateway").iter().filter_map(api_status).collect();
    assert_eq!(seen, [(200, Some(201)), (400, Some(409)), (400, Some(422))]);
}

/// Not defect 1: the lab's apps may do only what they must.
#[tokio::test]
async fn an_app_may_do_no_more_than_it_must() {
    let instance = Instance::new("privilege").await;
    assert_eq!(instance.create("mine", None).await.0, 200);
    for (app, may_list) in [("gateway", true), ("informer", true)] {
        let kubeconfig = instance.spec.work_dir.join(format!("{app}.kubeconfig"));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&kubeconfig).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "{app}");
        let client = kab_backend::client::connect(&kubeconfig).await.unwrap();
        let todos: Api<kab_backend::entity::Todo> =
            Api::namespaced(client.clone(), &instance.spec.namespace);
        assert_eq!(todos.list(&ListParams::default()).await.is_ok(), may_list, "{app}");
        let (how, which) = (DeleteParams::default(), ListParams::default());
        let refused = todos.delete_collection(&how, &which).await.unwrap_err();
        assert!(matches!(refused, kube::Error::Api(status) if status.code == 403), "{app}");
        let elsewhere: Api<kab_backend::entity::Todo> = Api::namespaced(client, "default");
        assert!(elsewhere.list(&ListParams::default()).await.is_err(), "{app}");
    }
}

#[tokio::test]
async fn nothing_of_an_instance_is_left_after_its_teardown() {
    let mut subscriber = Subscriber::new().await;
    let mut instance = Instance::new("torn-down").await;
    instance.add_informer(&subscriber.url).await;
    assert_eq!(instance.create("short-lived", None).await.0, 200);
    subscriber.next().await;
    let todos = instance.todos();
    let children: Vec<_> = ["gateway", "webhook", "informer-0"]
        .map(|name| instance.deployed.child(name).unwrap().clone())
        .into();
    let admin = instance.admin.clone();
    instance.deployed.teardown().await.unwrap();

    assert!(children.iter().all(|child| child.has_ended().is_some_and(|end| end.success())));
    assert!(todos.list(&ListParams::default()).await.is_ok_and(|list| list.items.is_empty()));
    let hooks: Api<ValidatingWebhookConfiguration> = Api::all(admin.clone());
    let hooks = hooks.get_opt("todos.k8sasbackend.com").await.unwrap();
    let ours = |name: &str| name.starts_with("torn-down.");
    let left = hooks.and_then(|hooks| hooks.webhooks).unwrap_or_default();
    assert!(!left.iter().any(|hook| ours(&hook.name)));
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(admin);
    let ending = wait::await_condition(
        namespaces,
        "torn-down",
        |ns: Option<&k8s_openapi::api::core::v1::Namespace>| {
            ns.is_none_or(|ns| ns.metadata.deletion_timestamp.is_some())
        },
    );
    ending.await.unwrap();
}

//! The hardened system on a real control plane: what each mitigation buys.

// Helpers of tests are tests, to everybody but clippy.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, ResourceQuota, Secret, ServiceAccount,
};
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kab_backend::entity::{Todo, name_of};
use kab_backend::system::Variant;
use kab_evidence::id::OpId;
use kab_evidence::span::Span;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait;
use serde_json::{Value, json};
use support::{Instance, Of, Subscriber, todo};

const WHEN: &str = "2026-01-02T03:04:05Z";

fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

/// A write goes all the way: judged by the webhook, or by the policy without a
/// webhook; and announced with what is needed to act on it.
#[tokio::test]
async fn a_write_is_judged_and_announced() {
    for (namespace, variant) in
        [("all-the-way", Variant::Hardened), ("by-policy", Variant::HardenedPolicy)]
    {
        let mut subscriber = Subscriber::new().await;
        let mut instance = Instance::of(namespace, Of::variant(variant)).await;
        instance.add_informer(&subscriber.url).await;
        let op = OpId::new(3, 14);
        let (status, answer) = instance.create("milk", Some(op)).await;
        assert!(status.is_success(), "{answer}");
        let stored = instance.deployed.stored().await.unwrap().remove(0);
        let told = subscriber.next().await;
        assert_eq!((told.op, &told.revision), (Some(op), &stored.rv));
        assert_eq!(told.key.as_deref(), Some(&*format!("{}/{}", stored.uid, stored.rv)));
        assert_eq!(told.body["todoId"], stored.uid.as_str());
        assert_eq!(
            (&told.body["change"], &told.body["revision"]),
            (&json!("created"), &json!(stored.rv))
        );

        let judged = |span: &Span| matches!(span, Span::Webhook { op: Some(of), .. } if *of == op);
        match variant {
            Variant::Hardened => {
                instance.stop("webhook").await;
                assert!(instance.spans("webhook").iter().any(judged));
            }
            _ => assert!(instance.deployed.child("webhook").is_none()),
        }
        assert!(instance.stop("informer-0").await.success());
        assert_eq!(instance.spans("informer-0").len(), 1);
    }
}

/// Not defect 4; and what the webhook does not judge does not depend on it.
#[tokio::test]
async fn with_the_webhook_down_nothing_unjudged_goes_in() {
    let instance = Instance::hardened("webhook-down").await;
    assert!(instance.create("before", None).await.0.is_success());
    instance.stop("webhook").await;
    let todos = instance.todos();
    let refused =
        todos.create(&PostParams::default(), &todo("after", "m", WHEN)).await.unwrap_err();
    assert_eq!(code(&refused), 500);
    assert!(refused.to_string().contains("failed calling webhook"), "{refused}");
    let names: Vec<_> =
        instance.deployed.stored().await.unwrap().into_iter().map(|todo| todo.name).collect();
    assert_eq!(names, ["before"]);

    let merge = |patch: Value| Patch::Merge(patch);
    let params = PatchParams::default();
    let labelled = merge(json!({ "metadata": { "labels": { "a": "b" } } }));
    todos.patch("before", &params, &labelled).await.unwrap();
    let noted = merge(json!({ "status": { "lastNotified": WHEN } }));
    todos.patch_status("before", &params, &noted).await.unwrap();
    let changed = merge(json!({ "spec": { "message": "other" } }));
    assert_eq!(code(&todos.patch("before", &params, &changed).await.unwrap_err()), 500);
    todos.delete("before", &DeleteParams::default()).await.unwrap();
}

/// Not defect 5.
#[tokio::test]
async fn an_instance_does_not_feel_that_anothers_webhook_is_down() {
    let (one, other) = tokio::join!(Instance::hardened("kab01"), Instance::hardened("kab02"));
    let op = OpId::new(5, 5);
    assert!(one.create("mine", Some(op)).await.0.is_success());
    other.stop("webhook").await;
    let judged =
        |span: &Span| matches!(span, Span::Webhook { op: Some(found), .. } if *found == op);
    assert!(!other.spans("webhook").iter().any(judged));
    assert!(one.create("mine-too", None).await.0.is_success());
    let here = todo("theirs", "m", WHEN);
    assert!(other.todos().create(&PostParams::default(), &here).await.is_err());
}

/// Not defect 1.
#[tokio::test]
async fn an_app_may_do_no_more_than_it_must() {
    let instance = Instance::hardened("privilege").await;
    assert!(instance.create("mine", None).await.0.is_success());
    for app in ["gateway", "informer"] {
        let kubeconfig = instance.spec.work_dir.join(format!("{app}.kubeconfig"));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&kubeconfig).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "{app}");
        let client = instance.as_app(app).await;
        let todos: Api<Todo> = Api::namespaced(client.clone(), "privilege");
        assert!(todos.list(&ListParams::default()).await.is_ok(), "{app}");
        let secrets: Api<Secret> = Api::namespaced(client.clone(), "privilege");
        let refused = secrets.list(&ListParams::default()).await.unwrap_err();
        assert_eq!(code(&refused), 403, "{app}");
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "privilege");
        assert_eq!(code(&maps.get("any").await.unwrap_err()), 403, "{app}");
        let elsewhere: Api<Todo> = Api::namespaced(client, "default");
        assert_eq!(code(&elsewhere.list(&ListParams::default()).await.unwrap_err()), 403, "{app}");
    }
    let todos: Api<Todo> = Api::namespaced(instance.as_app("informer").await, "privilege");
    let refused = todos.delete("mine", &DeleteParams::default()).await.unwrap_err();
    assert_eq!(code(&refused), 403);
}

/// One tenant cannot fill the store.
#[tokio::test]
async fn more_entities_than_the_quota_are_refused() {
    let instance = Instance::of("quota", Of::variant(Variant::Hardened).entities(2)).await;
    let todos = instance.todos();
    let create = async |name: &str| {
        todos.create(&PostParams::default(), &todo(name, "m", WHEN)).await.map(drop)
    };
    create("a").await.unwrap();
    create("b").await.unwrap();
    let refused = create("c").await.unwrap_err();
    assert_eq!(code(&refused), 403);
    assert!(refused.to_string().contains("exceeded quota: todos"), "{refused}");
    // Who deploys again finds what is there.
    let again = Instance::of("quota", Of::variant(Variant::Hardened).entities(3)).await;
    let quotas: Api<ResourceQuota> = Api::namespaced(again.admin.clone(), "quota");
    let status = quotas.get("todos").await.unwrap().status.unwrap();
    assert_eq!(status.used.unwrap()["count/todos.k8sasbackend.com"].0, "2");
    create("c").await.unwrap();
    assert_eq!(code(&create("d").await.unwrap_err()), 403);
}

/// The apiserver names the FlowSchema by which it classified a request.
#[tokio::test]
async fn the_apps_have_a_share_of_the_apiserver_of_their_own() {
    let instance = Instance::hardened("share").await;
    let schemas: Api<FlowSchema> = Api::all(instance.admin.clone());
    let schema = schemas.get("share.todos.k8sasbackend.com").await.unwrap();
    for (app, is_ours) in [("gateway", true), ("informer", true), ("load-0", false)] {
        if app == "load-0" {
            instance.deployed.load_account(0).await.unwrap();
        }
        let client = instance.as_app(app).await;
        let request = http::Request::get("/apis/k8sasbackend.com/v1/namespaces/share/todos");
        let response =
            client.send(request.body(kube::client::Body::empty()).unwrap()).await.unwrap();
        let by = response.headers()["x-kubernetes-pf-flowschema-uid"].to_str().unwrap();
        assert_eq!(Some(by) == schema.metadata.uid.as_deref(), is_ours, "{app}");
    }
}

/// What the definition offers beyond the rules.
#[tokio::test]
async fn lists_can_be_filtered_and_unknown_fields_are_not_kept() {
    let instance = Instance::hardened("filter").await;
    let todos = instance.todos();
    let mut odd = todo("a", "m", WHEN);
    odd.spec["extra"] = json!(1);
    let stored = todos.create(&PostParams::default(), &odd).await.unwrap();
    assert_eq!(stored.spec, json!({ "message": "m", "when": WHEN }));
    todos.create(&PostParams::default(), &todo("b", "m", "2027-01-01T00:00:00Z")).await.unwrap();
    let filter = ListParams::default().fields(&format!("spec.when={WHEN}"));
    let found = todos.list(&filter).await.unwrap().items;
    assert_eq!(found.iter().map(Todo::name).collect::<Vec<_>>(), ["a"]);

    // A business code does not change.
    let name = name_of("Not A Name");
    let mut coded = todo(&name, "m", WHEN);
    coded.spec["code"] = json!("Not A Name");
    let mut coded = todos.create(&PostParams::default(), &coded).await.unwrap();
    coded.spec["code"] = json!("Another");
    let refused = todos.replace(&name, &PostParams::default(), &coded).await.unwrap_err();
    assert!(refused.to_string().contains("code: must not be changed"), "{refused}");
}

/// Adds the kind to `left` if there is an object of the instance `name`.
async fn look<K>(of: Api<K>, name: &str, left: &mut Vec<String>)
where
    K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let all = of.list_metadata(&ListParams::default()).await.unwrap();
    let ours = |object: &kube::api::PartialObjectMeta<K>| {
        object.metadata.namespace.as_deref() == Some(name)
            || object.metadata.name.as_ref().is_some_and(|found| found.starts_with(name))
    };
    if all.items.iter().any(ours) {
        left.push(K::kind(&()).into_owned());
    }
}

/// The kinds of which the instance `name` has objects.
async fn left(admin: &kube::Client, name: &str) -> Vec<String> {
    let mut left = Vec::new();
    look::<Todo>(Api::namespaced(admin.clone(), name), name, &mut left).await;
    look::<RoleBinding>(Api::namespaced(admin.clone(), name), name, &mut left).await;
    look::<Role>(Api::namespaced(admin.clone(), name), name, &mut left).await;
    look::<ServiceAccount>(Api::namespaced(admin.clone(), name), name, &mut left).await;
    look::<ResourceQuota>(Api::namespaced(admin.clone(), name), name, &mut left).await;
    look::<Lease>(Api::namespaced(admin.clone(), name), name, &mut left).await;
    look::<Event>(Api::namespaced(admin.clone(), name), name, &mut left).await;
    look::<FlowSchema>(Api::all(admin.clone()), name, &mut left).await;
    look::<PriorityLevelConfiguration>(Api::all(admin.clone()), name, &mut left).await;
    look::<ValidatingWebhookConfiguration>(Api::all(admin.clone()), name, &mut left).await;
    look::<ValidatingAdmissionPolicy>(Api::all(admin.clone()), name, &mut left).await;
    look::<ValidatingAdmissionPolicyBinding>(Api::all(admin.clone()), name, &mut left).await;
    left
}

const COMMON: [&str; 9] = [
    "Todo",
    "RoleBinding",
    "Role",
    "ServiceAccount",
    "ResourceQuota",
    "Lease",
    "Event",
    "FlowSchema",
    "PriorityLevelConfiguration",
];

#[tokio::test]
async fn nothing_of_an_instance_is_left_after_its_teardown() {
    for (name, variant) in
        [("torn-webhook", Variant::Hardened), ("torn-policy", Variant::HardenedPolicy)]
    {
        let subscriber = Subscriber::new().await;
        subscriber.answer(500);
        // The namespace was there before: nothing goes with it.
        let first = Instance::hardened("torn-first").await;
        let namespaces: Api<Namespace> = Api::all(first.admin.clone());
        let namespace: Namespace =
            serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        let mut instance = Instance::of(name, Of::variant(variant).attempts(1)).await;
        instance.deployed.load_account(0).await.unwrap();
        instance.deployed.watch_account().await.unwrap();
        instance.add_informers(2, &subscriber.url).await;
        assert!(instance.create("short-lived", None).await.0.is_success());
        let admin = instance.admin.clone();
        let events: Api<Event> = Api::namespaced(admin.clone(), name);
        support::first(events).await;
        let judges: &[&str] = match variant {
            Variant::Hardened => &["ValidatingWebhookConfiguration"],
            _ => &["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
        };
        assert_eq!(left(&admin, name).await, [&COMMON, judges].concat());
        instance.deployed.teardown().await.unwrap();
        assert_eq!(left(&admin, name).await, [""; 0]);
        assert!(namespaces.get_opt(name).await.unwrap().is_some());
    }
}

/// A namespace of its own goes with it.
#[tokio::test]
async fn the_namespace_goes_if_it_was_made() {
    let instance = Instance::hardened("torn-whole").await;
    let namespaces: Api<Namespace> = Api::all(instance.admin.clone());
    instance.deployed.teardown().await.unwrap();
    let ending = |namespace: Option<&Namespace>| {
        namespace.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some())
    };
    wait::await_condition(namespaces, "torn-whole", ending).await.unwrap();
}

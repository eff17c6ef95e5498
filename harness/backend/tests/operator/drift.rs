//! What others change or delete is put right, and told.

use kab_backend::defect::Defects;
use kab_backend::operator::FIRST;
use kab_backend::system::Variant;
use kube::ResourceExt;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::ground::Ground;

/// An object, and how somebody changes it: a path in it, and what is then there.
struct Drift {
    group: &'static str,
    plural: &'static str,
    name: &'static str,
    path: &'static str,
    value: Value,
}

fn drifts() -> Vec<Drift> {
    const GLOBAL: &str = "drift.kab01.k8s-as-backend.example.com";
    let drift = |group, plural, name, path, value| Drift { group, plural, name, path, value };
    let label = "/metadata/labels/app.kubernetes.io~1managed-by";
    vec![
        drift("", "configmaps", "kab01-app", "/data/gateway.json", json!("{}")),
        drift("", "configmaps", "kab01-webhook", "/data/webhook.json", json!("{}")),
        drift("", "secrets", "kab01-tls", "/data/tls.key", json!("bm8ga2V5")),
        drift("", "secrets", "kab01-tls", label, json!("me")),
        drift(
            "",
            "services",
            "kab01-app",
            "/spec/selector/app.kubernetes.io~1component",
            json!("x"),
        ),
        drift("", "services", "kab01-webhook", "/spec/ports/0/targetPort", json!(1)),
        drift("", "serviceaccounts", "kab01-app", "/automountServiceAccountToken", json!(false)),
        drift("", "serviceaccounts", "kab01-webhook", label, json!("me")),
        drift(
            "",
            "resourcequotas",
            "kab01-todos",
            "/spec/hard/count~1todos.k8sasbackend.com",
            json!("1"),
        ),
        drift("apps", "deployments", "kab01-app", "/spec/replicas", json!(0)),
        drift(
            "apps",
            "deployments",
            "kab01-webhook",
            "/spec/template/spec/containers/0/image",
            json!("x"),
        ),
        drift("networking.k8s.io", "ingresses", "kab01-app", "/spec/rules/0/host", json!("x.y")),
        drift("rbac.authorization.k8s.io", "roles", "kab01-app", "/rules/0/verbs", json!(["*"])),
        drift(
            "rbac.authorization.k8s.io",
            "rolebindings",
            "kab01-app-role",
            "/subjects/0/name",
            json!("x"),
        ),
        drift(
            "flowcontrol.apiserver.k8s.io",
            "flowschemas",
            GLOBAL,
            "/spec/matchingPrecedence",
            json!(9999),
        ),
        drift(
            "flowcontrol.apiserver.k8s.io",
            "prioritylevelconfigurations",
            GLOBAL,
            "/spec/limited/nominalConcurrencyShares",
            json!(1),
        ),
        drift(
            "admissionregistration.k8s.io",
            "validatingwebhookconfigurations",
            GLOBAL,
            "/webhooks/0/failurePolicy",
            json!("Ignore"),
        ),
        drift(
            "apiextensions.k8s.io",
            "customresourcedefinitions",
            "todos.k8sasbackend.com",
            "/spec/names/shortNames",
            json!(null),
        ),
    ]
}

fn whole(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}

#[tokio::test]
async fn every_kind_of_object_is_put_right_and_it_is_told() {
    let ground = Ground::new("drift", Variant::Hardened, Defects::none()).await;
    let deployed = ground.deploy().await;
    for Drift { group, plural, name, path, value } in drifts() {
        let api = ground.api(group, plural).await;
        let before = api.get(name).await.unwrap();
        let title = format!("{} {name}", before.types.as_ref().unwrap().kind);
        let changed = format!("{title} was changed by somebody else");
        // Changed. The definition says too little to be changed and remain one.
        if value != json!(null) {
            let was = whole(&before).pointer(path).cloned().unwrap();
            assert_ne!(was, value, "{title}");
            let patch = json!([{ "op": "replace", "path": path, "value": value }]);
            let patch = Patch::<()>::Json(serde_json::from_value(patch).unwrap());
            api.patch(name, &PatchParams::default(), &patch).await.unwrap();
            // A key that is gone is no key: it is another one then.
            let remade = path == "/data/tls.key";
            let right = |object: &DynamicObject| {
                let found = whole(object).pointer(path).cloned();
                if remade { found.as_ref() != Some(&value) } else { found.as_ref() == Some(&was) }
            };
            ground.becomes(&api, name, &format!("put right at {path}"), right).await;
            ground.told_of("DriftRepaired", &changed, before.uid().as_deref()).await;
        }
        // Deleted. Todos go with their definition, so this comes last.
        let before = api.get(name).await.unwrap();
        api.delete(name, &DeleteParams::default()).await.unwrap();
        let anew = |object: &DynamicObject| object.uid() != before.uid();
        let anew = ground.becomes(&api, name, "made anew", anew).await;
        let deleted = format!("{title} was deleted by somebody else");
        ground.told_of("DriftRepaired", &deleted, anew.uid().as_deref()).await;
    }
    deployed.ready("drift", FIRST).await.unwrap();
    deployed.delete_instance("drift", FIRST).await.unwrap();
    assert_eq!(ground.everything_of("drift", FIRST).await, Vec::<String>::new());
}

/// Nobody interferes: nothing is told to be repaired, and nothing written.
#[tokio::test]
async fn what_is_in_line_is_left_alone() {
    let ground = Ground::new("calm", Variant::Hardened, Defects::none()).await;
    let mut deployed = ground.deploy().await;
    let deployments = ground.api("apps", "deployments").await;
    let before = deployments.get("kab01-app").await.unwrap();
    // Another operator looks at everything anew.
    deployed.operator().stop(super::ground::PATIENCE).await;
    deployed.restart_operator(&Default::default(), &ground.supervisor).await.unwrap();
    // It has when it has told of a change that comes after.
    let services = ground.api("", "services").await;
    let patch = json!({ "spec": { "selector": { "app.kubernetes.io/component": "x" } } });
    services.patch("kab01-app", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    ground.told("DriftRepaired", "Service kab01-app").await;
    assert_eq!(ground.events("DriftRepaired").await.len(), 1);
    assert!(ground.events("Changed").await.is_empty());
    let after = deployments.get("kab01-app").await.unwrap();
    assert_eq!(after.resource_version(), before.resource_version());
    deployed.delete_instance("calm", FIRST).await.unwrap();
}

/// A container that ends is started again, and counts only when it runs.
#[tokio::test]
async fn a_container_that_dies_is_started_again() {
    let ground = Ground::new("dies", Variant::Hardened, Defects::none()).await;
    let deployed = ground.deploy().await;
    let mut deaths = deployed.standin().deaths();
    let victim = deployed.child(FIRST, "gateway").unwrap();
    let deployments = ground.api("apps", "deployments").await;
    let ready = |count: u64| {
        move |object: &DynamicObject| {
            // None is not written down.
            let ready = object.data.pointer("/status/readyReplicas");
            ready.and_then(Value::as_u64).unwrap_or(0) == count
        }
    };
    // Killed when the watch is under way: else it may come too late.
    let not_ready = |object: &DynamicObject| {
        victim.kill();
        ready(0)(object)
    };
    ground.becomes(&deployments, "kab01-app", "not ready", not_ready).await;
    ground.becomes(&deployments, "kab01-app", "ready", ready(1)).await;
    let successor = deployed.child(FIRST, "gateway").unwrap();
    assert_ne!(successor.pid(), victim.pid());
    // Killed by whoever has the handle, it was asked for: no death is told.
    assert!(deaths.try_recv().is_err());
    deployed.ready("dies", FIRST).await.unwrap();
    deployed.delete_instance("dies", FIRST).await.unwrap();
}

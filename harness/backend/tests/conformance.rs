//! The conformance suite against real servers: directly, as the gateway has a
//! store, and through the gateway, as applications have it.

// Helpers of tests are tests, to everybody but clippy.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kab_backend::client::connect;
use kab_backend::conformance::{Finding, Trial, Verdict, run};
use kab_backend::defect::{Defect, Defects};
use kab_backend::entity::{CRD_NAME, Todo};
use kab_backend::store::kubernetes::KubernetesStore;
use kab_backend::store::remote::{self, RemoteStore};
use kab_backend::store::{Difference, Draft, Notice, Notices, Position, Refused, Revision, Store};
use kab_evidence::id::OpId;
use kab_evidence::span::Span;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use support::{Instance, Plane};

/// Runs the suite, and checks that nothing has failed and that just `wanted`
/// was met with.
async fn passes<S: Store>(store: &S, tag: &str) {
    // No watch cache is as old as etcd.
    let trial = Trial { tag: tag.to_owned(), ancient: Revision("1".to_owned()) };
    let findings = run(store, &trial).await;
    let failed: Vec<_> = findings.iter().filter(|f| f.failed()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let differs = |finding: &Finding| matches!(finding.verdict, Verdict::Differs(_));
    assert_eq!(findings.iter().any(differs), !store.differences().is_empty());
}

async fn direct(instance: &Instance) -> KubernetesStore {
    let gateway = connect(&instance.spec.work_dir.join("gateway.kubeconfig")).await.unwrap();
    KubernetesStore::new(gateway, &instance.spec.namespace, &instance.spec.defects)
}

async fn through_gateway(instance: &Instance) -> RemoteStore {
    let behind = direct(instance).await.differences();
    let differences = remote::differences(&behind, &instance.spec.defects);
    RemoteStore::new(&instance.deployed.gateway_url(), differences)
}

#[tokio::test]
async fn naive() {
    let instance = Instance::new("conform").await;
    passes(&direct(&instance).await, "direct").await;
    let gateway = through_gateway(&instance).await;
    assert!(gateway.differences().contains(&Difference::OneRefusal));
    passes(&gateway, "gateway").await;
    every_write_leaves_a_span(&instance, &gateway).await;
}

/// Also of updates and deletes; a removal's revision nobody says.
async fn every_write_leaves_a_span(instance: &Instance, gateway: &RemoteStore) {
    let [create, update, delete] = [1, 2, 3].map(|n| OpId::new(9, n));
    let when = "2030-01-01T00:00:00Z";
    let draft = Draft { code: "spanned".into(), message: "m".into(), when: when.into() };
    let made = gateway.create(Some(create), &draft).await.answer.unwrap();
    let draft = Draft { message: "other".into(), ..draft };
    let updated = gateway.update(Some(update), &draft, None).await.answer.unwrap();
    gateway.delete(Some(delete), "spanned", None).await.answer.unwrap();
    instance.stop("gateway").await;
    let spans = instance.spans("gateway");
    let of = |wanted: OpId| {
        spans.iter().find_map(|span| match span {
            Span::Gateway {
                op, api_sent, api_done, uid, rv, api_status: Some(200 | 201), ..
            } if *op == Some(wanted) && api_sent < api_done => Some((uid.clone(), rv.clone())),
            _ => None,
        })
    };
    let id = Some(made.id);
    assert_eq!(of(create), Some((id.clone(), Some(made.revision.0))));
    assert_eq!(of(update), Some((id.clone(), Some(updated.revision.0))));
    assert_eq!(of(delete), Some((id, None)));
}

/// A definition that knows the rules, and what can be asked for.
fn definition() -> serde_json::Value {
    let spec = json!({
        "type": "object", "required": ["message", "when"],
        "properties": {
            "code": { "type": "string", "maxLength": 1024 },
            "message": { "type": "string", "maxLength": 1 << 20, "pattern": r"\S" },
            "when": {
                "type": "string", "format": "date-time", "maxLength": 40,
                "x-kubernetes-validations": [{
                    "rule": "self.getFullYear() >= 2000 && self.getFullYear() <= 2099",
                }],
            },
        },
        "x-kubernetes-validations": [{
            "rule": "self.when - oldSelf.when <= duration('87600h')",
        }],
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": CRD_NAME },
        "spec": {
            "group": "k8sasbackend.com", "scope": "Namespaced",
            "names": {
                "plural": "todos", "singular": "todo", "kind": "Todo", "listKind": "TodoList",
            },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": { "status": {} },
                "selectableFields": [{ "jsonPath": ".spec.when" }],
                "schema": { "openAPIV3Schema": {
                    "type": "object", "required": ["spec"],
                    "properties": {
                        "spec": spec,
                        "status": {
                            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                        },
                    },
                } },
            }],
        },
    })
}

/// A system whose rules are in its definition.
async fn strict(namespace: &str) -> Instance {
    let plane = Arc::new(Plane::start().await);
    let defects = Defects::from_iter([Defect::AlwaysValid]);
    let instance = Instance::on(plane, namespace, defects).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(instance.admin.clone());
    let force = PatchParams::apply("strict").force();
    definitions.patch(CRD_NAME, &force, &Patch::Apply(definition())).await.unwrap();
    // Served a moment later.
    let todos = instance.todos();
    let mut nothing = Todo::default();
    nothing.metadata.name = Some("nothing".to_owned());
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    while todos.create(&dry_run, &nothing).await.is_ok() {}
    instance
}

#[tokio::test]
async fn with_rules_in_the_definition() {
    let instance = strict("strict").await;
    passes(&direct(&instance).await, "direct").await;
    passes(&through_gateway(&instance).await, "gateway").await;
    notices_are_kept(&instance).await;
}

/// Two replicas know the same, and what is told of a Todo changes nothing of it.
async fn notices_are_kept(instance: &Instance) {
    let (one, other) = (direct(instance).await, direct(instance).await);
    let gateway = through_gateway(instance).await;
    let draft = Draft {
        code: "Noticed, not named".into(),
        message: "m".into(),
        when: "2030-01-01T00:00:00Z".into(),
    };
    let made = gateway.create(None, &draft).await.answer.unwrap();
    let mut changes = one.changes(Position::After(made.revision.clone())).await.answer.unwrap();
    for (at, code) in [("first", Some(&*made.code)), ("last", None)] {
        let notice = Notice { todo_id: made.id.clone(), issued_at: at.to_owned() };
        one.keep(&notice, code).await.unwrap();
        let kept = other.kept().await.unwrap();
        assert_eq!(kept, [notice]);
    }
    // Of what is gone, nothing.
    let gone = Notice { todo_id: "gone".to_owned(), issued_at: "t".to_owned() };
    one.keep(&gone, Some("gone")).await.unwrap();
    one.keep(&gone, None).await.unwrap();
    let (status, known) = instance.get("/api/todonotifications").await;
    assert_eq!(status, 200);
    assert_eq!(known["notifications"], json!([{ "todoId": made.id, "issuedAt": "last" }]));

    let found = gateway.get(None, &made.code).await.answer.unwrap();
    assert_eq!(found.revision, made.revision);
    let updated = gateway.update(None, &draft, Some(&made.revision)).await.answer.unwrap();
    let changed = Draft { message: "other".into(), ..draft };
    let updated = gateway.update(None, &changed, Some(&updated.revision)).await.answer.unwrap();
    // The notices were no changes.
    let told = futures::StreamExt::next(&mut changes).await.unwrap().unwrap();
    assert_eq!((told.entity.message.as_str(), told.entity.revision), ("other", updated.revision));
    let stale = gateway.delete(None, &made.code, Some(&made.revision)).await.answer;
    assert!(matches!(stale, Err(Refused::Conflict(_))), "{stale:?}");
}

//! Made, changed, deleted; alone and side by side.

use std::time::Duration;

use kab_backend::defect::{Defect, Defects};
use kab_backend::operator::{FIRST, instance};
use kab_backend::system::Variant;
use kab_evidence::id::OpId;
use kab_evidence::span::Span;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::ground::{Ground, create, gateway};

const GRACE: Duration = Duration::from_secs(5);

/// Everything that there is of a hardened instance.
fn hardened(namespace: &str, name: &str) -> Vec<String> {
    let global = format!("{namespace}.{name}.k8s-as-backend.example.com");
    let mut all = vec![
        format!("ConfigMap {name}-app"),
        format!("ConfigMap {name}-webhook"),
        format!("Deployment {name}-app"),
        format!("Deployment {name}-webhook"),
        format!("FlowSchema {global}"),
        format!("Ingress {name}-app"),
        format!("PriorityLevelConfiguration {global}"),
        format!("ResourceQuota {name}-todos"),
        format!("Role {name}-app"),
        format!("RoleBinding {name}-app-role"),
        format!("Secret {name}-tls"),
        format!("Service {name}-app"),
        format!("Service {name}-webhook"),
        format!("ServiceAccount {name}-app"),
        format!("ServiceAccount {name}-webhook"),
        format!("ValidatingWebhookConfiguration {global}"),
    ];
    all.sort();
    all
}

async fn definitions(ground: &Ground) -> usize {
    let definitions = ground.api("apiextensions.k8s.io", "customresourcedefinitions").await;
    let all = definitions.list(&ListParams::default()).await.unwrap();
    all.iter().filter(|definition| definition.name_any() == "todos.k8sasbackend.com").count()
}

#[tokio::test]
async fn an_instance_is_made_works_and_leaves_nothing() {
    let ground = Ground::new("made", Variant::Hardened, Defects::none()).await;
    let deployed = ground.deploy().await;
    assert_eq!(ground.everything_of("made", FIRST).await, hardened("made", FIRST));
    assert_eq!(definitions(&ground).await, 1);

    let backend = deployed.ready("made", FIRST).await.unwrap();
    let status = backend.status.as_ref().unwrap();
    assert_eq!(status.product_version.as_deref(), Some("1.0.0"));
    assert_eq!(status.observed_generation, backend.metadata.generation.unwrap());
    for (condition, expected) in
        [("Ready", "True"), ("Progressing", "False"), ("Degraded", "False")]
    {
        assert_eq!(backend.condition(condition).unwrap().status, expected, "{condition}");
    }
    ground.told("Created", "created CustomResourceDefinition todos.k8sasbackend.com").await;

    let op = OpId::new(5, 1);
    let (code, answer) = create(deployed.gateway_url(), "milk", "hello", op).await;
    assert!(code.is_success(), "{code} {answer}");

    deployed.delete_instance("made", FIRST).await.unwrap();
    assert_eq!(ground.everything_of("made", FIRST).await, Vec::<String>::new());
    let definitions = ground.api("apiextensions.k8s.io", "customresourcedefinitions").await;
    let gone = kube::runtime::wait::await_condition(
        definitions,
        "todos.k8sasbackend.com",
        |definition: Option<&kube::api::DynamicObject>| definition.is_none(),
    );
    tokio::time::timeout(super::ground::PATIENCE, gone).await.unwrap().unwrap();
    deployed.stop(GRACE).await;
    // Its processes have ended, so what they saw is complete.
    let judged = |span: &Span| matches!(span, Span::Webhook { op: Some(of), .. } if *of == op);
    assert!(ground.spans("webhook").iter().any(judged));
}

#[tokio::test]
async fn a_policy_takes_the_webhooks_place_and_the_other_way_round() {
    let ground = Ground::new("policy", Variant::HardenedPolicy, Defects::none()).await;
    let deployed = ground.deploy().await;
    let found = ground.everything_of("policy", FIRST).await;
    let global = "policy.kab01.k8s-as-backend.example.com";
    let policy = [
        format!("ValidatingAdmissionPolicy {global}"),
        format!("ValidatingAdmissionPolicyBinding {global}"),
    ];
    assert!(policy.iter().all(|object| found.contains(object)), "{found:?}");
    assert!(!found.iter().any(|object| object.contains("webhook")), "{found:?}");

    // The apiserver learns of a policy a moment after it has taken it.
    let mut refused = false;
    for n in 0..1000 {
        let (code, answer) =
            create(deployed.gateway_url(), &format!("blank-{n}"), " ", OpId::new(6, n)).await;
        refused = !code.is_success() && answer.to_string().contains("must not be blank");
        if refused {
            break;
        }
    }
    assert!(refused);
    let (code, answer) = create(deployed.gateway_url(), "milk", "hello", OpId::new(6, 5000)).await;
    assert!(code.is_success(), "{code} {answer}");

    let mut wanted = instance(&ground.spec);
    wanted.variant = Variant::Hardened;
    deployed.make("policy", FIRST, &wanted).await.unwrap();
    let found = ground.everything_of("policy", FIRST).await;
    assert_eq!(found, hardened("policy", FIRST));
    deployed.delete_instance("policy", FIRST).await.unwrap();
}

#[tokio::test]
async fn size_and_version_are_rolled_out() {
    let ground = Ground::new("rolled", Variant::Hardened, Defects::none()).await;
    let deployed = ground.deploy().await;
    let before = deployed.child(FIRST, "gateway").unwrap().pid();

    let mut wanted = instance(&ground.spec);
    wanted.size = 3;
    let backend = deployed.make("rolled", FIRST, &wanted).await.unwrap();
    let gateways = deployed.containers(FIRST, "gateway");
    assert_eq!(gateways.len(), 3);
    assert!(gateways.iter().any(|gateway| gateway.child.pid() == before));
    let address = gateway(&backend);

    wanted.product_version = "2.0.0".to_owned();
    wanted.size = 2;
    let backend = deployed.make("rolled", FIRST, &wanted).await.unwrap();
    let status = backend.status.as_ref().unwrap();
    assert_eq!(status.product_version.as_deref(), Some("2.0.0"));
    let gateways = deployed.containers(FIRST, "gateway");
    assert_eq!(gateways.len(), 2);
    assert!(gateways.iter().all(|gateway| gateway.child.pid() != before));
    assert_eq!(gateway(&backend), address);
    let pods = ground.api("apps", "deployments").await.get("kab01-app").await.unwrap();
    let image = pods.data.pointer("/spec/template/spec/containers/0/image");
    assert_eq!(image.unwrap(), "kab:2.0.0");
    ground.told("Upgraded", "upgraded from 1.0.0 to 2.0.0").await;
    assert!(ground.events("DriftRepaired").await.is_empty());
    let (code, answer) = create(&address, "milk", "hello", OpId::new(7, 1)).await;
    assert!(code.is_success(), "{code} {answer}");
    deployed.delete_instance("rolled", FIRST).await.unwrap();
}

#[tokio::test]
async fn what_the_apiserver_refuses_is_in_the_conditions() {
    let ground = Ground::new("refused", Variant::Hardened, Defects::none()).await;
    let deployed = ground.deploy().await;
    let mut wanted = instance(&ground.spec);
    wanted.image = Some(String::new());
    let instances = ground.api("k8s-as-backend.example.com", "k8sasbackends").await;
    let degraded = |object: &kube::api::DynamicObject| {
        let value = serde_json::to_value(object).unwrap();
        let backend: kab_backend::app::operator::K8sAsBackend =
            serde_json::from_value(value).unwrap();
        let degraded = backend.condition("Degraded").unwrap().clone();
        degraded.status == "True"
            && degraded.message.contains("applying Deployment kab01-app: ")
            && degraded.message.contains("containers[0].image: Required value")
            && degraded.observed_generation == backend.metadata.generation
            && !backend.is_ready()
            // What runs goes on.
            && gateway(&backend) == deployed.gateway_url()
    };
    tokio::select! {
        made = deployed.make("refused", FIRST, &wanted) => panic!("{made:?}"),
        _ = ground.becomes(&instances, FIRST, "degraded", degraded) => {}
    }
    ground.told("Failed", "applying Deployment kab01-app").await;
    // A mended wish is taken up.
    let (code, answer) = create(deployed.gateway_url(), "milk", "hello", OpId::new(8, 1)).await;
    assert!(code.is_success(), "{code} {answer}");
    deployed.make("refused", FIRST, &instance(&ground.spec)).await.unwrap();

    // A name that Services cannot have.
    let wanted = instance(&ground.spec);
    let odd = deployed.make("refused", "kab.dotted", &wanted);
    let object = async {
        let named = |object: &kube::api::DynamicObject| {
            object.data.pointer("/status/conditions").is_some_and(|conditions| {
                conditions.to_string().contains("cannot be that of an instance")
            })
        };
        ground.becomes(&instances, "kab.dotted", "refused", named).await
    };
    tokio::select! {
        made = odd => panic!("{made:?}"),
        _ = object => {}
    }
    deployed.delete_instance("refused", "kab.dotted").await.unwrap();
    deployed.delete_instance("refused", FIRST).await.unwrap();
}

#[tokio::test]
async fn two_instances_live_side_by_side() {
    for defects in [Defects::none(), Defects::none().with(Defect::SharedWebhook, true)] {
        let ground = Ground::new("side", Variant::Hardened, defects.clone()).await;
        let deployed = ground.deploy().await;
        let wanted = instance(&ground.spec);
        // One beside it, and one of the same name elsewhere.
        let second = deployed.make("side", "kab02", &wanted).await.unwrap();
        let third = deployed.make("elsewhere", FIRST, &wanted).await.unwrap();
        deployed.delete_instance("side", FIRST).await.unwrap();
        assert_eq!(ground.everything_of("side", FIRST).await, Vec::<String>::new());
        assert_eq!(definitions(&ground).await, 1);
        if defects == Defects::none() {
            assert_eq!(ground.everything_of("side", "kab02").await, hardened("side", "kab02"));
            assert_eq!(
                ground.everything_of("elsewhere", FIRST).await,
                hardened("elsewhere", FIRST)
            );
        } else {
            let api = ground.api("admissionregistration.k8s.io", "validatingwebhookconfigurations");
            let shared = api.await.get("todos.k8sasbackend.com").await.unwrap();
            assert_eq!(shared.data["webhooks"].as_array().unwrap().len(), 2);
        }
        for (n, backend) in [(1, second), (2, third)] {
            let code = format!("milk-{n}");
            let (status, answer) = create(&gateway(&backend), &code, "m", OpId::new(9, n)).await;
            assert!(status.is_success(), "{status} {answer}");
        }
        deployed.delete_instance("side", "kab02").await.unwrap();
        deployed.delete_instance("elsewhere", FIRST).await.unwrap();
        let api = ground.api("admissionregistration.k8s.io", "validatingwebhookconfigurations");
        let left = api.await.list(&ListParams::default()).await.unwrap();
        assert_eq!(left.items.len(), 0, "{left:?}");
    }
}

/// Defect 14: what its deletion leaves is found by the search that finds
/// nothing otherwise; and nothing that was made is ever changed.
#[tokio::test]
async fn an_operator_that_makes_once_leaves_everything() {
    let defects = Defects::none().with(Defect::MakeOnceOperator, true);
    let ground = Ground::new("once", Variant::Hardened, defects).await;
    let deployed = ground.deploy().await;
    let pid = deployed.child(FIRST, "gateway").unwrap().pid();
    let mut wanted = instance(&ground.spec);
    wanted.product_version = "2.0.0".to_owned();
    deployed.make("once", FIRST, &wanted).await.unwrap();
    assert_eq!(deployed.child(FIRST, "gateway").unwrap().pid(), pid);

    deployed.delete_instance("once", FIRST).await.unwrap();
    let left = ground.everything_of("once", FIRST).await;
    let webhook = "ValidatingWebhookConfiguration once.kab01.k8s-as-backend.example.com";
    assert!(left.iter().any(|object| object == webhook), "{left:?}");
    // Mended, the operator finds what is left and takes it down.
    let mended =
        kab_backend::app::operator::BackendSpec { defects: Some(Defects::none()), ..wanted };
    deployed.make("once", FIRST, &mended).await.unwrap();
    deployed.delete_instance("once", FIRST).await.unwrap();
    assert_eq!(ground.everything_of("once", FIRST).await, Vec::<String>::new());
}

/// Defects 1, 5 and 15 are in the objects of an instance that has them.
#[tokio::test]
async fn a_naive_instance_has_the_origins_faults() {
    let defects = Defects::all().with(Defect::MakeOnceOperator, false);
    let ground = Ground::new("naive", Variant::Naive, defects).await;
    let deployed = ground.deploy().await;
    let second = deployed.make("naive", "kab02", &instance(&ground.spec)).await.unwrap();
    let bindings = ground.api("rbac.authorization.k8s.io", "rolebindings").await;
    let binding = bindings.get("kab01-app-clusterrole").await.unwrap();
    assert_eq!(binding.data["roleRef"]["name"], "cluster-admin");
    let webhooks = ground.api("admissionregistration.k8s.io", "validatingwebhookconfigurations");
    let shared = webhooks.await.get("todos.k8sasbackend.com").await.unwrap();
    let hooks = shared.data["webhooks"].as_array().unwrap();
    assert_eq!(hooks.len(), 2);
    assert!(hooks.iter().all(|hook| hook["failurePolicy"] == "Ignore"));
    assert_eq!(hooks[0]["rules"][0]["operations"][0], "*");
    let secrets: Api<kube::api::DynamicObject> = ground.api("", "secrets").await;
    let (one, other) =
        (secrets.get("kab01-tls").await.unwrap(), secrets.get("kab02-tls").await.unwrap());
    assert_eq!(one.data["data"]["tls.crt"], other.data["data"]["tls.crt"]);
    let (code, answer) = create(&gateway(&second), "milk", "hello", OpId::new(10, 1)).await;
    assert!(code.is_success(), "{code} {answer}");
    deployed.delete_instance("naive", FIRST).await.unwrap();
    deployed.delete_instance("naive", "kab02").await.unwrap();
    assert_eq!(ground.everything_of("naive", FIRST).await, Vec::<String>::new());
}

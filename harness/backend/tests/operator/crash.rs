//! An operator that dies in the middle: the next one finishes.

use kab_backend::defect::Defects;
use kab_backend::operator::{FIRST, Options, install, instance, start_operator};
use kab_backend::standin::{StandIn, StandInSpec};
use kab_backend::system::Variant;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use serde_json::json;

use super::ground::{Ground, PATIENCE};

/// Objects of a hardened instance and the definition; what is deleted again
/// is as many.
const OBJECTS: u32 = 17;

fn dying_after(count: u32) -> Options {
    Options { die_after: Some(count), ..Options::default() }
}

async fn begin(ground: &Ground) -> Api<DynamicObject> {
    install(&ground.admin).await.unwrap();
    let namespaces = ground.api("", "namespaces").await;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": ground.spec.namespace },
    });
    let namespace = serde_json::from_value(namespace).unwrap();
    match namespaces.create(&PostParams::default(), &namespace).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => panic!("{error}"),
    }
    ground.api("k8s-as-backend.example.com", "k8sasbackends").await
}

#[tokio::test]
async fn wherever_an_operator_dies_the_next_one_finishes() {
    let ground = Ground::new("crash", Variant::Hardened, Defects::none()).await;
    let instances = begin(&ground).await;
    let object = json!({
        "apiVersion": "k8s-as-backend.example.com/v1alpha1", "kind": "K8sAsBackend",
        "metadata": { "name": FIRST }, "spec": instance(&ground.spec),
    });
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let standin = StandIn::start(StandInSpec::of(&ground.spec)).await.unwrap();
    for count in 1..=OBJECTS {
        instances.create(&PostParams::default(), &object).await.unwrap();
        // Dies while it makes...
        let options = dying_after(count);
        let dying = start_operator(&ground.spec, &options, &ground.supervisor).await;
        let ended = tokio::time::timeout(PATIENCE, dying.unwrap().ended()).await;
        assert!(ended.expect("it did not die").signal.is_some(), "{}", ground.logs());
        // ... and the next, which finishes, while it deletes: it has changed
        // as many objects as were missing by then, and dies at the first, the
        // second, ... that it deletes.
        let missing = OBJECTS - count;
        let options = dying_after(missing + count);
        let next = start_operator(&ground.spec, &options, &ground.supervisor).await.unwrap();
        let ready = |object: &DynamicObject| {
            let conditions = object.data.pointer("/status/conditions");
            conditions.and_then(|all| all.pointer("/0/status")).is_some_and(|is| is == "True")
        };
        ground.becomes(&instances, FIRST, "ready", ready).await;
        // 16 with its labels; the definition is everybody's.
        assert_eq!(ground.everything_of("crash", FIRST).await.len(), 16, "{count}");
        assert!(ground.events("DriftRepaired").await.is_empty(), "{count}");

        instances.delete(FIRST, &DeleteParams::default()).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, next.ended()).await;
        assert!(ended.expect("it did not die").signal.is_some(), "{}", ground.logs());
        let last = start_operator(&ground.spec, &Options::default(), &ground.supervisor).await;
        let gone = kube::runtime::wait::await_condition(
            instances.clone(),
            FIRST,
            |object: Option<&DynamicObject>| object.is_none(),
        );
        tokio::time::timeout(PATIENCE, gone).await.expect("it is still there").unwrap();
        assert_eq!(ground.everything_of("crash", FIRST).await, Vec::<String>::new(), "{count}");
        last.unwrap().stop(PATIENCE).await;
        // Its end takes a moment, and the next instance wants it back.
        let definitions = ground.api("apiextensions.k8s.io", "customresourcedefinitions").await;
        let gone = kube::runtime::wait::await_condition(
            definitions,
            "todos.k8sasbackend.com",
            |object: Option<&DynamicObject>| object.is_none(),
        );
        tokio::time::timeout(PATIENCE, gone).await.expect("it is still there").unwrap();
    }
    drop(standin);
}

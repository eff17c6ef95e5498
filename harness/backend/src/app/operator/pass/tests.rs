//! What a pass does to an object that somebody else gets at in between.

use kab_lab::assets::Finder;
use kab_lab::local::{Local, LocalSpec};
use kab_lab::process::Supervisor;
use kab_lab::progress::Silent;
use kube::api::DeleteParams;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector;

use super::*;
use crate::app::operator::OperatorConfig;
use crate::app::operator::names::Names;
use crate::client::{connect, install_tls_provider};

fn plan(backend: &K8sAsBackend) -> Plan<'_> {
    Plan::new(backend, Names::of(backend).unwrap())
}

#[tokio::test]
async fn what_is_not_as_it_was_read_is_read_again() {
    install_tls_provider();
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new().unwrap();
    let assets = Finder::from_env(Vec::new()).unwrap().find(false, &Silent).unwrap();
    let local = LocalSpec::default();
    let local = Local::start(&local, &assets, dir.path(), &supervisor, &Silent).await.unwrap();
    let client = connect(local.kubeconfig()).await.unwrap();
    let reporter = Reporter { controller: GROUP.to_owned(), instance: None };
    let recorder = Recorder::new(client.clone(), reporter);
    let (instances, _writer) = reflector::store();
    let config = OperatorConfig::default();
    let context = Context::new(client.clone(), config, recorder, instances);
    let mut backend: K8sAsBackend = serde_json::from_value(json!({
        "apiVersion": "k8s-as-backend.example.com/v1alpha1", "kind": "K8sAsBackend",
        "metadata": { "name": "kab01", "namespace": "default" },
        "spec": { "productVersion": "1" },
    }))
    .unwrap();
    let all = plan(&backend).foundation();
    let desired = all.iter().find(|one| one.kind == &kinds::CONFIG_MAP).unwrap();
    let maps = desired.kind.api(&client, "default");

    let mut first = Pass::new(&context, &backend, plan(&backend));
    first.put(desired).await.unwrap();
    assert_eq!(first.told[0].done, Done::Made);
    let present = first.present.clone();
    backend.status =
        serde_json::from_value(json!({ "observedGeneration": 1, "objects": present })).unwrap();
    let pass = Pass::new(&context, &backend, plan(&backend));

    // Nobody comes in between: it holds, and there is nothing to tell.
    let before = pass.read(desired).await.unwrap();
    let (_, done) = pass.attempt(desired, before.clone(), false).await.unwrap();
    assert_eq!(done, None);

    let change = Patch::Merge(json!({ "data": { "gateway.json": "{}" } }));
    maps.patch(&desired.name, &PatchParams::default(), &change).await.unwrap();
    let changed = pass.attempt(desired, before, false).await;
    assert!(matches!(changed, Err(Refusal::Overtaken(_))), "{changed:?}");
    let (after, done) = pass.apply(desired, false).await.unwrap();
    assert_eq!(done, Some(Done::Repaired));

    maps.delete(&desired.name, &DeleteParams::default()).await.unwrap();
    let deleted = pass.attempt(desired, Some(after.clone()), false).await;
    assert!(matches!(deleted, Err(Refusal::Overtaken(_))), "{deleted:?}");
    let (_, done) = pass.apply(desired, false).await.unwrap();
    assert_eq!(done, Some(Done::Recreated));
    let anew = pass.attempt(desired, Some(after), false).await;
    assert!(matches!(anew, Err(Refusal::Overtaken(_))), "{anew:?}");

    // What cannot be applied, but was there, stays known.
    let mut refused = Pass::new(&context, &backend, plan(&backend));
    let mut bad = desired.clone();
    bad.body = json!({ "data": { "gateway.json": 1 } });
    assert!(refused.put(&bad).await.is_none());
    assert_eq!((refused.failures.len(), refused.present), (1, present));
}

//! How an instance is, in conditions that say why.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kab_evidence::clock;
use kube::api::DynamicObject;

use super::pass::Failure;
use super::resource::{BackendStatus, K8sAsBackend};

/// What a pass found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What could not be brought into line.
    pub(super) failures: Vec<Failure>,
    /// What is still under way.
    pub(super) waiting: Vec<String>,
    /// Where the gateway takes requests.
    pub(super) address: Option<String>,
    /// What is there.
    pub(super) present: Vec<String>,
}

/// What a Deployment still lacks; none if all of its pods are as it wants.
pub(super) fn lacks(object: &DynamicObject) -> Option<String> {
    let value = serde_json::to_value(object).unwrap_or_default();
    let deployment: Deployment = serde_json::from_value(value).unwrap_or_default();
    let name = deployment.metadata.name.unwrap_or_default();
    let wanted = deployment.spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.unwrap_or_default();
    if status.observed_generation < deployment.metadata.generation {
        return Some(format!("Deployment {name} is not looked at yet"));
    }
    let count = |count: Option<i32>| count.unwrap_or(0);
    let (ready, updated) = (count(status.ready_replicas), count(status.updated_replicas));
    let all = count(status.replicas);
    (ready != wanted || updated != wanted || all != wanted).then(|| {
        format!("Deployment {name}: {ready} of {wanted} replicas ready, {updated} up to date")
    })
}

/// The status that says what was found.
pub(super) fn status(backend: &K8sAsBackend, found: Found) -> BackendStatus {
    let before = backend.status.clone().unwrap_or_default();
    let generation = backend.metadata.generation;
    let failures = found.failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let waiting = found.waiting.join("; ");
    let (degraded, progressing) = (!failures.is_empty(), !waiting.is_empty());
    let ready = !degraded && !progressing;
    let condition = |type_: &str, is_so: bool, reason: &str, message: &str| {
        let status = if is_so { "True" } else { "False" };
        let same = before.conditions.iter().find(|old| old.type_ == type_ && old.status == status);
        let now = Timestamp::from_second(clock::wall().as_second()).unwrap_or_default();
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: generation,
            last_transition_time: same
                .map_or_else(|| Time(now), |same| same.last_transition_time.clone()),
        }
    };
    let conditions = vec![
        match (degraded, progressing) {
            (true, _) => condition("Ready", false, "Degraded", &failures),
            (false, true) => condition("Ready", false, "Progressing", &waiting),
            (false, false) => condition("Ready", true, "AsWanted", "everything is as wanted"),
        },
        if progressing {
            condition("Progressing", true, "RollingOut", &waiting)
        } else {
            condition("Progressing", false, "RolledOut", "")
        },
        if degraded {
            condition("Degraded", true, "NotApplied", &failures)
        } else {
            condition("Degraded", false, "Applied", "")
        },
    ];
    let version = ready.then(|| backend.spec.product_version.clone());
    BackendStatus {
        conditions,
        observed_generation: generation.unwrap_or_default(),
        product_version: version.or(before.product_version),
        addresses: found.address.into_iter().collect(),
        objects: found.present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(status: serde_json::Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "kab01-app", "generation": 3 },
            "spec": { "replicas": 2, "selector": {}, "template": {} },
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_deployment_is_complete_only_when_every_pod_is_new_and_ready() {
        let full = json!({
            "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2,
        });
        assert_eq!(lacks(&deployment(full.clone())), None);
        for (field, value) in [
            ("observedGeneration", 2),
            ("replicas", 3),
            ("updatedReplicas", 1),
            ("readyReplicas", 1),
        ] {
            let mut lacking = full.clone();
            lacking[field] = json!(value);
            assert!(lacks(&deployment(lacking)).is_some(), "{field}");
        }
    }

    #[test]
    fn conditions_say_which_object_and_keep_their_time() {
        let backend: K8sAsBackend = serde_json::from_value(json!({
            "apiVersion": "k8s-as-backend.example.com/v1alpha1", "kind": "K8sAsBackend",
            "metadata": { "name": "kab01", "generation": 2 },
            "spec": { "productVersion": "2" },
        }))
        .unwrap();
        let failure = Failure { action: "applying", object: "Role r".into(), cause: "no".into() };
        let found = Found { failures: vec![failure], ..Found::default() };
        let mut failed = backend.clone();
        failed.status = Some(status(&backend, found));
        assert!(!failed.is_ready());
        let degraded = failed.condition("Degraded").unwrap();
        assert_eq!(
            (degraded.status.as_str(), degraded.message.as_str()),
            ("True", "applying Role r: no")
        );
        assert_eq!(failed.status.as_ref().unwrap().product_version, None);

        let mut ready = failed.clone();
        ready.status = Some(status(&failed, Found::default()));
        assert!(ready.is_ready());
        assert_eq!(ready.status.as_ref().unwrap().product_version.as_deref(), Some("2"));
        let again = status(&ready, Found::default());
        assert_eq!(Some(again), ready.status);
    }
}

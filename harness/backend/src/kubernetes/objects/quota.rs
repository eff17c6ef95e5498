//! How many entities an instance may have: one tenant cannot fill the store
//! that all share.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceQuotaStatus;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Value, json};

use super::INSTANCE_LABEL;
use crate::entity::CRD_NAME;

/// The quota's name.
pub(crate) const NAME: &str = "todos";

fn counted() -> String {
    format!("count/{CRD_NAME}")
}

/// At most `entities` of them in the namespace of `instance`.
pub(crate) fn quota(instance: &str, entities: u64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": { "name": NAME, "labels": { INSTANCE_LABEL: instance } },
        "spec": { "hard": { (counted()): entities.to_string() } },
    })
}

/// The status that kube-controller-manager would give it at first. Without one
/// the apiserver refuses every create ("status unknown for quota").
pub(crate) fn initial_status(entities: u64, used: u64) -> ResourceQuotaStatus {
    let number = |n: u64| BTreeMap::from([(counted(), Quantity(n.to_string()))]);
    ResourceQuotaStatus { hard: Some(number(entities)), used: Some(number(used)) }
}

//! A share of the apiserver that is the system's own: others cannot take it by
//! asking a lot, and the system cannot take theirs.

use serde_json::{Value, json};

use super::cluster_name;

/// Shares of the apiserver's seats: as many as `workload-high` has.
const SHARES: u32 = 40;

/// How much of them others may borrow while they are idle, in per cent.
const LENDABLE: u32 = 50;

/// Before those of the cluster for service accounts (9000).
const PRECEDENCE: u32 = 1000;

/// The priority level of `instance`.
pub(crate) fn priority_level(instance: &str) -> Value {
    json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": { "name": cluster_name(instance) },
        "spec": {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": SHARES,
                "lendablePercent": LENDABLE,
                // A burst waits its turn; beyond that it is told to come later.
                "limitResponse": {
                    "type": "Queue",
                    "queuing": { "queues": 64, "handSize": 6, "queueLengthLimit": 50 },
                },
            },
        },
    })
}

/// Takes the requests of these service accounts of `namespace` there.
pub(crate) fn flow_schema(instance: &str, namespace: &str, accounts: &[&str]) -> Value {
    let subject = |account: &&str| {
        json!({
            "kind": "ServiceAccount",
            "serviceAccount": { "namespace": namespace, "name": account },
        })
    };
    json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": { "name": cluster_name(instance) },
        "spec": {
            "priorityLevelConfiguration": { "name": cluster_name(instance) },
            "matchingPrecedence": PRECEDENCE,
            "distinguisherMethod": { "type": "ByUser" },
            "rules": [{
                "subjects": accounts.iter().map(subject).collect::<Vec<_>>(),
                "resourceRules": [{
                    "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"],
                    "namespaces": [namespace],
                }],
            }],
        },
    })
}

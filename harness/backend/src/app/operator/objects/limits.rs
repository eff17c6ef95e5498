//! What an instance may take of the cluster: its share of the apiserver's
//! attention, and of its store.

use serde_json::json;

use super::workload::APP;
use super::{Desired, Plan};
use crate::app::operator::kinds;
use crate::entity::{GROUP, PLURAL};

/// How many Todos an instance may keep. etcd holds 2 GiB by default, and one
/// instance is not to fill it with objects of some kB.
const MOST_TODOS: &str = "100000";

impl Plan<'_> {
    /// A level of its own, so that neither its load starves others nor theirs
    /// it.
    pub(super) fn priority_level(&self) -> Desired {
        let body = json!({ "spec": {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 30,
                "lendablePercent": 50,
                "limitResponse": {
                    "type": "Queue",
                    "queuing": { "queues": 16, "handSize": 4, "queueLengthLimit": 50 },
                },
            },
        } });
        self.own(&kinds::PRIORITY_LEVEL, self.names.global(), APP, body)
    }

    /// What the app's account asks goes to that level.
    pub(super) fn flow_schema(&self) -> Desired {
        let body = json!({ "spec": {
            "priorityLevelConfiguration": { "name": self.names.global() },
            "matchingPrecedence": 1000,
            "distinguisherMethod": { "type": "ByUser" },
            "rules": [{
                "subjects": [{
                    "kind": "ServiceAccount",
                    "serviceAccount": {
                        "name": self.names.local(APP), "namespace": self.names.namespace,
                    },
                }],
                "resourceRules": [{
                    "apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["*"],
                    "namespaces": [self.names.namespace],
                }],
            }],
        } });
        self.own(&kinds::FLOW_SCHEMA, self.names.global(), APP, body)
    }

    /// How many Todos there may be.
    pub(super) fn quota(&self) -> Desired {
        let body = json!({ "spec": { "hard": { format!("count/{PLURAL}.{GROUP}"): MOST_TODOS } } });
        self.own(&kinds::QUOTA, self.names.local("todos"), APP, body)
    }
}

//! What each account may do in the namespace of its instance.

use crate::deploy::access::Rule;
use crate::entity::{GROUP, PLURAL};

const EVERYTHING: &[&str] = &["create", "get", "list", "watch", "update", "patch", "delete"];
const STATUS: &str = "todos/status";
const LEASES: &str = "coordination.k8s.io";

/// What the gateway must be able to do. (The origin binds its apps to
/// `cluster-admin`: defect 1.)
pub(crate) const GATEWAY: &[Rule] = &[
    Rule { group: GROUP, resource: PLURAL, verbs: EVERYTHING },
    // To remember notifications.
    Rule { group: GROUP, resource: STATUS, verbs: &["get", "update", "patch"] },
];

/// What an informer must be able to do.
pub(crate) const INFORMER: &[Rule] = &[
    Rule { group: GROUP, resource: PLURAL, verbs: &["get", "list", "watch"] },
    // Dead letters.
    Rule { group: GROUP, resource: STATUS, verbs: &["patch"] },
    Rule { group: "", resource: "events", verbs: &["create"] },
    // Who notifies, and what has been delivered.
    Rule { group: LEASES, resource: "leases", verbs: &["create", "get", "update"] },
];

/// What the accounts of a load may do: everything that its operations need.
pub(crate) const LOAD: &[Rule] = &[
    Rule { group: GROUP, resource: PLURAL, verbs: EVERYTHING },
    Rule { group: "", resource: "configmaps", verbs: EVERYTHING },
    Rule { group: LEASES, resource: "leases", verbs: EVERYTHING },
];

/// What bare watchers may do.
pub(crate) const WATCHER: &[Rule] =
    &[Rule { group: GROUP, resource: PLURAL, verbs: &["get", "list", "watch"] }];

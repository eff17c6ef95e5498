//! Who the pods are, and what they may do.

use serde_json::{Value, json};

use super::{Desired, Plan};
use crate::app::operator::kinds;
use crate::app::operator::objects::workload::{APP, WEBHOOK};
use crate::defect::Defect;
use crate::deploy::access::Rule;
use crate::kubernetes::objects::roles::{GATEWAY, INFORMER};

impl Plan<'_> {
    /// Accounts and roles of app and webhook server.
    pub(super) fn accounts(&self) -> Vec<Desired> {
        let mut all = vec![self.account(APP, true), self.binding()];
        if !self.has(Defect::ClusterAdmin) {
            // Before the binding that names it.
            all.insert(1, self.role());
        }
        if self.webhook() {
            all.push(self.account(WEBHOOK, false));
        }
        all
    }

    /// The webhook server asks only the gateway, and needs no token for that.
    fn account(&self, component: &str, token: bool) -> Desired {
        let body = json!({ "automountServiceAccountToken": token });
        self.own(&kinds::SERVICE_ACCOUNT, self.names.local(component), component, body)
    }

    /// What gateway and informer, which share a pod, may do in its namespace.
    fn role(&self) -> Desired {
        let rule = |rule: &Rule| {
            json!({
                "apiGroups": [rule.group], "resources": [rule.resource], "verbs": rule.verbs,
            })
        };
        let rules: Vec<Value> = GATEWAY.iter().chain(INFORMER).map(rule).collect();
        self.own(&kinds::ROLE, self.names.local(APP), APP, json!({ "rules": rules }))
    }

    /// The origin binds `cluster-admin` (defect 1).
    fn binding(&self) -> Desired {
        let (kind, role) = if self.has(Defect::ClusterAdmin) {
            ("ClusterRole", "cluster-admin".to_owned())
        } else {
            ("Role", self.names.local(APP))
        };
        let body = json!({
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role },
            "subjects": [{
                "kind": "ServiceAccount",
                "name": self.names.local(APP),
                "namespace": self.names.namespace,
            }],
        });
        // What is bound cannot be changed: another role is another binding.
        let name = format!("{}-{}", self.names.local(APP), kind.to_lowercase());
        self.own(&kinds::ROLE_BINDING, name, APP, body)
    }
}

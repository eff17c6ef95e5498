//! How writes are judged: the webhook's registration, or a policy.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::workload::WEBHOOK;
use super::{Desired, Plan, SHARED_WEBHOOK, body};
use crate::app::operator::kinds;
use crate::app::operator::names::MANAGED_BY;
use crate::defect::Defect;
use crate::entity::GROUP;
use crate::kubernetes::objects::policy::{binding, policy};
use crate::kubernetes::objects::webhook::webhook;

impl Plan<'_> {
    /// The webhook's registration. `address` is where the server is to be
    /// found, if it is not to be asked by its Service.
    pub(in crate::app::operator) fn registration(
        &self,
        address: Option<&str>,
        authorities: &str,
    ) -> Desired {
        let client = match address {
            Some(address) => json!({ "url": format!("https://{address}/crd") }),
            None => json!({ "service": {
                "namespace": self.names.namespace, "name": self.names.local(WEBHOOK),
                "path": "/crd", "port": 443,
            } }),
        };
        let body = json!({ "webhooks": [self.hook(client, authorities)] });
        if self.has(Defect::SharedWebhook) {
            let labels = json!({ "app.kubernetes.io/managed-by": MANAGED_BY });
            let (kind, name) = (&kinds::WEBHOOK, SHARED_WEBHOOK.to_owned());
            return Desired { kind, name, body, labels, shared: true };
        }
        self.own(&kinds::WEBHOOK, self.names.global(), WEBHOOK, body)
    }

    fn hook(&self, mut client: Value, authorities: &str) -> Value {
        client["caBundle"] = json!(ByteString(authorities.as_bytes().to_vec()));
        let (instance, namespace) = (&self.names.instance, &self.names.namespace);
        let mut hook = webhook(instance, namespace, &self.defects, client);
        hook["name"] = json!(format!("{instance}.{namespace}.{GROUP}"));
        hook
    }

    /// The rules in the apiserver itself, and where they are in force.
    pub(in crate::app::operator) fn policies(&self) -> [Desired; 2] {
        let (instance, namespace) = (&self.names.instance, &self.names.namespace);
        let policy = body(policy(instance, &self.defects));
        let mut binding = body(binding(instance, namespace, &self.defects));
        binding["spec"]["policyName"] = json!(self.names.global());
        [
            self.own(&kinds::POLICY, self.names.global(), WEBHOOK, policy),
            self.own(&kinds::POLICY_BINDING, self.names.global(), WEBHOOK, binding),
        ]
    }
}

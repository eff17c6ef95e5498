//! How writes are judged: the webhook's registration, or a policy.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::workload::WEBHOOK;
use super::{Desired, Plan, SHARED_WEBHOOK};
use crate::app::operator::kinds;
use crate::app::operator::names::MANAGED_BY;
use crate::defect::Defect;
use crate::entity::{GROUP, PLURAL, VERSION};
use crate::rules::{LONGEST_DELAY_DAYS, LONGEST_MESSAGE, YEARS};

/// How long the apiserver waits for a webhook, in seconds: the origin's, and a
/// short one, which a write that waits for a dead server then costs at most.
const ORIGINS_TIMEOUT_SECONDS: i32 = 5;
const TIMEOUT_SECONDS: i32 = 2;

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
        let open = self.has(Defect::FailOpen);
        let mut hook = json!({
            "name": format!("{}.{}.{GROUP}", self.names.instance, self.names.namespace),
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": if open { "Ignore" } else { "Fail" },
            "matchPolicy": if open { "Exact" } else { "Equivalent" },
            "timeoutSeconds": if open { ORIGINS_TIMEOUT_SECONDS } else { TIMEOUT_SECONDS },
            "rules": [{
                "apiGroups": [GROUP], "apiVersions": [VERSION], "resources": [PLURAL],
                "scope": "Namespaced",
            }],
            "clientConfig": client,
        });
        if self.has(Defect::SharedWebhook) {
            hook["rules"][0]["operations"] = json!(["*"]);
        } else {
            hook["rules"][0]["operations"] = json!(["CREATE", "UPDATE"]);
            hook["namespaceSelector"] = self.namespace_selector();
            // Rules are about the spec: labels and the like need no hop.
            hook["matchConditions"] = json!([{
                "name": "spec-changed",
                "expression": "oldObject == null || !has(object.spec) || !has(oldObject.spec) \
                               || object.spec != oldObject.spec",
            }]);
        }
        hook
    }

    fn namespace_selector(&self) -> Value {
        json!({ "matchLabels": { "kubernetes.io/metadata.name": self.names.namespace } })
    }

    /// The rules in the apiserver itself, and where they are in force.
    pub(in crate::app::operator) fn policies(&self) -> [Desired; 2] {
        let (first, last) = (YEARS.start(), YEARS.end());
        let rule = |expression: String, message: &str| json!({ "expression": expression, "message": message, "reason": "Invalid" });
        let policy = json!({ "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": [{
                "apiGroups": [GROUP], "apiVersions": [VERSION], "resources": [PLURAL],
                "operations": ["CREATE", "UPDATE"], "scope": "Namespaced",
            }] },
            "validations": [
                rule(
                    "has(object.spec) && has(object.spec.message) \
                     && object.spec.message.trim() != ''".into(),
                    "message: must not be blank",
                ),
                rule(
                    format!("object.spec.message.size() <= {LONGEST_MESSAGE}"),
                    "message: is too long",
                ),
                rule(
                    format!(
                        "has(object.spec.when) && \
                         timestamp(object.spec.when).getFullYear() >= {first} && \
                         timestamp(object.spec.when).getFullYear() <= {last}"
                    ),
                    &format!("when: must be a date and time in the years {first} to {last}"),
                ),
                rule(
                    format!(
                        "oldObject == null || !has(oldObject.spec.when) || \
                         timestamp(object.spec.when) - timestamp(oldObject.spec.when) <= \
                         duration('{}h')",
                        LONGEST_DELAY_DAYS * 24
                    ),
                    "when: must not be put off that far at once",
                ),
            ],
        } });
        let binding = json!({ "spec": {
            "policyName": self.names.global(),
            "validationActions": ["Deny"],
            "matchResources": { "namespaceSelector": self.namespace_selector() },
        } });
        [
            self.own(&kinds::POLICY, self.names.global(), WEBHOOK, policy),
            self.own(&kinds::POLICY_BINDING, self.names.global(), WEBHOOK, binding),
        ]
    }
}

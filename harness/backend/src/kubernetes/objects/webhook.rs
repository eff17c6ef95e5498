//! The registration of an instance's webhook.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::cluster_name;
use crate::defect::{Defect, Defects};
use crate::entity::{CRD_NAME, GROUP, PLURAL, VERSION};

/// The one configuration that all instances share, each with a webhook of its
/// own in it (defect 5).
pub(crate) const SHARED: &str = CRD_NAME;

/// How long the apiserver waits for a webhook, in seconds: as the origin sets
/// it, ...
const LONG_TIMEOUT: i32 = 5;
/// ... and as long as a writer may be made to wait.
const SHORT_TIMEOUT: i32 = 2;

/// Only what the webhook judges is worth a hop: an update that leaves `spec`
/// as it was cannot break a rule.
const SPEC_CHANGES: &str = "oldObject == null || !has(object.spec) || !has(oldObject.spec) \
                            || object.spec != oldObject.spec";

/// The name of the configuration that has an instance's webhook in it.
pub(crate) fn configuration_name(instance: &str, defects: &Defects) -> String {
    if defects.has(Defect::SharedWebhook) { SHARED.to_owned() } else { cluster_name(instance) }
}

/// A configuration with these webhooks. Applied by one manager, it leaves
/// those of others alone.
pub(crate) fn configuration(name: &str, webhooks: &[Value]) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": name },
        "webhooks": webhooks,
    })
}

/// `clientConfig` of a webhook at `url`, whose certificate `authority` (PEM)
/// has signed.
pub(crate) fn at_url(url: &str, authority: &str) -> Value {
    json!({ "url": url, "caBundle": ByteString(authority.as_bytes().to_vec()) })
}

/// The webhook of `instance`, which is in `namespace`.
pub(crate) fn webhook(
    instance: &str,
    namespace: &str,
    defects: &Defects,
    client_config: Value,
) -> Value {
    // What v1beta1 takes if nothing is said, as the origin does, is Ignore: a
    // webhook that is down lets everything in (defect 4).
    let (policy, timeout) = if defects.has(Defect::FailOpen) {
        ("Ignore", LONG_TIMEOUT)
    } else {
        ("Fail", SHORT_TIMEOUT)
    };
    let shared = defects.has(Defect::SharedWebhook);
    let operations: &[&str] = if shared { &["*"] } else { &["CREATE", "UPDATE"] };
    let mut webhook = json!({
        "name": cluster_name(instance),
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": policy,
        "matchPolicy": "Exact",
        "timeoutSeconds": timeout,
        // `todos` alone: the status is a resource of its own, and not judged.
        "rules": [{
            "apiGroups": [GROUP], "apiVersions": [VERSION], "resources": [PLURAL],
            "operations": operations, "scope": "Namespaced",
        }],
        "clientConfig": client_config,
    });
    // Without these it judges every instance's writes (defect 5).
    if !shared {
        webhook["namespaceSelector"] = only(namespace);
        webhook["matchConditions"] =
            json!([{ "name": "spec-changes", "expression": SPEC_CHANGES }]);
    }
    webhook
}

/// Selects one namespace, by the label that the apiserver gives each.
pub(super) fn only(namespace: &str) -> Value {
    json!({ "matchLabels": { "kubernetes.io/metadata.name": namespace } })
}

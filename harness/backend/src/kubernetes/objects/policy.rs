//! The rules as a ValidatingAdmissionPolicy: judged by the apiserver itself,
//! without a hop to a webhook.

use serde_json::{Value, json};

use super::cluster_name;
use super::webhook::only;
use crate::defect::{Defect, Defects};
use crate::entity::{GROUP, PLURAL, VERSION};
use crate::rules::{Broken, LONGEST_DELAY_DAYS, LONGEST_MESSAGE, TIME_PATTERN, YEARS};

/// Who has this annotation is refused by every policy in force. Only dry runs
/// use it, to learn whether the policy is in force.
pub(crate) const PROBE_ANNOTATION: &str = "k8sasbackend.com/probe";

/// What a probe is told that the policy judges.
pub(crate) const PROBE_REFUSED: &str = "probe: the policy is in force";

/// The policy of `instance`.
pub(crate) fn policy(instance: &str, defects: &Defects) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": cluster_name(instance) },
        "spec": {
            // Here the judge is never away; but a rule's evaluation may fail.
            "failurePolicy": if defects.has(Defect::FailOpen) { "Ignore" } else { "Fail" },
            "matchConstraints": { "resourceRules": [{
                "apiGroups": [GROUP], "apiVersions": [VERSION], "resources": [PLURAL],
                "operations": ["CREATE", "UPDATE"], "scope": "Namespaced",
            }] },
            "variables": variables(),
            "validations": validations(defects),
        },
    })
}

/// What puts the policy of `instance` in force in its namespace.
pub(crate) fn binding(instance: &str, namespace: &str, defects: &Defects) -> Value {
    let mut spec = json!({
        "policyName": cluster_name(instance), "validationActions": ["Deny"],
    });
    if !defects.has(Defect::SharedWebhook) {
        spec["matchResources"] = json!({ "namespaceSelector": only(namespace) });
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": cluster_name(instance) },
        "spec": spec,
    })
}

/// Texts of both states; empty where there is none, as without a schema there
/// may be.
fn variables() -> Value {
    let text = |name: &str, of: &str, field: &str| {
        let path = format!("{of}.spec.{field}");
        let there = format!("has({of}.spec) && has({path}) && type({path}) == string");
        json!({ "name": name, "expression": format!("{of} != null && {there} ? {path} : ''") })
    };
    let time = |name: &str, of: &str| {
        let expression = format!("variables.{of}.matches('{TIME_PATTERN}')");
        json!({ "name": name, "expression": expression })
    };
    json!([
        text("message", "object", "message"),
        text("when", "object", "when"),
        text("before", "oldObject", "when"),
        time("whenIsTime", "when"),
        time("beforeIsTime", "before"),
    ])
}

/// The rules of [`crate::rules::judge`]: of those about one state as many as
/// the validator has, which finds everything valid if it has defect 3.
fn validations(defects: &Defects) -> Value {
    let rule = |expression: String, broken: &str| json!({ "expression": expression, "message": broken, "reason": "Invalid" });
    let probe = format!(
        "!has(object.metadata.annotations) \
         || !('{PROBE_ANNOTATION}' in object.metadata.annotations)"
    );
    let mut rules = vec![rule(probe, PROBE_REFUSED)];
    if !defects.has(Defect::AlwaysValid) {
        let year = "timestamp(variables.when).getFullYear()";
        let (first, last) = (YEARS.start(), YEARS.end());
        let hours = LONGEST_DELAY_DAYS * 24;
        rules.extend([
            rule("variables.message.trim() != ''".into(), &Broken::BlankMessage.to_string()),
            rule(
                format!("size(variables.message) <= {LONGEST_MESSAGE}"),
                &Broken::LongMessage.to_string(),
            ),
            rule("variables.whenIsTime".into(), &Broken::NoTime.to_string()),
            rule(
                format!("!variables.whenIsTime || {year} >= {first} && {year} <= {last}"),
                &Broken::OtherCentury.to_string(),
            ),
            rule(
                format!(
                    "!variables.whenIsTime || !variables.beforeIsTime || \
                     timestamp(variables.when) \
                     <= timestamp(variables.before) + duration('{hours}h')"
                ),
                &Broken::PutOffTooFar.to_string(),
            ),
        ]);
    }
    Value::Array(rules)
}

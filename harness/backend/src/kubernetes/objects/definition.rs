//! The Todo's definition.

use serde_json::{Value, json};

use crate::defect::{Defect, Defects};
use crate::entity::{CRD_NAME, GROUP, KIND, PLURAL, VERSION};
use crate::rules::{Broken, LONGEST_MESSAGE, NOT_BLANK, TIME_PATTERN, YEARS};

/// Longest business code, in characters. One that is no DNS name is kept in
/// `spec.code`, and the entity is named by its digest.
pub(crate) const LONGEST_CODE: usize = 1024;

/// The definition, with what is wrong with it.
///
/// What one state must be, the schema says. That an update must not put a Todo
/// off too far it could say as well; but then nothing were left for a webhook
/// or a policy to judge, and their price is a question here.
pub(crate) fn definition(defects: &Defects) -> Value {
    let mut version = json!({
        "name": VERSION, "served": true, "storage": true,
        "schema": { "openAPIV3Schema": schema(defects) },
    });
    if has_status(defects) {
        version["subresources"] = json!({ "status": {} });
    }
    if !defects.has(Defect::NoSchema) {
        // What a list may be filtered by on the server's side.
        version["selectableFields"] = json!([{ "jsonPath": ".spec.when" }]);
        version["additionalPrinterColumns"] = columns();
    }
    let mut names =
        json!({ "plural": PLURAL, "singular": "todo", "kind": KIND, "listKind": "TodoList" });
    if !defects.has(Defect::NoSchema) {
        names["shortNames"] = json!(["td"]);
        names["categories"] = json!(["kab"]);
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": CRD_NAME },
        "spec": { "group": GROUP, "scope": "Namespaced", "names": names, "versions": [version] },
    })
}

/// Whether there is a status, written apart from the rest. The origin has
/// nothing to write there; dead letters and notifications that are to be
/// remembered are kept in it.
pub(crate) fn has_status(defects: &Defects) -> bool {
    [Defect::NoSchema, Defect::NoRetry, Defect::ForgetfulReplicas]
        .into_iter()
        .any(|defect| !defects.has(defect))
}

/// The origin's has no schema (defect 2); today's API wants one, and that is
/// the one that says nothing.
fn schema(defects: &Defects) -> Value {
    if defects.has(Defect::NoSchema) {
        return json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    }
    json!({
        "type": "object",
        "required": ["spec"],
        "properties": { "spec": spec(), "status": status() },
    })
}

fn spec() -> Value {
    let years =
        format!("self.getFullYear() >= {} && self.getFullYear() <= {}", YEARS.start(), YEARS.end());
    let century = Broken::OtherCentury.to_string();
    let saying = format!("'{century}, not ' + string(self.getFullYear())");
    json!({
        "type": "object",
        "required": ["message", "when"],
        "properties": {
            "message": {
                "type": "string", "description": "What is to be done.",
                "minLength": 1, "maxLength": LONGEST_MESSAGE, "pattern": NOT_BLANK,
            },
            "when": {
                "type": "string", "description": "When, RFC 3339.",
                "format": "date-time", "maxLength": 64, "pattern": TIME_PATTERN,
                "x-kubernetes-validations": [{
                    "rule": years, "message": century, "messageExpression": saying,
                    "reason": "FieldValueInvalid",
                }],
            },
            "code": {
                "type": "string", "minLength": 1, "maxLength": LONGEST_CODE,
                "description": "The business code, where it cannot be the name.",
            },
        },
        "x-kubernetes-validations": [{
            "rule": "has(self.code) == has(oldSelf.code) \
                     && (!has(self.code) || self.code == oldSelf.code)",
            "message": "code: must not be changed",
            "fieldPath": ".code", "reason": "FieldValueForbidden",
        }],
    })
}

fn status() -> Value {
    let text = |most: u32| json!({ "type": "string", "maxLength": most });
    let condition = json!({
        "type": "object",
        "required": ["type", "status", "reason", "message", "lastTransitionTime"],
        "properties": {
            "type": text(316),
            "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
            "reason": text(1024), "message": text(32768),
            "lastTransitionTime": { "type": "string", "format": "date-time" },
            "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0 },
        },
    });
    let dead_letter = json!({
        "type": "object",
        "required": ["subscriber", "change", "revision", "attempts", "cause", "at"],
        "properties": {
            "subscriber": { "type": "integer", "format": "int64", "minimum": 0 },
            "change": { "type": "string", "enum": ["created", "updated", "deleted"] },
            "revision": text(64), "cause": text(4096),
            "attempts": { "type": "integer", "format": "int64", "minimum": 1 },
            "at": { "type": "string", "format": "date-time" },
        },
    });
    json!({
        "type": "object",
        "properties": {
            "conditions": {
                "type": "array", "items": condition,
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
            },
            "deadLetters": {
                "type": "array", "items": dead_letter,
                "description": "What each subscriber could not be told last.",
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["subscriber"],
            },
            "lastNotified": {
                "description": "The last notification that the gateway was given.",
                "x-kubernetes-preserve-unknown-fields": true,
            },
        },
    })
}

fn columns() -> Value {
    json!([
        { "name": "When", "type": "date", "jsonPath": ".spec.when" },
        { "name": "Message", "type": "string", "jsonPath": ".spec.message", "priority": 1 },
        {
            "name": "Undelivered", "type": "integer", "jsonPath": ".status.deadLetters[*].subscriber",
            "priority": 1,
        },
        { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
    ])
}

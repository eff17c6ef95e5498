//! `K8sAsBackend`: what an instance is wanted to be, and how it is.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, CustomResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::defect::{Defect, Defects};
use crate::system::Variant;

/// API group of the operator's own resource.
pub const GROUP: &str = "k8s-as-backend.example.com";

/// Name of its CustomResourceDefinition.
pub const DEFINITION: &str = "k8sasbackends.k8s-as-backend.example.com";

/// What an instance is wanted to be.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "k8s-as-backend.example.com",
    version = "v1alpha1",
    kind = "K8sAsBackend",
    plural = "k8sasbackends",
    singular = "k8sasbackend",
    shortname = "kab",
    namespaced,
    status = "BackendStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Size","type":"integer","jsonPath":".spec.size"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.productVersion"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BackendSpec {
    /// How many replicas of the app there are to be.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100))]
    pub size: i32,
    /// Which version of the product is to run: the tag of its image, unless
    /// `image` says otherwise.
    #[schemars(length(min = 1, max = 63))]
    pub product_version: String,
    /// The image to run instead of `kab:PRODUCT_VERSION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Which of the systems it is.
    #[serde(default = "hardened")]
    #[schemars(schema_with = "variants")]
    pub variant: Variant,
    /// What is wrong with it; what the variant has, unless this says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "defects")]
    pub defects: Option<Defects>,
    /// Whom the informers notify; the app itself, unless this says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriber_url: Option<String>,
}

/// How an instance is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackendStatus {
    /// `Ready`, `Progressing`, `Degraded`.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The generation that all of this is about.
    #[serde(default)]
    pub observed_generation: i64,
    /// Which version runs, in every replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_version: Option<String>,
    /// Where the gateway takes requests.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// What was made for it: `Kind name`, in the order in which it is made.
    #[serde(default)]
    pub objects: Vec<String>,
}

const fn one() -> i32 {
    1
}

const fn hardened() -> Variant {
    Variant::Hardened
}

/// A value that is none of these would be refused only by whoever decodes it:
/// the operator, which then could not read any instance at all.
fn variants(_: &mut SchemaGenerator) -> Schema {
    let names = Variant::ALL.into_iter().filter(|variant| variant.on_kubernetes());
    json_schema!({ "type": "string", "enum": names.map(Variant::name).collect::<Vec<_>>() })
}

fn defects(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<Cow<'_, _>> = Defect::ALL.iter().map(Cow::Borrowed).collect();
    json_schema!({
        "type": "array", "nullable": true, "items": { "type": "string", "enum": names },
    })
}

fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": { "type": "string" },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
                "reason": { "type": "string" },
                "message": { "type": "string" },
                "lastTransitionTime": { "type": "string", "format": "date-time" },
                "observedGeneration": { "type": "integer", "format": "int64" },
            },
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

impl BackendSpec {
    /// What is wrong with it.
    pub fn defects(&self) -> Defects {
        self.defects.clone().unwrap_or_else(|| self.variant.defects())
    }

    /// What its pods run.
    pub fn image(&self) -> String {
        self.image.clone().unwrap_or_else(|| format!("kab:{}", self.product_version))
    }
}

impl K8sAsBackend {
    /// The condition called `type_`, if the operator has said anything of it.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// Whether the operator has found this very generation to be ready.
    pub fn is_ready(&self) -> bool {
        let generation = self.metadata.generation;
        self.condition("Ready")
            .is_some_and(|ready| ready.status == "True" && ready.observed_generation == generation)
    }
}

/// The definition of `K8sAsBackend`, to be applied before an operator starts.
pub fn definition() -> serde_json::Value {
    // A definition has nothing in it that JSON does not have.
    serde_json::to_value(K8sAsBackend::crd()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_is_hardened_and_small() {
        let spec: BackendSpec = serde_json::from_value(json!({ "productVersion": "1" })).unwrap();
        assert_eq!((spec.size, spec.variant), (1, Variant::Hardened));
        assert_eq!(spec.defects(), Defects::none());
        assert_eq!(spec.image(), "kab:1");
        let naive = BackendSpec { variant: Variant::Naive, ..spec };
        assert_eq!(naive.defects(), Defects::all());
        let mended = BackendSpec { defects: Some(Defects::none()), ..naive };
        assert_eq!(mended.defects(), Defects::none());
    }

    #[test]
    fn the_definition_is_named_as_said_and_knows_the_defects_by_name() {
        let definition = definition();
        assert_eq!(definition["metadata"]["name"], DEFINITION);
        assert_eq!(definition["spec"]["group"], GROUP);
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let spec = &schema["properties"]["spec"]["properties"];
        assert_eq!(spec["defects"]["items"]["enum"][0], "clusterAdmin");
        assert_eq!(spec["variant"]["enum"], json!(["naive", "hardened", "hardenedPolicy"]));
    }
}

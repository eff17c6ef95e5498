//! The one kind of entity of the reference system.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kab_evidence::id::{OP_ANNOTATION, OpId};
use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::{Deserialize, Serialize};

/// API group of the entity.
pub const GROUP: &str = "k8sasbackend.com";
/// Its one version.
pub const VERSION: &str = "v1";
/// Its kind.
pub const KIND: &str = "Todo";
/// Its resource name.
pub const PLURAL: &str = "todos";
/// Group and version, as an object's `apiVersion` names them.
pub const API_VERSION: &str = "k8sasbackend.com/v1";
/// Name of its CustomResourceDefinition.
pub const CRD_NAME: &str = "todos.k8sasbackend.com";

/// A Todo as it comes from the apiserver. `metadata.name` is its business code.
///
/// The naive system's definition has no schema, so `spec` may hold anything or
/// be missing: decoding it must not fail, or one bad object would stop every
/// reader of the collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Todo {
    /// Always the same: said when one is sent, not read when one comes.
    #[serde(skip_deserializing, default = "api_version")]
    api_version: &'static str,
    #[serde(skip_deserializing, default = "kind")]
    kind: &'static str,
    /// Name, UID, resourceVersion, annotations.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// `message` and `when`, if whoever wrote it kept to that.
    #[serde(default)]
    pub spec: serde_json::Value,
    /// What the system's parts say about it, if its definition has a status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<serde_json::Value>,
}

const fn api_version() -> &'static str {
    API_VERSION
}

const fn kind() -> &'static str {
    KIND
}

impl Default for Todo {
    fn default() -> Self {
        Self {
            api_version: API_VERSION,
            kind: KIND,
            metadata: ObjectMeta::default(),
            spec: serde_json::Value::Null,
            status: None,
        }
    }
}

impl Todo {
    /// The operation that wrote this state, if its writer said so.
    pub fn op(&self) -> Option<OpId> {
        self.metadata.annotations.as_ref()?.get(OP_ANNOTATION)?.parse().ok()
    }

    /// Its name; empty if it has none.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its UID; empty if it has none.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Its resourceVersion; empty if it has none.
    pub fn revision(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

impl kube::Resource for Todo {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Just enough of an entity to tell which operation wrote it.
#[derive(Debug, Default, Deserialize)]
struct Annotated {
    #[serde(default)]
    metadata: Annotations,
}

#[derive(Debug, Default, Deserialize)]
struct Annotations {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// The operation that wrote the entity in `json`, read without decoding the
/// rest of it; none if it names none, or is no entity.
pub fn op_of(json: &str) -> Option<OpId> {
    let entity: Annotated = serde_json::from_str(json).ok()?;
    entity.metadata.annotations?.get(OP_ANNOTATION)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn any_spec_decodes() {
        for spec in [json!(null), json!(5), json!("x"), json!({ "when": [] })] {
            let todo: Todo =
                serde_json::from_value(json!({ "metadata": { "name": "a" }, "spec": spec }))
                    .unwrap();
            assert_eq!((todo.name(), &todo.spec), ("a", &spec));
        }
        assert!(serde_json::from_value::<Todo>(json!({ "metadata": {} })).is_ok());
    }

    #[test]
    fn the_operation_is_in_an_annotation() {
        let op = OpId::new(7, 9);
        let entity = json!({
            "metadata": { "annotations": { OP_ANNOTATION: op.to_string() } }, "spec": 1
        });
        assert_eq!(op_of(&entity.to_string()), Some(op));
        assert_eq!(serde_json::from_value::<Todo>(entity).unwrap().op(), Some(op));
        for none in ["", "null", "{}", r#"{"metadata":{"annotations":null}}"#] {
            assert_eq!(op_of(none), None, "{none}");
        }
    }
}

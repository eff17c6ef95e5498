//! The one kind of entity of the reference system.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kab_evidence::id::{OP_ANNOTATION, OpId};
use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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

/// A Todo as it comes from the apiserver. `metadata.name` is its business code,
/// or made of it: see [`name_of`].
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

    /// Its business code.
    pub fn code(&self) -> &str {
        code_of(self.name(), self.spec.get("code").and_then(serde_json::Value::as_str))
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

/// Longest name that the apiserver takes, in bytes.
const LONGEST_NAME: usize = 253;

/// What the names begin with that are made of a code which is none itself.
const MADE: &str = "x-";

/// How many hexadecimal digits of the code's digest such a name has: 160 bits.
const DIGITS: usize = 40;

/// The name of the entity with this code: the code itself where it can be one,
/// else one made of it. Equal codes have equal names and different ones
/// different names, so that the apiserver keeps codes unique.
pub fn name_of(code: &str) -> Cow<'_, str> {
    if is_name(code) && !code.starts_with(MADE) {
        return Cow::Borrowed(code);
    }
    let mut name = String::with_capacity(MADE.len() + DIGITS);
    name.push_str(MADE);
    for byte in &Sha256::digest(code.as_bytes())[..DIGITS / 2] {
        for nibble in [byte >> 4, byte & 15] {
            name.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
        }
    }
    Cow::Owned(name)
}

/// The code of the entity called `name` whose `spec.code` is `said`.
pub fn code_of<'a>(name: &'a str, said: Option<&'a str>) -> &'a str {
    said.unwrap_or(name)
}

/// Whether `text` is a DNS subdomain (RFC 1123), as names must be.
pub fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= LONGEST_NAME && text.split('.').all(label)
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

    #[test]
    fn what_can_be_a_name_is_one() {
        for code in ["a", "milk-2", "a.b-c.9", &"x".repeat(253)] {
            assert_eq!(name_of(code), code);
        }
        let others = ["", "Milk", "a b", "-a", "a-", "a..b", "a.", "ä", "x-a", &"x".repeat(254)];
        for code in others {
            let name = name_of(code).into_owned();
            assert!(name.starts_with("x-") && name.len() == 42 && is_name(&name), "{code}: {name}");
            assert_eq!(code_of(&name, Some(code)), code);
        }
        // `printf Milk | sha256sum`
        assert_eq!(name_of("Milk"), "x-8189b8409b18b1ef215ec2f2d8da515cdc7cc21a");
    }

    proptest::proptest! {
        #[test]
        fn names_are_names_and_tell_codes_apart(one in ".{0,300}", other in "[a-cx.A-]{0,6}") {
            for code in [&one, &other] {
                proptest::prop_assert!(is_name(&name_of(code)));
            }
            proptest::prop_assert_eq!(name_of(&one) == name_of(&other), one == other);
        }

        /// Nobody takes the name that another code has by writing it as a code.
        #[test]
        fn a_made_name_is_not_its_own(code in "[A-Z]{1,9}") {
            let name = name_of(&code).into_owned();
            proptest::prop_assert_ne!(name_of(&name).into_owned(), name);
        }
    }
}

//! The apiserver's own REST of a custom resource, without a gateway.

use super::object::{Fields, Object, OfApiserver};

/// A namespaced custom resource, whose fields are in `spec`.
#[derive(Debug, Clone)]
pub struct CustomResource {
    /// `k8sasbackend.com/v1`
    pub api_version: String,
    /// `Todo`
    pub kind: String,
    /// Path of the collection:
    /// `/apis/k8sasbackend.com/v1/namespaces/kab01/todos`.
    pub path: String,
}

impl CustomResource {
    /// The resource `plural` of `kind` in `namespace`.
    pub fn namespaced(api_version: &str, kind: &str, namespace: &str, plural: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            path: format!("/apis/{api_version}/namespaces/{namespace}/{plural}"),
        }
    }
}

impl OfApiserver for CustomResource {
    fn object(&self) -> Object<'_> {
        let Self { api_version, kind, path } = self;
        Object { api_version, kind, path, fields: Fields::Spec }
    }
}

#[cfg(test)]
mod tests {
    use kab_evidence::id::OpId;
    use kab_evidence::ledger::OpKind;
    use kab_wire::Media;

    use super::super::{Answered, Asked, Composed, Dialect};
    use super::*;

    fn composed(kind: OpKind) -> (Composed, serde_json::Value) {
        let dialect = CustomResource::namespaced("g.io/v1", "Todo", "ns", "todos");
        let fields = br#""message":"m","when":"w""#;
        let asked = Asked { op: OpId::new(1, 2), kind, name: "a-1", fields };
        let mut request = Composed::default();
        dialect.compose(&asked, &mut request);
        let body = match request.body.is_empty() {
            true => serde_json::Value::Null,
            false => serde_json::from_slice(&request.body).unwrap(),
        };
        (request, body)
    }

    #[test]
    fn a_create_names_the_entity_and_the_operation() {
        let (request, body) = composed(OpKind::Create);
        assert_eq!(request.path, "/apis/g.io/v1/namespaces/ns/todos");
        assert_eq!(
            body,
            serde_json::json!({
                "apiVersion": "g.io/v1", "kind": "Todo",
                "metadata": {
                    "name": "a-1",
                    "annotations": { "kab.dev/op": OpId::new(1, 2).to_string() },
                },
                "spec": { "message": "m", "when": "w" },
            })
        );
    }

    #[test]
    fn a_patch_changes_fields_and_the_operation_and_nothing_else() {
        let (request, body) = composed(OpKind::Patch);
        assert_eq!(request.path, "/apis/g.io/v1/namespaces/ns/todos/a-1");
        assert_eq!(request.content_type, "application/merge-patch+json");
        assert_eq!(body.as_object().unwrap().len(), 2);
        assert_eq!(body["metadata"].as_object().unwrap().len(), 1);
    }

    #[test]
    fn reads_have_no_body() {
        for kind in [OpKind::Get, OpKind::List, OpKind::Delete] {
            assert!(composed(kind).0.body.is_empty());
        }
    }

    #[test]
    fn an_answer_names_uid_and_revision_wherever_they_are() {
        let dialect = CustomResource::namespaced("g.io/v1", "Todo", "ns", "todos");
        let body = br#"{"spec":{"metadata":{"uid":"no"}},"metadata":{"managedFields":[{}],"uid":"u","resourceVersion":"7"}}"#;
        let answered = dialect.read(OpKind::Create, Media::Json, body);
        assert_eq!(answered, Answered { uid: Some("u".into()), rv: Some("7".into()) });
        assert_eq!(dialect.read(OpKind::Create, Media::Json, b"[1"), Answered::default());
    }

    #[test]
    fn an_update_reads_and_then_writes_the_version_that_it_read() {
        let dialect = CustomResource::namespaced("g.io/v1", "Todo", "ns", "todos");
        let (mut request, _) = composed(OpKind::Update);
        assert_eq!(request.method, kab_wire::Method::Get);
        assert!(request.follows && request.body.is_empty());
        for version in [None, Some(String::new()), Some("7\"".to_owned())] {
            assert!(!dialect.follow(&Answered { uid: None, rv: version }, &mut request));
        }
        let read = Answered { uid: None, rv: Some("41".to_owned()) };
        assert!(dialect.follow(&read, &mut request) && !request.follows);
        assert_eq!(request.method, kab_wire::Method::Put);
        assert_eq!(request.path, "/apis/g.io/v1/namespaces/ns/todos/a-1");
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "apiVersion": "g.io/v1", "kind": "Todo",
                "metadata": {
                    "name": "a-1", "resourceVersion": "41",
                    "annotations": { "kab.dev/op": OpId::new(1, 2).to_string() },
                },
                "spec": { "message": "m", "when": "w" },
            })
        );
    }
}

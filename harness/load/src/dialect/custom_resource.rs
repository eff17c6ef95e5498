//! The apiserver's own REST of a custom resource, without a gateway.

use std::borrow::Cow;

use kab_evidence::id::OP_ANNOTATION;
use kab_evidence::ledger::{OpKind, Outcome};
use kab_wire::Method;
use serde::Deserialize;

use super::{Answered, Asked, Composed, Dialect};

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

impl Dialect for CustomResource {
    fn compose(&self, asked: &Asked<'_>, request: &mut Composed) {
        request.method = match asked.kind {
            OpKind::Create => Method::Post,
            OpKind::Get | OpKind::List => Method::Get,
            OpKind::Update => Method::Put,
            OpKind::Patch => Method::Patch,
            OpKind::Delete => Method::Delete,
        };
        request.content_type = match asked.kind {
            OpKind::Patch => "application/merge-patch+json",
            _ => "application/json",
        };
        request.path.clone_from(&self.path);
        if !matches!(asked.kind, OpKind::Create | OpKind::List) {
            request.path.push('/');
            request.path.push_str(asked.name);
        }
        let body = &mut request.body;
        body.clear();
        if matches!(asked.kind, OpKind::Get | OpKind::List | OpKind::Delete) {
            return;
        }
        let mut put = |part: &str| body.extend_from_slice(part.as_bytes());
        put("{");
        if asked.kind != OpKind::Patch {
            for part in [r#""apiVersion":""#, &self.api_version, r#"","kind":""#, &self.kind] {
                put(part);
            }
            put(r#"","#);
        }
        put(r#""metadata":{"#);
        if asked.kind != OpKind::Patch {
            put(r#""name":""#);
            put(asked.name);
            put(r#"","#);
        }
        for part in [r#""annotations":{""#, OP_ANNOTATION, r#"":""#, asked.op.text().as_str()] {
            put(part);
        }
        put(r#""}},"spec":{"#);
        body.extend_from_slice(asked.fields);
        body.extend_from_slice(b"}}");
    }

    /// A request that the apiserver refuses with a 4xx was not applied. A 5xx
    /// says nothing: etcd may have committed what the apiserver has lost sight
    /// of, and a failure of a webhook is told as 500, too.
    fn classify(&self, _: OpKind, status: u16) -> Outcome {
        match status {
            200..=299 => Outcome::Ok,
            400..=499 => Outcome::Failed,
            _ => Outcome::Indeterminate,
        }
    }

    fn read(&self, kind: OpKind, body: &[u8]) -> Answered {
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow)]
            metadata: Metadata<'a>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata<'a> {
            #[serde(borrow, default)]
            uid: Option<Cow<'a, str>>,
            #[serde(borrow, default)]
            resource_version: Option<Cow<'a, str>>,
        }
        if kind == OpKind::List {
            return Answered::default();
        }
        let Ok(object) = serde_json::from_slice::<Object<'_>>(body) else {
            return Answered::default();
        };
        Answered {
            uid: object.metadata.uid.map(Cow::into_owned),
            rv: object.metadata.resource_version.map(Cow::into_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use kab_evidence::id::OpId;

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
        let answered = dialect.read(OpKind::Create, body);
        assert_eq!(answered, Answered { uid: Some("u".into()), rv: Some("7".into()) });
        assert_eq!(dialect.read(OpKind::Create, b"[1"), Answered::default());
    }
}

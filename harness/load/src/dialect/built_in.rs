//! The apiserver's REST of kinds that every cluster has: unlike custom
//! resources, an apiserver offers them in protobuf, too.

use super::object::{Fields, Object, OfApiserver};

/// Objects of a built-in kind in a namespace.
#[derive(Debug, Clone)]
pub struct BuiltIn {
    api_version: &'static str,
    kind: &'static str,
    path: String,
    fields: Fields,
}

impl BuiltIn {
    /// ConfigMaps; an entity's fields are their `data`.
    pub fn config_maps(namespace: &str) -> Self {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        Self { api_version: "v1", kind: "ConfigMap", path, fields: Fields::Data }
    }

    /// Leases, held by whoever has the entity's name. A Lease has no room for
    /// anything else, so an entity's fields are annotations.
    pub fn leases(namespace: &str) -> Self {
        let api_version = "coordination.k8s.io/v1";
        let path = format!("/apis/{api_version}/namespaces/{namespace}/leases");
        Self { api_version, kind: "Lease", path, fields: Fields::Annotations }
    }
}

impl OfApiserver for BuiltIn {
    fn object(&self) -> Object<'_> {
        let Self { api_version, kind, ref path, fields } = *self;
        Object { api_version, kind, path, fields }
    }
}

#[cfg(test)]
mod tests {
    use kab_evidence::id::OpId;
    use kab_evidence::ledger::OpKind;
    use serde_json::{Value, json};

    use super::super::{Asked, Composed, Dialect};
    use super::*;

    fn composed(dialect: &BuiltIn, kind: OpKind) -> (String, Value) {
        let fields = br#""message":"m","when":"w""#;
        let asked = Asked { op: OpId::new(1, 2), kind, name: "a-1", fields };
        let mut request = Composed::default();
        dialect.compose(&asked, &mut request);
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        (request.path, body)
    }

    #[test]
    fn a_config_map_has_the_fields_as_data() {
        let (path, body) = composed(&BuiltIn::config_maps("ns"), OpKind::Create);
        assert_eq!(path, "/api/v1/namespaces/ns/configmaps");
        let annotations = json!({ "kab.dev/op": OpId::new(1, 2).to_string() });
        let metadata = json!({ "name": "a-1", "annotations": annotations });
        let data = json!({ "message": "m", "when": "w" });
        let expected =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_lease_has_the_fields_as_annotations() {
        let dialect = BuiltIn::leases("ns");
        let (path, body) = composed(&dialect, OpKind::Create);
        assert_eq!(path, "/apis/coordination.k8s.io/v1/namespaces/ns/leases");
        assert_eq!(body["spec"], json!({ "holderIdentity": "a-1" }));
        assert_eq!(body["metadata"]["annotations"]["message"], "m");
        let (path, body) = composed(&dialect, OpKind::Patch);
        assert!(path.ends_with("/leases/a-1"));
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        assert_eq!(body["metadata"]["annotations"]["when"], "w");
    }
}

//! What an instance is made of: pure functions from what is wanted to objects.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use serde_json::{Value, json};

use super::kinds::{self, Kind};
use super::names::{MANAGED_BY, Names};
use super::resource::{BackendSpec, K8sAsBackend};
use crate::defect::{Defect, Defects};
use crate::entity::CRD_NAME;
use crate::kubernetes::objects::definition::definition;
use crate::system::{Admission, Variant};

mod access;
mod admission;
mod limits;
mod network;
mod workload;

pub(super) use workload::APP;
pub(super) use workload::WEBHOOK;

/// The one configuration to which instances add their webhooks (defect 5).
pub(super) const SHARED_WEBHOOK: &str = "todos.k8sasbackend.com";

/// An object as it is wanted.
#[derive(Debug, Clone)]
pub(super) struct Desired {
    pub(super) kind: &'static Kind,
    pub(super) name: String,
    /// All of it but `metadata`, `apiVersion` and `kind`.
    pub(super) body: Value,
    /// Its labels; those of a shared object name no instance.
    pub(super) labels: Value,
    /// Whether other instances have a part in it.
    pub(super) shared: bool,
}

impl Desired {
    /// What messages call it.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind.kind, self.name)
    }
}

/// An instance, with all that its objects are made from.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) names: Names,
    pub(super) spec: &'a BackendSpec,
    pub(super) defects: Defects,
    owner: Option<OwnerReference>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(backend: &'a K8sAsBackend, names: Names) -> Self {
        let owner = backend.controller_owner_ref(&());
        Self { names, spec: &backend.spec, defects: backend.spec.defects(), owner }
    }

    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defects.has(defect)
    }

    /// Whether its writes are judged by a webhook, which is then part of it.
    pub(super) fn webhook(&self) -> bool {
        self.spec.variant.admission() == Some(Admission::Webhook)
    }

    fn own(&self, kind: &'static Kind, name: String, component: &str, body: Value) -> Desired {
        Desired { kind, name, body, labels: self.names.labels(component), shared: false }
    }

    /// The whole object, as it is applied.
    pub(super) fn object(&self, desired: &Desired, annotations: &Value) -> Value {
        let mut object = json!({
            "apiVersion": desired.kind.api_version(),
            "kind": desired.kind.kind,
            "metadata": {
                "name": desired.name,
                "labels": desired.labels,
                "annotations": annotations,
            },
        });
        if desired.kind.namespaced {
            object["metadata"]["namespace"] = json!(self.names.namespace);
            if let Some(owner) = &self.owner {
                object["metadata"]["ownerReferences"] = json!([owner]);
            }
        }
        if let (Some(object), Value::Object(body)) = (object.as_object_mut(), &desired.body) {
            object.extend(body.clone());
        }
        object
    }

    /// The Todo's definition, which all instances of a cluster share.
    pub(super) fn definition(&self) -> Desired {
        Desired {
            kind: &kinds::DEFINITION,
            name: CRD_NAME.to_owned(),
            body: body(definition(&self.defects)),
            labels: json!({ "app.kubernetes.io/managed-by": MANAGED_BY }),
            shared: true,
        }
    }

    /// Everything before the webhook's certificate and what depends on it, in
    /// the order in which it is made.
    pub(super) fn foundation(&self) -> Vec<Desired> {
        let mut all = Vec::new();
        // As the origin, naive takes the cluster's limits as they are.
        if self.spec.variant != Variant::Naive {
            all.extend([self.priority_level(), self.flow_schema(), self.quota()]);
        }
        all.extend(self.accounts());
        all.push(self.app_config());
        if self.webhook() {
            all.push(self.webhook_config());
        }
        all
    }

    /// Everything that can be made once there is a certificate.
    pub(super) fn workloads(&self) -> Vec<Desired> {
        let mut all = vec![self.app(), self.app_service(), self.ingress()];
        if self.webhook() {
            all.extend([self.webhook_server(), self.webhook_service()]);
        }
        all
    }
}

/// An object without its head: what it is called is the operator's to say.
fn body(mut object: Value) -> Value {
    if let Some(body) = object.as_object_mut() {
        for head in ["apiVersion", "kind", "metadata"] {
            body.remove(head);
        }
    }
    object
}

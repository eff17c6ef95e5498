//! The kinds of objects that an operator makes, and how they are reached.

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;

/// A kind of object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    group: &'static str,
    version: &'static str,
    /// What it is called in an object's `kind`.
    pub(super) kind: &'static str,
    plural: &'static str,
    /// Whether its objects are in namespaces.
    pub(super) namespaced: bool,
}

const fn namespaced(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Kind {
    Kind { group, version, kind, plural, namespaced: true }
}

const fn clusterwide(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Kind {
    Kind { group, version, kind, plural, namespaced: false }
}

const ADMISSION: &str = "admissionregistration.k8s.io";
const FLOW: &str = "flowcontrol.apiserver.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) static DEFINITION: Kind = clusterwide(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
);
pub(super) static PRIORITY_LEVEL: Kind =
    clusterwide(FLOW, "v1", "PriorityLevelConfiguration", "prioritylevelconfigurations");
pub(super) static FLOW_SCHEMA: Kind = clusterwide(FLOW, "v1", "FlowSchema", "flowschemas");
pub(super) static WEBHOOK: Kind = clusterwide(
    ADMISSION,
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
);
pub(super) static POLICY: Kind =
    clusterwide(ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies");
pub(super) static POLICY_BINDING: Kind = clusterwide(
    ADMISSION,
    "v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
);
pub(super) static SERVICE_ACCOUNT: Kind = namespaced("", "v1", "ServiceAccount", "serviceaccounts");
pub(super) static ROLE: Kind = namespaced(RBAC, "v1", "Role", "roles");
pub(super) static ROLE_BINDING: Kind = namespaced(RBAC, "v1", "RoleBinding", "rolebindings");
pub(super) static CONFIG_MAP: Kind = namespaced("", "v1", "ConfigMap", "configmaps");
pub(super) static SECRET: Kind = namespaced("", "v1", "Secret", "secrets");
pub(super) static DEPLOYMENT: Kind = namespaced("apps", "v1", "Deployment", "deployments");
pub(super) static SERVICE: Kind = namespaced("", "v1", "Service", "services");
pub(super) static INGRESS: Kind = namespaced("networking.k8s.io", "v1", "Ingress", "ingresses");
pub(super) static QUOTA: Kind = namespaced("", "v1", "ResourceQuota", "resourcequotas");

/// All of them; in this order they are taken down: first what stands in the
/// way of writes, last what the apps need to end in order. The Todo's
/// definition is not among them: it is no single instance's.
pub(super) static OF_AN_INSTANCE: [&Kind; 14] = [
    &WEBHOOK,
    &POLICY_BINDING,
    &POLICY,
    &INGRESS,
    &SERVICE,
    &DEPLOYMENT,
    &QUOTA,
    &FLOW_SCHEMA,
    &PRIORITY_LEVEL,
    &SECRET,
    &CONFIG_MAP,
    &ROLE_BINDING,
    &ROLE,
    &SERVICE_ACCOUNT,
];

impl Kind {
    /// What an object of it says in `apiVersion`.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// How the apiserver knows it.
    pub(super) fn resource(&self) -> ApiResource {
        let gvk = GroupVersionKind::gvk(self.group, self.version, self.kind);
        ApiResource::from_gvk_with_plural(&gvk, self.plural)
    }

    /// Its objects in `namespace`, if it is of that sort, else in the cluster.
    pub(super) fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        if self.namespaced {
            Api::namespaced_with(client.clone(), namespace, &self.resource())
        } else {
            Api::all_with(client.clone(), &self.resource())
        }
    }

    /// Its objects wherever they are.
    pub(super) fn everywhere(&self, client: &Client) -> Api<DynamicObject> {
        Api::all_with(client.clone(), &self.resource())
    }

    /// Its objects in `namespace`, or everywhere if none is given.
    pub(super) fn watched(&self, client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => self.api(client, namespace),
            None => self.everywhere(client),
        }
    }
}

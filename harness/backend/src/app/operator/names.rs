//! What the objects of an instance are called, and how they are labelled.

use kube::ResourceExt;
use serde_json::{Value, json};

use super::resource::K8sAsBackend;

/// Who made it: the value of `app.kubernetes.io/managed-by`.
pub const MANAGED_BY: &str = "kab-operator";

/// The label that names the namespace of the instance, which an object without
/// a namespace does not say otherwise.
pub const NAMESPACE_LABEL: &str = "k8s-as-backend.example.com/namespace";

/// The label that names the instance.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";

/// The label that names the part of the instance.
pub(crate) const COMPONENT_LABEL: &str = "app.kubernetes.io/component";

/// Selects whatever an operator has made.
pub const MANAGED_SELECTOR: &str = "app.kubernetes.io/managed-by=kab-operator";

/// Longest name of an instance: a Service's name, which is made from it, has
/// 63 characters at most.
const LONGEST: usize = 40;

/// An instance, as its objects are named after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) namespace: String,
    pub(super) instance: String,
}

/// The instance's name cannot be part of its objects' names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name {0:?} cannot be that of an instance: Services are named after it, so it must begin \
     with a letter, have only a-z, 0-9 and -, and {LONGEST} characters at most; make the instance \
     anew with another name"
)]
pub(super) struct BadName(String);

impl Names {
    pub(super) fn of(backend: &K8sAsBackend) -> Result<Self, BadName> {
        let instance = backend.name_any();
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let begins = instance.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || instance.len() > LONGEST || !instance.chars().all(letters) {
            return Err(BadName(instance));
        }
        Ok(Self { namespace: backend.namespace().unwrap_or_default(), instance })
    }

    /// An object in the namespace: `kab01-app`.
    pub(super) fn local(&self, part: &str) -> String {
        format!("{}-{part}", self.instance)
    }

    /// An object of the cluster. Namespaces have no dots in their names, so
    /// no two instances share it.
    pub(super) fn global(&self) -> String {
        format!("{}.{}.{}", self.namespace, self.instance, super::resource::GROUP)
    }

    /// Where a Service of it is found from within the cluster.
    pub(super) fn host(&self, part: &str) -> String {
        format!("{}.{}.svc", self.local(part), self.namespace)
    }

    /// Who applies what several instances have a part in: each keeps to its
    /// own.
    pub(super) fn manager(&self) -> String {
        format!("{MANAGED_BY}.{}.{}", self.namespace, self.instance)
    }

    /// The labels of an object that is this instance's alone.
    pub(super) fn labels(&self, component: &str) -> Value {
        let mut labels = self.selector(component);
        labels["app.kubernetes.io/name"] = json!("k8s-as-backend");
        labels["app.kubernetes.io/managed-by"] = json!(MANAGED_BY);
        labels[NAMESPACE_LABEL] = json!(self.namespace);
        labels
    }

    /// What the pods of `component` are found by.
    pub(super) fn selector(&self, component: &str) -> Value {
        let mut labels = json!({ COMPONENT_LABEL: component });
        labels[INSTANCE_LABEL] = json!(self.instance);
        labels
    }

    /// Selects whatever is this instance's alone.
    pub(super) fn all(&self) -> String {
        format!(
            "{MANAGED_SELECTOR},{INSTANCE_LABEL}={},{NAMESPACE_LABEL}={}",
            self.instance, self.namespace
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::operator::resource::BackendSpec;

    fn named(name: &str) -> Result<Names, BadName> {
        let spec: BackendSpec = serde_json::from_value(json!({ "productVersion": "1" })).unwrap();
        let mut backend = K8sAsBackend::new(name, spec);
        backend.metadata.namespace = Some("shop".into());
        Names::of(&backend)
    }

    #[test]
    fn names_say_whose_an_object_is() {
        let names = named("kab01").unwrap();
        assert_eq!(names.local("app"), "kab01-app");
        assert_eq!(names.global(), "shop.kab01.k8s-as-backend.example.com");
        assert_eq!(names.host("webhook"), "kab01-webhook.shop.svc");
    }

    #[test]
    fn a_name_that_no_service_can_have_is_refused() {
        for bad in ["1st", "a.b", "", &"x".repeat(41)] {
            assert!(named(bad).is_err(), "{bad}");
        }
        assert!(named(&"x".repeat(40)).is_ok());
    }
}

//! The objects that make a system, each built by a function of nothing but its
//! arguments: whoever deploys (the lab, or the operator) applies them.

pub(crate) mod definition;
pub(crate) mod fairness;
pub(crate) mod policy;
pub(crate) mod quota;
pub(crate) mod roles;
pub(crate) mod webhook;

use crate::entity::CRD_NAME;

/// The label that all objects of an instance in its namespace have.
pub(crate) const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";

/// The name of what an instance has in the whole cluster: one of its own.
pub(crate) fn cluster_name(instance: &str) -> String {
    format!("{instance}.{CRD_NAME}")
}

//! What an instance may take of the cluster: its share of the apiserver's
//! attention, and of its store.

use serde_json::json;

use super::workload::APP;
use super::{Desired, Plan, body};
use crate::app::operator::kinds;
use crate::deploy::Limits;
use crate::kubernetes::objects::{fairness, quota};

impl Plan<'_> {
    /// A level of its own, so that neither its load starves others nor theirs
    /// it.
    pub(super) fn priority_level(&self) -> Desired {
        let level = body(fairness::priority_level(&self.names.instance));
        self.own(&kinds::PRIORITY_LEVEL, self.names.global(), APP, level)
    }

    /// What the app's account asks goes to that level.
    pub(super) fn flow_schema(&self) -> Desired {
        let account = self.names.local(APP);
        let (instance, namespace) = (&self.names.instance, &self.names.namespace);
        let mut schema = body(fairness::flow_schema(instance, namespace, &[&account]));
        schema["spec"]["priorityLevelConfiguration"]["name"] = json!(self.names.global());
        self.own(&kinds::FLOW_SCHEMA, self.names.global(), APP, schema)
    }

    /// How many Todos there may be.
    pub(super) fn quota(&self) -> Desired {
        let quota = body(quota::quota(&self.names.instance, Limits::default().entities));
        self.own(&kinds::QUOTA, self.names.local("todos"), APP, quota)
    }
}

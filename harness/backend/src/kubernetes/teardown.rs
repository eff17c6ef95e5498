//! Takes down what was made, for clusters that are used again.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Namespace, ResourceQuota, ServiceAccount};
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Resource;
use kube::api::{Api, DeleteParams, ListParams};
use serde::de::DeserializeOwned;

use super::objects::{INSTANCE_LABEL, cluster_name, webhook};
use super::{Deployed, GRACE, ground, manager};
use crate::app::informer::EVENT_SOURCE;
use crate::defect::Defect;
use crate::deploy::{DeployError, apply, delete};
use crate::entity::{CRD_NAME, Todo};
use crate::system::Admission;

/// What was not there before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub(super) namespace: bool,
    pub(super) definition: bool,
}

impl Deployed {
    /// Stops the processes and deletes what [`Self::deploy`] and what came
    /// later made: this instance's webhook or policy, its share of the
    /// apiserver, its Todos, quota, leases and identities, also those of loads
    /// and watchers; the namespace only if it was not there before; the
    /// definition, and with it every Todo of the cluster, only if moreover no
    /// other instance has a judge in place.
    ///
    /// # Errors
    /// If the apiserver refuses something; what comes after it then stays.
    pub async fn teardown(self) -> Result<(), DeployError> {
        // Informers first, or they would announce the deletions below.
        for child in self.children.iter().rev() {
            child.stop(GRACE).await;
        }
        let last = self.withdraw_judge().await?;
        let (client, namespace) = (&self.client, &self.spec.namespace);
        let todos: Api<Todo> = Api::namespaced(client.clone(), namespace);
        let all = todos.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
        all.map_err(|e| DeployError::api(format!("deleting the Todos in {namespace}"))(e))?;
        self.delete_labelled::<RoleBinding>().await?;
        self.delete_labelled::<Role>().await?;
        self.delete_labelled::<ServiceAccount>().await?;
        self.delete_labelled::<ResourceQuota>().await?;
        self.delete_labelled::<Lease>().await?;
        let ours = ListParams::default().fields(&format!("source={EVENT_SOURCE}"));
        self.delete_all::<Event>(&ours).await?;
        if ground::has_share(&self.spec) {
            let name = cluster_name(namespace);
            delete::<FlowSchema>(&Api::all(client.clone()), &name).await?;
            delete::<PriorityLevelConfiguration>(&Api::all(client.clone()), &name).await?;
        }
        if self.made.definition && last {
            delete::<CustomResourceDefinition>(&Api::all(client.clone()), CRD_NAME).await?;
        }
        if self.made.namespace {
            delete::<Namespace>(&Api::all(client.clone()), namespace).await?;
        }
        Ok(())
    }

    async fn delete_labelled<K>(&self) -> Result<(), DeployError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let label = format!("{INSTANCE_LABEL}={}", self.spec.namespace);
        self.delete_all::<K>(&ListParams::default().labels(&label)).await
    }

    async fn delete_all<K>(&self, which: &ListParams) -> Result<(), DeployError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let namespace = &self.spec.namespace;
        let all: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let deleted = all.delete_collection(&DeleteParams::default(), which).await;
        let action = || format!("deleting every {} in {namespace} that is kab's", K::kind(&()));
        deleted.map(drop).map_err(|e| DeployError::api(action())(e))
    }

    /// Deletes this instance's webhook or policy; whether no other instance has
    /// one.
    async fn withdraw_judge(&self) -> Result<bool, DeployError> {
        let (client, name) = (&self.client, cluster_name(&self.spec.namespace));
        let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
        match self.spec.variant.admission() {
            Some(Admission::Webhook) if self.spec.defects.has(Defect::SharedWebhook) => {
                self.leave_shared(&configurations).await?;
            }
            Some(Admission::Webhook) => delete(&configurations, &name).await?,
            Some(Admission::Policy) => {
                let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
                delete(&bindings, &name).await?;
                delete(&policies, &name).await?;
            }
            None => {}
        }
        let everything = ListParams::default();
        let (webhooks, policies) = tokio::try_join!(
            configurations.list_metadata(&everything),
            policies.list_metadata(&everything)
        )
        .map_err(|e| DeployError::api("looking for judges of other instances")(e))?;
        let judges = webhooks.items.iter().map(|object| &object.metadata);
        let mut judges = judges.chain(policies.items.iter().map(|object| &object.metadata));
        Ok(!judges
            .any(|other| other.name.as_ref().is_some_and(|name| name.ends_with(webhook::SHARED))))
    }

    /// Takes this instance's webhook out of the configuration that all share,
    /// and deletes that if no other instance has one in it.
    async fn leave_shared(
        &self,
        configurations: &Api<ValidatingWebhookConfiguration>,
    ) -> Result<(), DeployError> {
        let name = webhook::SHARED;
        let empty = webhook::configuration(name, &[]);
        apply(configurations, &manager(&self.spec), name, &empty).await?;
        let left = configurations.get(name).await;
        let left = left.map_err(|e| DeployError::api("reading what webhooks are left")(e))?;
        if left.webhooks.is_none_or(|webhooks| webhooks.is_empty()) {
            delete(configurations, name).await?;
        }
        Ok(())
    }
}

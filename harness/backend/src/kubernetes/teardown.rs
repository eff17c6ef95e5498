//! Takes down what was made, for clusters that are used again.

use std::fmt::Debug;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Resource;
use kube::api::{Api, DeleteParams, ListParams};
use serde::de::DeserializeOwned;

use super::{Deployed, GRACE, admission, manager};
use crate::deploy::{DeployError, apply};
use crate::entity::{CRD_NAME, Todo};

/// What was not there before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub(super) namespace: bool,
    pub(super) definition: bool,
}

impl Deployed {
    /// Stops the processes and deletes what [`Self::deploy`] made:
    /// this instance's webhook, its Todos and identities; the namespace
    /// only if it was not there before; the definition, and with it every
    /// Todo of the cluster, only if moreover no other instance is in place.
    ///
    /// # Errors
    /// If the apiserver refuses something; what comes after it then stays.
    pub async fn teardown(self) -> Result<(), DeployError> {
        // Informers first, or they would announce the deletions below.
        for child in self.children.iter().rev() {
            child.stop(GRACE).await;
        }
        let last = self.withdraw_webhook().await?;
        let (client, namespace) = (&self.client, &self.spec.namespace);
        let todos: Api<Todo> = Api::namespaced(client.clone(), namespace);
        let all = todos.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
        all.map_err(|e| DeployError::api(format!("deleting the Todos in {namespace}"))(e))?;
        for name in ["gateway", "informer"] {
            delete::<RoleBinding>(&Api::namespaced(client.clone(), namespace), name).await?;
            delete::<Role>(&Api::namespaced(client.clone(), namespace), name).await?;
            delete::<ServiceAccount>(&Api::namespaced(client.clone(), namespace), name).await?;
        }
        if self.made.definition && last {
            delete::<CustomResourceDefinition>(&Api::all(client.clone()), CRD_NAME).await?;
        }
        if self.made.namespace {
            delete::<Namespace>(&Api::all(client.clone()), namespace).await?;
        }
        Ok(())
    }

    /// Takes this instance's webhook out of the configuration, and deletes the
    /// configuration if no other instance has one in it; whether that was so.
    async fn withdraw_webhook(&self) -> Result<bool, DeployError> {
        let name = admission::CONFIGURATION;
        let configurations: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let empty = admission::configuration(&[]);
        apply(&configurations, &manager(&self.spec), name, &empty).await?;
        let left = configurations.get(name).await;
        let left = left.map_err(|e| DeployError::api("reading what webhooks are left")(e))?;
        let last = left.webhooks.is_none_or(|webhooks| webhooks.is_empty());
        if last {
            delete(&configurations, name).await?;
        }
        Ok(last)
    }
}

/// Deletes `name`; that it is gone already is as good.
async fn delete<K>(api: &Api<K>, name: &str) -> Result<(), DeployError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(e) => Err(DeployError::api(format!("deleting {} {name}", K::kind(&())))(e)),
    }
}

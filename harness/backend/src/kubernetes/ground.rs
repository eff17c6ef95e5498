//! What an instance stands on: namespace, definition, its share of the
//! apiserver, its quota.

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::objects::definition::definition;
use super::objects::{cluster_name, fairness, quota};
use super::teardown::Made;
use super::{PAGE, admission};
use crate::deploy::{DeployError, DeploySpec, apply, poll_until};
use crate::entity::{CRD_NAME, Todo};
use crate::system::Variant;

/// The accounts that share what is reserved.
const ACCOUNTS: &[&str] = &["gateway", "informer"];

/// Namespace and definition; which of them were not there before.
pub(super) async fn lay(
    spec: &DeploySpec,
    client: &Client,
    manager: &str,
) -> Result<Made, DeployError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = &spec.namespace;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name },
    });
    let (had_namespace, had_definition) =
        tokio::try_join!(namespaces.get_metadata_opt(name), definitions.get_metadata_opt(CRD_NAME))
            .map_err(|e| DeployError::api("looking for what is there already")(e))?;
    let definition = definition(&spec.defects);
    tokio::try_join!(
        apply(&namespaces, manager, name, &namespace),
        apply(&definitions, manager, CRD_NAME, &definition),
    )?;
    Ok(Made { namespace: had_namespace.is_none(), definition: had_definition.is_none() })
}

/// Whether the system has a share and a quota of its own. Their absence is no
/// defect with a name: the origin knows nothing of such things.
pub(super) fn has_share(spec: &DeploySpec) -> bool {
    spec.variant != Variant::Naive
}

/// Reserves a share of the apiserver, and waits until it has taken note.
pub(super) async fn reserve_share(
    spec: &DeploySpec,
    client: &Client,
    manager: &str,
) -> Result<(), DeployError> {
    let levels: Api<PriorityLevelConfiguration> = Api::all(client.clone());
    let schemas: Api<FlowSchema> = Api::all(client.clone());
    let (namespace, name) = (&spec.namespace, cluster_name(&spec.namespace));
    apply(&levels, manager, &name, &fairness::priority_level(namespace)).await?;
    let schema = fairness::flow_schema(namespace, namespace, ACCOUNTS);
    apply(&schemas, manager, &name, &schema).await?;
    poll_until(format!("FlowSchema {name} is in use"), async || {
        let status = schemas.get(&name).await.ok().and_then(|schema| schema.status);
        status.and_then(|status| status.conditions).is_some_and(|conditions| {
            conditions.iter().any(|condition| {
                condition.type_.as_deref() == Some("Dangling")
                    && condition.status.as_deref() == Some("False")
            })
        })
    })
    .await
}

/// Limits the number of entities, and waits until creates are taken again.
pub(super) async fn limit_entities(
    spec: &DeploySpec,
    client: &Client,
    manager: &str,
) -> Result<(), DeployError> {
    let (name, most) = (quota::NAME, spec.limits.entities);
    let quotas: Api<ResourceQuota> = Api::namespaced(client.clone(), &spec.namespace);
    apply(&quotas, manager, name, &quota::quota(&spec.namespace, most)).await?;
    let quota = quotas.get(name).await;
    let quota = quota.map_err(|e| DeployError::api("reading the quota of Todos")(e))?;
    let hard = &quota::initial_status(most, 0).hard;
    if quota.status.as_ref().is_none_or(|status| status.hard != *hard) {
        // kube-controller-manager would, where there is one; where there is
        // none, nobody else does, and without a status nothing can be created.
        let used = count(client, &spec.namespace).await?;
        let status = json!({ "status": quota::initial_status(most, used) });
        let patched =
            quotas.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await;
        patched.map_err(|e| DeployError::api("giving the quota of Todos its first status")(e))?;
        tracing::info!(used, most, "the quota has no status yet: kab gives it its first");
    }
    if most == 0 {
        return Ok(());
    }
    // The apiserver learns of the status from a watch of its own.
    let todos: Api<Todo> = Api::namespaced(client.clone(), &spec.namespace);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    poll_until("Todos can be created under their quota".to_owned(), async || {
        let created = todos.create(&dry_run, &admission::probe()).await;
        !matches!(created, Err(kube::Error::Api(status)) if status.message.contains("status unknown"))
    })
    .await
}

async fn count(client: &Client, namespace: &str) -> Result<u64, DeployError> {
    let todos: Api<Todo> = Api::namespaced(client.clone(), namespace);
    let mut page = ListParams::default().limit(PAGE);
    let mut count = 0;
    loop {
        let list = todos.list_metadata(&page).await;
        let list = list.map_err(|e| DeployError::api("counting the Todos that are there")(e))?;
        count += list.items.len() as u64;
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page.continue_token = Some(token),
            None => return Ok(count),
        }
    }
}

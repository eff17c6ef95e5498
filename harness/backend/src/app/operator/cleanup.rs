//! What becomes of the objects of an instance that is no more, or that wants
//! them no more.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use serde_json::json;

use super::context::Context;
use super::kinds::{self, Kind};
use super::names::{MANAGED_BY, Names};
use super::objects::SHARED_WEBHOOK;
use super::pass::Failure;
use super::resource::K8sAsBackend;
use crate::entity::CRD_NAME;

/// Deletes all objects of the instance but those that are wanted, by their
/// titles. Also those in its namespace: not every cluster has a garbage
/// collector, and nothing of an instance may judge writes once its server is
/// gone.
pub(super) async fn prune(
    context: &Context,
    names: &Names,
    wanted: &BTreeSet<&str>,
) -> Result<(), Failure> {
    for kind in kinds::OF_AN_INSTANCE {
        let api = kind.api(&context.client, &names.namespace);
        let found = api.list_metadata(&ListParams::default().labels(&names.all())).await;
        let found = found.map_err(Failure::of("listing", format!("{}s", kind.kind)))?;
        for object in found {
            let title = format!("{} {}", kind.kind, object.name_any());
            if !wanted.contains(title.as_str()) && object.metadata.deletion_timestamp.is_none() {
                delete(context, names, kind, &object.name_any(), object.uid()).await?;
            }
        }
    }
    let shared = format!("{} {SHARED_WEBHOOK}", kinds::WEBHOOK.kind);
    if wanted.contains(shared.as_str()) { Ok(()) } else { withdraw(context, names).await }
}

/// Takes this instance's webhook out of the configuration that instances
/// share, and deletes that if nobody else's is in it.
async fn withdraw(context: &Context, names: &Names) -> Result<(), Failure> {
    let title = || format!("{} {SHARED_WEBHOOK}", kinds::WEBHOOK.kind);
    let api = kinds::WEBHOOK.api(&context.client, "");
    let manager = names.manager();
    let found = api.get_opt(SHARED_WEBHOOK).await.map_err(Failure::of("reading", title()))?;
    let Some(found) = found else { return Ok(()) };
    let mut entries = found.managed_fields().iter();
    if !entries.any(|entry| entry.manager.as_ref() == Some(&manager)) {
        return Ok(());
    }
    let nothing = json!({
        "apiVersion": kinds::WEBHOOK.api_version(), "kind": kinds::WEBHOOK.kind,
        "metadata": { "name": SHARED_WEBHOOK },
    });
    let params = PatchParams::apply(&manager).force();
    let left = api.patch(SHARED_WEBHOOK, &params, &Patch::Apply(&nothing)).await;
    let left = left.map_err(Failure::of("withdrawing from", title()))?;
    context.wrote();
    if left.data["webhooks"].as_array().is_none_or(Vec::is_empty) {
        // Not if another instance has come in the meantime.
        let same = Preconditions { resource_version: left.resource_version(), uid: left.uid() };
        let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
        match api.delete(SHARED_WEBHOOK, &params).await {
            Ok(_) => context.wrote(),
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {}
            Err(error) => return Err(Failure::of("deleting", title())(error)),
        }
    }
    Ok(())
}

/// Deletes everything that is the instance's, and the Todo's definition, with
/// all Todos there are, if there is no other instance.
pub(super) async fn clean_up(
    context: &Context,
    backend: &K8sAsBackend,
    names: &Names,
) -> Result<(), Failure> {
    prune(context, names, &BTreeSet::new()).await?;
    let all: Api<K8sAsBackend> = Api::all(context.client.clone());
    let all = all.list(&ListParams::default()).await;
    let all = all.map_err(Failure::of("listing", "K8sAsBackends"))?;
    let other = |other: &K8sAsBackend| {
        other.uid() != backend.uid() && other.metadata.deletion_timestamp.is_none()
    };
    if all.iter().any(other) {
        return Ok(());
    }
    let definitions = kinds::DEFINITION.api(&context.client, "");
    let title = format!("{} {CRD_NAME}", kinds::DEFINITION.kind);
    let found = definitions.get_metadata_opt(CRD_NAME).await;
    let found = found.map_err(Failure::of("reading", title))?;
    let ours = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get("app.kubernetes.io/managed-by").is_some_and(|by| by == MANAGED_BY)
    };
    match found {
        Some(found) if ours(found.labels()) => {
            delete(context, names, &kinds::DEFINITION, CRD_NAME, found.uid()).await
        }
        _ => Ok(()),
    }
}

async fn delete(
    context: &Context,
    names: &Names,
    kind: &Kind,
    name: &str,
    uid: Option<String>,
) -> Result<(), Failure> {
    let api = kind.api(&context.client, &names.namespace);
    let same = Preconditions { uid, resource_version: None };
    let params = DeleteParams { preconditions: Some(same), ..DeleteParams::background() };
    match api.delete(name, &params).await {
        Ok(_) => {
            context.wrote();
            Ok(())
        }
        Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(()),
        Err(error) => Err(Failure::of("deleting", format!("{} {name}", kind.kind))(error)),
    }
}

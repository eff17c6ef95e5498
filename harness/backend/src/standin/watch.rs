//! Which Deployments there are, and what becomes of the Secrets they mount.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Shared, locked, volumes, workload};

type Key = (String, String);

/// Runs every Deployment in a task of its own.
pub(super) async fn deployments(shared: Arc<Shared>) {
    let api: Api<Deployment> = Api::all(shared.client.clone());
    let selected = watcher::Config::default().labels(&shared.spec.selector);
    let mut events = pin!(watcher(api, selected).default_backoff());
    let mut wanted: HashMap<Key, watch::Sender<Option<Arc<Deployment>>>> = HashMap::new();
    let mut listed: HashSet<Key> = HashSet::new();
    let mut running = JoinSet::new();
    while let Some(event) = events.next().await {
        // Those that have ended need no more looking after.
        while running.try_join_next().is_some() {}
        match event {
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(deployment) | watcher::Event::Apply(deployment)) => {
                let key = key(&deployment);
                listed.insert(key.clone());
                let deployment = Some(Arc::new(deployment));
                match wanted.get(&key) {
                    Some(sender) => drop(sender.send_replace(deployment)),
                    None => {
                        let (sender, receiver) = watch::channel(deployment);
                        wanted.insert(key.clone(), sender);
                        running.spawn(workload::run(Arc::clone(&shared), key, receiver));
                    }
                }
            }
            // Its sender goes, and with it what it wanted.
            Ok(watcher::Event::InitDone) => wanted.retain(|key, _| listed.contains(key)),
            Ok(watcher::Event::Delete(deployment)) => drop(wanted.remove(&key(&deployment))),
            Err(error) => tracing::warn!(%error, "the watch of Deployments broke off"),
        }
    }
}

fn key(deployment: &Deployment) -> Key {
    (deployment.namespace().unwrap_or_default(), deployment.name_any())
}

/// Brings changed Secrets to the pods that mount them.
pub(super) async fn secrets(shared: Arc<Shared>) {
    let api: Api<Secret> = Api::all(shared.client.clone());
    let selected = watcher::Config::default().labels(&shared.spec.selector);
    let mut changed = pin!(watcher(api, selected).default_backoff().applied_objects());
    while let Some(secret) = changed.next().await {
        match secret {
            Ok(secret) => refresh(&shared, &secret),
            Err(error) => tracing::warn!(%error, "the watch of Secrets broke off"),
        }
    }
}

fn refresh(shared: &Shared, secret: &Secret) {
    let key = (secret.namespace().unwrap_or_default(), secret.name_any());
    let folders = locked(&shared.mounts).get(&key).cloned().unwrap_or_default();
    for folder in folders {
        if let Err(error) = volumes::write_secret(&folder, secret) {
            tracing::warn!(%error, "a pod does not get its changed Secret");
        }
    }
}

//! Under which conditions numbers are taken in a local lab.

use std::collections::BTreeMap;

use kab_evidence::record::{AssetRecord, Conditions};
use serde::Deserialize;

use super::LabError;
use super::client::Client;
use super::host::host;
use super::plan::Plan;
use crate::assets::Asset;

#[derive(Deserialize)]
struct KubernetesVersion {
    #[serde(rename = "gitVersion")]
    git_version: String,
}

#[derive(Deserialize)]
struct EtcdVersion {
    etcdserver: String,
}

/// The conditions, with the versions that the components say they are.
pub(super) async fn conditions(
    plan: &Plan<'_>,
    command_lines: &[(&Asset, Vec<String>)],
    api: &Client,
    etcd: &Client,
) -> Result<Conditions, LabError> {
    let kubernetes: KubernetesVersion = api.json("/version").await?;
    let etcd: EtcdVersion = etcd.json("/version").await?;
    let lines = command_lines.iter().map(|(asset, line)| (asset.name.clone(), line.clone()));
    Ok(Conditions {
        fidelity: fidelity(plan),
        provider: "local".into(),
        versions: BTreeMap::from([
            ("kubernetes".to_owned(), kubernetes.git_version),
            ("etcd".to_owned(), etcd.etcdserver),
        ]),
        etcd_members: 1,
        apiservers: 1,
        fsync: plan.spec.etcd.fsync,
        etcd_quota_bytes: plan.spec.etcd.quota_bytes,
        command_lines: lines.collect(),
        assets: command_lines.iter().map(|(asset, _)| AssetRecord::from(*asset)).collect(),
        settings: BTreeMap::new(),
        host: host(plan.dir),
        apiserver_tracing: plan.spec.tracing.is_some(),
        calibration: None,
    })
}

fn fidelity(plan: &Plan<'_>) -> String {
    let disk = if plan.spec.etcd.fsync {
        "etcd waits for this machine's disk"
    } else {
        "etcd does not wait for the disk (no fsync), so writes are faster than any durable store's"
    };
    let manager = match plan.spec.controller_manager {
        Some(_) => "a controller manager with the controllers of its command line",
        None => "no controller manager",
    };
    let tracing = match plan.spec.tracing {
        Some(_) => {
            " The apiserver traces every request, which costs it CPU time: its own numbers are \
             those of a slower server."
        }
        None => "",
    };
    format!(
        "Real etcd and kube-apiserver, one of each, with {manager}, on the same machine as the load \
         and the system under test and over loopback: {disk}, there is no replication, no network \
         between machines, no scheduler and no kubelet. Latencies are lower bounds of a production \
         cluster's; limits of code (sizes, quotas, watch caches) are the same.{tracing}"
    )
}

//! Local control planes, with the real programs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use kab_lab::assets::Component;
use kab_lab::local::{Client, ComponentSpec, LabError, LocalSpec};
use kab_lab::process::Supervisor;
use rustix::process::Signal;
use support::{PATIENCE, Traces, start};

#[tokio::test]
async fn a_lab_works_and_leaves_nothing_when_it_is_stopped() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let mut spec = LocalSpec { controller_manager: Some(<_>::default()), ..<_>::default() };
    spec.etcd.quota_bytes = 64 << 20;
    spec.etcd.flags.insert("snapshot-count".into(), "5000".into());
    let lab = start(&spec, dir.path(), &supervisor).await.unwrap();

    let api = Client::new(lab.server(), lab.admin()).unwrap();
    let namespaces: serde_json::Value = api.json("/api/v1/namespaces").await.unwrap();
    assert_eq!(namespaces["kind"], "NamespaceList");
    let etcd = Client::new(lab.etcd_url(), lab.etcd_client()).unwrap();
    let (status, metrics) = etcd.get("/metrics").await.unwrap();
    assert!(status.is_success());
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(metrics.contains("etcd_server_quota_backend_bytes 6.7108864e+07"), "{metrics}");

    let mode = lab.kubeconfig().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    match Command::new("kubectl")
        .args(["get", "namespaces", "-o", "name", "--kubeconfig"])
        .arg(lab.kubeconfig())
        .output()
    {
        Ok(kubectl) => {
            let said = String::from_utf8_lossy(&kubectl.stdout);
            assert!(said.contains("namespace/kube-system"), "{kubectl:?}");
        }
        Err(error) => eprintln!("kubectl was not tried: {error}"),
    }

    let conditions = lab.conditions();
    let command_line = conditions.command_lines["etcd"].join(" ");
    assert!(command_line.contains("--snapshot-count=5000"), "{command_line}");
    assert!(!command_line.contains("unsafe-no-fsync"), "{command_line}");
    assert!(conditions.versions["kubernetes"].starts_with("v1."), "{:?}", conditions.versions);
    assert!(conditions.versions["etcd"].starts_with("3."), "{:?}", conditions.versions);
    assert_eq!((conditions.fsync, conditions.etcd_quota_bytes), (true, 64 << 20));
    assert_eq!(conditions.assets.len(), 3);

    let traces = Traces::of(lab.pids().into_values());
    assert_eq!(traces.processes.len(), 3);
    lab.stop().await;
    traces.assert_gone();
    assert!(supervisor.deaths().try_recv().is_err(), "an end that was asked for is no death");
}

#[tokio::test]
async fn an_etcd_client_of_the_cluster_is_turned_away() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let lab = start(&LocalSpec::default(), dir.path(), &supervisor).await.unwrap();
    // The right authority for etcd's certificate, but the cluster's client.
    let stranger = Client::new(lab.etcd_url(), lab.admin()).unwrap();
    assert!(stranger.get("/version").await.is_err());
    assert!(Client::new(lab.server(), lab.etcd_client()).unwrap().get("/readyz").await.is_err());

    let traces = Traces::of(lab.pids().into_values());
    drop(lab);
    traces.assert_gone();
}

#[tokio::test]
async fn a_death_is_told_with_the_end_of_its_log() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let lab = start(&LocalSpec::default(), dir.path(), &supervisor).await.unwrap();
    let mut deaths = supervisor.deaths();
    let apiserver = lab.child(Component::Apiserver).unwrap();
    apiserver.signal(Signal::KILL);
    let death = tokio::time::timeout(PATIENCE, deaths.recv()).await.unwrap().unwrap();
    assert_eq!((death.name.as_str(), death.how.as_str()), ("kube-apiserver", "signal 9"));
    assert_eq!(death.pid, apiserver.pid());
    assert!(!death.log_tail.is_empty());
    lab.stop_now().await;
    assert!(deaths.try_recv().is_err(), "etcd was asked to end");
}

#[tokio::test]
async fn a_flag_that_is_none_ends_the_start_with_the_end_of_the_log() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let flags = BTreeMap::from([("no-such-flag".to_owned(), "1".to_owned())]);
    let spec = LocalSpec { apiserver: ComponentSpec { flags }, ..LocalSpec::default() };
    let error = start(&spec, dir.path(), &supervisor).await.unwrap_err();
    assert!(matches!(&error, LabError::Died { name, .. } if name == "kube-apiserver"), "{error}");
    assert!(error.to_string().contains("unknown flag: --no-such-flag"), "{error}");
    assert!(supervisor.children().is_empty(), "etcd was left running");
    assert!(supervisor.deaths().try_recv().is_err(), "the error tells it already");
}

#[tokio::test]
async fn two_labs_at_once_are_two() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let supervisor = Supervisor::new().unwrap();
    let spec = LocalSpec::default();
    let (one, two) =
        tokio::join!(start(&spec, one.path(), &supervisor), start(&spec, two.path(), &supervisor));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.server(), two.server());
    // Each has an authority of its own.
    assert!(Client::new(one.server(), two.admin()).unwrap().get("/readyz").await.is_err());
    let traces = Traces::of(one.pids().into_values().chain(two.pids().into_values()));
    assert_eq!(traces.processes.len(), 4);
    drop((one, two));
    traces.assert_gone();
}

#[tokio::test]
async fn the_supervisors_end_is_the_labs() {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new().unwrap();
    let lab = start(&LocalSpec::default(), dir.path(), &supervisor).await.unwrap();
    let traces = Traces::of(lab.pids().into_values());
    drop(supervisor);
    traces.assert_gone();
}

//! PostgreSQL and nats-server, the real ones, and what is left of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kab_lab::assets::{ServerFinder, ServerPrograms};
use kab_lab::keep::{LabDir, LabNote, Labs, ProcessId, start_keeper};
use kab_lab::process::{Account, Supervisor};
use kab_lab::progress::Silent;
use kab_lab::servers::{NatsSpec, PostgresSpec, Servers, ServersError, ServersSpec};
use rustix::process::{Pid, Signal, kill_process};
use support::{PATIENCE, Traces, server_programs};
use tokio_postgres::NoTls;

async fn programs() -> &'static ServerPrograms {
    tokio::task::spawn_blocking(server_programs).await.unwrap()
}

fn lab() -> (tempfile::TempDir, Labs, LabDir) {
    let state = tempfile::tempdir().unwrap();
    let labs = Labs::at(state.path());
    let dir = labs.create(None).unwrap();
    (state, labs, dir)
}

fn spec(dir: &LabDir) -> ServersSpec {
    let settings = BTreeMap::from([("shared_buffers".to_owned(), "64MB".to_owned())]);
    ServersSpec {
        given: None,
        postgres: PostgresSpec { settings },
        nats: NatsSpec::default(),
        logs: dir.path().join("logs"),
    }
}

/// The processes below `pid`.
fn below(pid: u32) -> Vec<ProcessId> {
    let parent = |process: &procfs::process::Process| process.stat().map(|stat| stat.ppid).ok();
    let pid = i32::try_from(pid).unwrap();
    let all = procfs::process::all_processes().unwrap().flatten();
    let ours = all.filter(|process| parent(process) == Some(pid));
    ours.filter_map(|process| ProcessId::of(process.pid.try_into().unwrap())).collect()
}

#[tokio::test]
async fn servers_work_and_leave_nothing_when_they_are_stopped() {
    let (_state, _labs, dir) = lab();
    let supervisor = Supervisor::new().unwrap();
    let spec = spec(&dir);
    let servers =
        Servers::start(&spec, programs().await, &dir, &supervisor, &Silent).await.unwrap();

    let (client, connection) =
        tokio_postgres::connect(servers.postgres_url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let one: i32 = client.query_one("SELECT 1", &[]).await.unwrap().get(0);
    assert_eq!(one, 1);

    let told = &servers.conditions().settings;
    for on in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(told[&format!("postgres {on}")], "on", "{told:?}");
    }
    assert_eq!(told["postgres shared_buffers"], "64MB");
    assert_eq!(told["nats-server jetstream.config.sync_always"], "true", "{told:?}");
    let conditions = servers.conditions();
    let line = conditions.command_lines["postgres"].join(" ");
    assert!(line.contains("fsync=on") && line.contains("shared_buffers=64MB"), "{line}");
    assert_eq!(conditions.assets.len(), 2);
    assert!(conditions.versions["postgres"].starts_with(char::is_numeric));

    let postgres = servers.pids()["postgres"];
    let traces = Traces::of(servers.pids().into_values());
    let backends = below(postgres);
    assert!(backends.len() > 3, "{backends:?}");
    if let Some(account) = Account::unprivileged() {
        let process = procfs::process::Process::new(postgres.try_into().unwrap()).unwrap();
        assert_eq!(process.uid().unwrap(), account.uid, "it does not run as root");
    }
    servers.stop_now().await;
    traces.assert_gone();
    for backend in backends {
        assert!(backend.ends_within(PATIENCE), "{backend:?}");
    }
}

#[tokio::test]
async fn nobody_comes_in_without_the_password() {
    let (_state, _labs, dir) = lab();
    let supervisor = Supervisor::new().unwrap();
    let spec = spec(&dir);
    let servers =
        Servers::start(&spec, programs().await, &dir, &supervisor, &Silent).await.unwrap();
    let mut config: tokio_postgres::Config = servers.postgres_url().parse().unwrap();
    let error = config.password("guessed").connect(NoTls).await.err().unwrap();
    assert_eq!(error.code().unwrap().code(), "28P01", "{error}");
    servers.stop_now().await;
}

#[tokio::test]
async fn a_given_server_is_used_and_not_ended() {
    let (_state, _labs, dir) = lab();
    let (owner, user) = (Supervisor::new().unwrap(), Supervisor::new().unwrap());
    let own = spec(&dir);
    let theirs = Servers::start(&own, programs().await, &dir, &owner, &Silent).await.unwrap();
    let (_state, _labs, dir) = lab();
    let mut given = spec(&dir);
    given.given = Some(theirs.postgres_url().to_owned());
    let programs = ServerPrograms { postgres: None, nats: programs().await.nats.clone() };
    let servers = Servers::start(&given, &programs, &dir, &user, &Silent).await.unwrap();
    assert!(servers.postgres().is_none() && servers.pids().len() == 1);
    assert_eq!(servers.conditions().settings["postgres fsync"], "on");
    servers.stop_now().await;
    assert!(theirs.postgres().unwrap().child().has_ended().is_none());

    given.given = Some("postgres://nobody:x@127.0.0.1:1/none".to_owned());
    let error = Servers::start(&given, &programs, &dir, &user, &Silent).await.unwrap_err();
    assert!(matches!(error, ServersError::Settings { .. }), "{error}");
    theirs.stop_now().await;
}

#[tokio::test]
async fn a_setting_that_is_none_is_told_with_the_log() {
    let (_state, _labs, dir) = lab();
    let supervisor = Supervisor::new().unwrap();
    let mut spec = spec(&dir);
    spec.postgres.settings.insert("no_such_setting".to_owned(), "1".to_owned());
    let error = Servers::start(&spec, programs().await, &dir, &supervisor, &Silent).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}

#[test]
fn a_given_folder_without_postgres_is_an_error_that_says_so() {
    let finder = ServerFinder {
        postgres_bin: Some("/nonexistent".into()),
        ..ServerFinder::from_env().unwrap()
    };
    let error = finder.find(true, &Silent).unwrap_err().to_string();
    assert!(error.contains("KAB_POSTGRES_BIN") && error.contains("/nonexistent"), "{error}");
}

/// An owner of servers, in a process of its own.
fn owner(way: &str) -> (tempfile::TempDir, Labs, u32, PathBuf, Traces, Vec<ProcessId>) {
    server_programs();
    let state = tempfile::tempdir().unwrap();
    let labs = Labs::at(state.path());
    let env = format!("KAB_STATE={}", state.path().display());
    let args = [env.as_str(), env!("CARGO_BIN_EXE_kab-lab-owner"), "lab", way, "servers"];
    let keeper = start_keeper(Path::new("/usr/bin/env"), args, &labs.keeper_log("lab")).unwrap();
    let note = PathBuf::from(&keeper.said);
    let folder = note.parent().unwrap().to_owned();
    let note: LabNote = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    let backends = below(note.processes["postgres"].pid);
    let traces = Traces::of_processes(note.processes.into_values());
    (state, labs, keeper.pid, folder, traces, backends)
}

fn ends_by(way: &str, signal: Signal, swept: usize) {
    let (_state, labs, pid, folder, traces, backends) = owner(way);
    let elsewhere = fs::read_to_string(folder.join("elsewhere")).unwrap_or_default();
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
    traces.assert_gone_soon();
    for backend in backends {
        assert!(backend.ends_within(PATIENCE), "{backend:?}");
    }
    assert!(ProcessId::of(pid).is_none_or(|process| process.ends_within(PATIENCE)));
    assert_eq!(labs.sweep().unwrap().len(), swept);
    assert!(!folder.exists());
    for place in elsewhere.lines() {
        assert!(!Path::new(place).exists(), "{place}");
    }
}

#[test]
fn nothing_is_left_after_sigterm() {
    ends_by("clean", Signal::TERM, 0);
}

#[test]
fn nothing_is_left_after_a_panic() {
    ends_by("panic", Signal::TERM, 0);
}

#[test]
fn no_process_is_left_after_sigkill_and_the_data_is_swept() {
    ends_by("clean", Signal::KILL, 1);
}

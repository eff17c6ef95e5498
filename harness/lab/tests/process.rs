//! Children: their deaths, their logs, their ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::path::Path;
use std::time::Duration;

use kab_lab::keep::ProcessId;
use kab_lab::process::{Child, ChildSpec, Supervisor};
use rustix::process::Signal;

/// Long enough for a loaded machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

fn sh(dir: &Path, script: &str) -> ChildSpec {
    ChildSpec::new("sh", "/bin/sh", dir.join("sh.log")).args(["-c", script])
}

/// A child that runs `script` and has printed its first line.
async fn started(supervisor: &Supervisor, dir: &Path, script: &str) -> (Child, String) {
    let child = supervisor.spawn(sh(dir, script).lines()).unwrap();
    let line = child.take_lines().unwrap().recv().await.unwrap();
    (child, line)
}

#[tokio::test]
async fn a_death_comes_with_its_status_and_the_end_of_the_log() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let script =
        "i=0; while [ $i -lt 50 ]; do echo line $i; i=$((i+1)); done; echo bad >&2; exit 3";
    let mut deaths = supervisor.deaths();
    let child = supervisor.spawn(sh(dir.path(), script)).unwrap();
    let death = deaths.recv().await.unwrap();
    assert_eq!(
        (death.name.as_str(), death.pid, death.how.as_str()),
        ("sh", child.pid(), "exit status 3")
    );
    assert_eq!(death.log_tail.len(), 15);
    assert_eq!(death.log_tail[13..], ["line 49", "bad"]);
    assert_eq!(child.ended().await.status, Some(3));
    // Those who listen later hear of it too.
    assert_eq!(supervisor.deaths().recv().await.unwrap(), death);
    assert!(supervisor.children().is_empty());
}

#[tokio::test]
async fn lines_are_handed_out_and_logged() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let child = supervisor.spawn(sh(dir.path(), "echo one; echo two >&2; printf three").lines());
    let child = child.unwrap();
    let mut lines = child.take_lines().unwrap();
    assert!(child.take_lines().is_none(), "lines are handed out once");
    assert_eq!(lines.recv().await.unwrap(), "one");
    assert_eq!(lines.recv().await.unwrap(), "three");
    assert_eq!(lines.recv().await, None);
    let ended = child.ended().await;
    assert!(ended.success());
    let mut tail = ended.log_tail.join("");
    tail.truncate(64);
    assert!(["one", "two", "three"].iter().all(|word| tail.contains(word)), "{tail}");
}

#[tokio::test]
async fn stop_asks_first_and_an_end_that_was_asked_for_is_no_death() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let (child, _) = started(&supervisor, dir.path(), script).await;
    let ended = child.stop(PATIENCE).await;
    assert!(ended.success(), "{ended}");
    assert!(ended.log_tail.contains(&"bye".to_owned()), "{:?}", ended.log_tail);
    assert!(supervisor.deaths().try_recv().is_err());
    assert_eq!(child.stop(PATIENCE).await, ended, "stopping twice");
}

#[tokio::test]
async fn stop_kills_what_does_not_listen_and_what_is_paused() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let script = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let (deaf, _) = started(&supervisor, dir.path(), script).await;
    assert_eq!(deaf.stop(Duration::from_millis(50)).await.signal, Some(9));

    let script = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let (paused, _) = started(&supervisor, dir.path(), script).await;
    paused.signal(Signal::STOP);
    assert!(paused.stop(PATIENCE).await.success());
    assert!(supervisor.deaths().try_recv().is_err());
}

#[tokio::test]
async fn a_signal_that_is_a_fault_is_a_death() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let (child, _) = started(&supervisor, dir.path(), "echo ready; exec sleep 1000").await;
    child.signal(Signal::KILL);
    assert_eq!(supervisor.deaths().recv().await.unwrap().how, "signal 9");
    child.signal(Signal::KILL);
}

#[tokio::test]
async fn an_unannounced_death_is_its_holders_until_it_is_announced() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let child = supervisor.spawn(sh(dir.path(), "exit 1").unannounced()).unwrap();
    child.ended().await;
    let mut deaths = supervisor.deaths();
    assert!(deaths.try_recv().is_err());
    child.announce(&supervisor);
    assert_eq!(deaths.try_recv().unwrap().pid, child.pid());
    child.announce(&supervisor);
    assert!(deaths.try_recv().is_err(), "announced twice");
}

#[tokio::test]
async fn helpers_end_with_the_child() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let script = "sleep 1000 & echo $!; wait";
    let (child, helper) = started(&supervisor, dir.path(), script).await;
    let helper = ProcessId::of(helper.parse().unwrap()).unwrap();
    child.kill();
    child.ended().await;
    assert!(helper.ends_within(PATIENCE));
}

#[tokio::test]
async fn dropping_the_supervisor_kills_and_reaps() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let script = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let (child, _) = started(&supervisor, dir.path(), script).await;
    drop(supervisor);
    assert_eq!(child.has_ended().unwrap().signal, Some(9));
    assert!(!Path::new(&format!("/proc/{}", child.pid())).exists(), "a zombie was left");
}

#[tokio::test]
async fn a_panic_kills_too() {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new().unwrap();
    let (child, _) = started(&supervisor, dir.path(), "echo ready; exec sleep 1000").await;
    let panicking = std::thread::spawn(move || {
        let _supervisor = supervisor;
        panic!("on purpose");
    });
    assert!(panicking.join().is_err());
    assert_eq!(child.has_ended().unwrap().signal, Some(9));
}

#[tokio::test]
async fn children_outlive_the_thread_that_asked_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = std::sync::Arc::new(Supervisor::new().unwrap());
    let (asking, spec) =
        (supervisor.clone(), sh(dir.path(), "echo ready; exec sleep 1000").lines());
    let child = std::thread::spawn(move || asking.spawn(spec).unwrap()).join().unwrap();
    assert_eq!(child.take_lines().unwrap().recv().await.unwrap(), "ready");
    child.signal(Signal::TERM);
    assert_eq!(child.ended().await.signal, Some(15), "it was dead already, of another signal");
}

#[test]
fn a_program_that_is_none_is_said_to_be() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let spec = ChildSpec::new("gateway", "/nonexistent/program", dir.path().join("log"));
    let error = supervisor.spawn(spec).unwrap_err().to_string();
    assert!(error.contains("gateway") && error.contains("/nonexistent/program"), "{error}");
}

#[tokio::test]
async fn stop_all_stops_all_at_once() {
    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let script = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let (one, _) = started(&supervisor, dir.path(), script).await;
    let (two, _) = started(&supervisor, dir.path(), script).await;
    supervisor.stop_all(PATIENCE).await;
    assert!(one.has_ended().unwrap().success() && two.has_ended().unwrap().success());
    assert!(supervisor.children().is_empty());
}

#[tokio::test]
async fn a_child_that_is_given_a_stdin_reads_it_and_another_has_none() {
    use std::io::Write;

    let (dir, supervisor) = (tempfile::tempdir().unwrap(), Supervisor::new().unwrap());
    let script = "while read line; do echo \"heard $line\"; done; echo over";
    let child = supervisor.spawn(sh(dir.path(), script).lines().input()).unwrap();
    let (mut lines, mut input) = (child.take_lines().unwrap(), child.take_input().unwrap());
    assert!(child.take_input().is_none(), "it is handed out once");
    writeln!(input, "one").unwrap();
    assert_eq!(lines.recv().await.unwrap(), "heard one");
    drop(input);
    assert_eq!(lines.recv().await.unwrap(), "over");

    let deaf = supervisor.spawn(sh(dir.path(), script).lines()).unwrap();
    assert!(deaf.take_input().is_none());
    assert_eq!(deaf.take_lines().unwrap().recv().await.unwrap(), "over");
}

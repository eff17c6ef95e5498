//! Whatever dies in mid-run: an honest record, an honest exit code, nothing left.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use common::{Place, kill};
use kab_evidence::event::Happening;
use kab_evidence::record::{RunState, Verdict};
use rustix::process::Signal;

const SHORT: [&str; 3] =
    ["steps.fill.seed.count=20", "steps.write.load.duration=6s", "steps.settle.wait.atMost=3s"];

fn killed_in_mid_run(part: &str) {
    let place = Place::new();
    let mut kab = place.quickstart(&SHORT);
    kab.await_line("step write");
    let ports = place.ports();
    kill(place.pid_of(part), Signal::KILL);
    let ended = kab.end();
    place.assert_nothing_left(&ports);

    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let record = place.record();
    assert_eq!(record.state, RunState::Complete);
    assert!(!record.cells[0].validity.is_valid());
    assert!(record.verdicts.iter().all(|v| v.verdict == Verdict::Inconclusive));
    let died = place.events().into_iter().any(
        |event| matches!(event.what, Happening::ChildDied { name, .. } if name.starts_with(part)),
    );
    assert!(died, "the record does not say that {part} died");
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
    let report = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(report.contains(part), "{report}");
}

#[test]
fn killed_apiserver() {
    killed_in_mid_run("kube-apiserver");
}

#[test]
fn killed_etcd() {
    killed_in_mid_run("etcd");
}

#[test]
fn killed_webhook() {
    killed_in_mid_run("webhook");
}

#[test]
fn killed_gateway() {
    killed_in_mid_run("gateway");
}

#[test]
fn killed_informer() {
    killed_in_mid_run("informer");
}

fn signalled(signal: Signal) {
    let place = Place::new();
    let mut kab = place.quickstart(&SHORT);
    kab.await_line("step write");
    let ports = place.ports();
    kab.signal(signal);
    let ended = kab.end();
    place.assert_nothing_left(&ports);

    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let record = place.record();
    assert_eq!(record.state, RunState::Interrupted);
    assert!(record.verdicts.iter().all(|v| v.verdict == Verdict::Inconclusive));
    assert!(place.out().join("report.html").exists());
    assert_eq!(ended.stdout.lines().last(), place.out().canonicalize().unwrap().to_str());
}

#[test]
fn interrupted() {
    signalled(Signal::INT);
}

#[test]
fn terminated() {
    signalled(Signal::TERM);
}

#[test]
fn killed_itself() {
    let place = Place::new();
    let mut kab = place.quickstart(&SHORT);
    kab.await_line("step write");
    let ports = place.ports();
    assert!(!ports.is_empty());
    kab.signal(Signal::KILL);
    assert_eq!(kab.end().code, None);
    place.assert_nothing_left(&ports);

    // What was gathered can still be reported, as incomplete.
    assert_eq!(place.record().state, RunState::Running);
    let report = place.output(&["report", place.out().to_str().unwrap()]);
    assert_eq!(report.status.code(), Some(3), "{}", String::from_utf8_lossy(&report.stderr));
    let text = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(text.contains("incomplete"), "{text}");

    // What it left on disk is found and removed.
    assert_ne!(place.lab_files(), Vec::<PathBuf>::new());
    assert_eq!(place.output(&["clean"]).status.code(), Some(0));
    assert_eq!(place.lab_files(), Vec::<PathBuf>::new());
}

#[test]
fn interrupted_while_the_cluster_starts() {
    let place = Place::new();
    let mut kab = place.quickstart(&SHORT);
    kab.await_line("starting");
    kab.signal(Signal::INT);
    let ended = kab.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    place.assert_nothing_left(&std::collections::BTreeSet::new());
}

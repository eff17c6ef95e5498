//! However the owner of a lab ends, nothing of the lab is left.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use kab_lab::keep::{Down, KeepError, LabNote, Labs, ProcessId, start_keeper};
use rustix::process::{Pid, Signal, kill_process};
use support::{PATIENCE, Traces, assets};

/// An owner of a lab, in a process of its own.
struct Owner {
    state: tempfile::TempDir,
    labs: Labs,
    pid: u32,
    traces: Traces,
    folder: PathBuf,
}

impl Owner {
    fn start(way: &str) -> Self {
        // Found, or even built, before the owner looks for them.
        assets();
        let state = tempfile::tempdir().unwrap();
        let labs = Labs::at(state.path());
        let env = format!("KAB_STATE={}", state.path().display());
        let args = [env.as_str(), env!("CARGO_BIN_EXE_kab-lab-owner"), "lab", way];
        let keeper = start_keeper(Path::new("/usr/bin/env"), args, &labs.keeper_log("lab"));
        let keeper = keeper.unwrap();
        let note = PathBuf::from(&keeper.said);
        let folder = note.parent().unwrap().to_owned();
        let note: LabNote = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
        let traces = Traces::of_processes(note.processes.into_values());
        Self { state, labs, pid: keeper.pid, traces, folder }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid.try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

#[test]
fn nothing_is_left_after_sigterm() {
    let owner = Owner::start("clean");
    owner.signal(Signal::TERM);
    owner.traces.assert_gone_soon();
    assert!(ended(owner.pid));
    assert!(!owner.folder.exists());
}

#[test]
fn nothing_is_left_after_ctrl_c() {
    let owner = Owner::start("clean");
    owner.signal(Signal::INT);
    owner.traces.assert_gone_soon();
    assert!(ended(owner.pid));
    assert!(!owner.folder.exists());
}

#[test]
fn nothing_is_left_after_a_panic() {
    let owner = Owner::start("panic");
    owner.signal(Signal::TERM);
    owner.traces.assert_gone_soon();
    assert!(ended(owner.pid));
    assert!(!owner.folder.exists());
}

#[test]
fn no_process_is_left_after_an_exit_without_destructors() {
    let owner = Owner::start("exit");
    owner.signal(Signal::TERM);
    owner.traces.assert_gone_soon();
    sweep_finds_the_folder(&owner);
}

#[test]
fn no_process_is_left_after_sigkill_and_the_folder_is_swept() {
    let owner = Owner::start("clean");
    owner.signal(Signal::KILL);
    owner.traces.assert_gone_soon();
    sweep_finds_the_folder(&owner);
}

#[test]
fn down_ends_the_owner_and_all_of_its_lab() {
    let owner = Owner::start("clean");
    let taken = owner.labs.create(Some("lab")).unwrap_err();
    assert!(matches!(taken, KeepError::Taken { owner: Some(o), .. } if o.pid == owner.pid));
    let listed = owner.labs.list().unwrap();
    assert!(listed.len() == 1 && listed[0].held, "{listed:?}");
    assert_eq!(owner.labs.sweep().unwrap(), [], "it is held");

    assert_eq!(owner.labs.down("lab").unwrap(), Down::Stopped { killed: vec![] });
    // Not soon, but now.
    owner.traces.assert_gone();
    assert!(!owner.folder.exists());
    assert!(matches!(owner.labs.down("lab"), Err(KeepError::NoSuchLab { .. })));
}

#[test]
fn a_component_that_dies_ends_the_lab() {
    let owner = Owner::start("clean");
    let component = owner.traces.processes[0].pid;
    kill_process(Pid::from_raw(component.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    owner.traces.assert_gone_soon();
    assert!(ended(owner.pid));
    let log = fs::read_to_string(owner.labs.keeper_log("lab")).unwrap();
    assert!(log.contains("died: signal 9"), "{log}");
}

#[test]
fn a_keeper_that_fails_says_why() {
    let state = tempfile::tempdir().unwrap();
    let log = state.path().join("log");
    let args = ["-c", "echo it went wrong >&2; exit 3"];
    let error = start_keeper(Path::new("/bin/sh"), args, &log).unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("it went wrong"), "{error}");
}

/// Waits for the end of an owner that ends by itself.
fn ended(pid: u32) -> bool {
    ProcessId::of(pid).is_none_or(|process| process.ends_within(PATIENCE))
}

fn sweep_finds_the_folder(owner: &Owner) {
    assert!(ended(owner.pid));
    assert!(owner.folder.exists());
    let swept = owner.labs.sweep().unwrap();
    assert_eq!(swept.len(), 1, "{swept:?} in {}", owner.state.path().display());
    assert_eq!((&swept[0].path, swept[0].killed.len()), (&owner.folder, 0));
    assert!(!owner.folder.exists());
}

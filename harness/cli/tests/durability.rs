//! Killed at any moment: the record can be read and reported, and the run gone
//! on with to its end.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::{Place, Running};
use kab_evidence::event::Happening;
use kab_evidence::folder::RunFolder;
use kab_evidence::lock::RunLock;
use kab_evidence::record::RunState;
use rustix::process::Signal;

/// Two cells of a few seconds.
const MATRIX: &str = "\
apiVersion: kab.dev/v1alpha1
kind: Scenario
metadata: { name: matrix, summary: Two short cells. }
spec:
  question: Is every write stored?
  systems: [naive]
  matrix:
    rate: { path: steps.write.load.rate, values: [20/s, 40/s] }
  steps:
    - { name: listen, subscribe: { count: 1 } }
    - { name: fill, seed: { count: 5 } }
    - { name: write, load: { rate: 20/s, duration: 2s } }
    - { name: settle, wait: { until: delivered, atMost: 10s } }
    - { name: stored, check: { stored: write } }
  claims:
    - id: stored
      statement: Every acknowledged write is stored.
      needs: [write.ops.ok > 0]
      confirmed: write.stored.missing == 0
      refuted: write.stored.missing > 0
";

/// What kab says on its way through one cell of [`MATRIX`], and at the end.
const MILESTONES: [&str; 9] = [
    "cell 1 of 2",
    "starting etcd",
    "control plane ready",
    "step listen",
    "step fill",
    "step write",
    "operations:",
    "step stored",
    "cell 2 of 2",
];

fn start(place: &Place) -> Running {
    let file = place.path().join("matrix.yaml");
    std::fs::write(&file, MATRIX).unwrap();
    let out = place.out();
    let args = ["run", file.to_str().unwrap(), "--seed", "7", "--out", out.to_str().unwrap()];
    Running::start(place.kab(&args))
}

fn resume(place: &Place) -> Running {
    Running::start(place.kab(&["resume", place.out().to_str().unwrap()]))
}

fn kill(place: &Place, kab: Running) {
    let ports = place.ports();
    kab.signal(Signal::KILL);
    assert_eq!(kab.end().code, None);
    place.assert_nothing_left(&ports);
}

/// The run can be read, says that it is incomplete, and can be reported.
fn assert_reportable(place: &Place) {
    assert_eq!(place.record().state, RunState::Running);
    let report = place.output(&["report", place.out().to_str().unwrap()]);
    assert_eq!(report.status.code(), Some(3), "{}", String::from_utf8_lossy(&report.stderr));
    let text = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(text.contains("incomplete"), "{text}");
    // Reporting does not make it look as if it had ended.
    assert_eq!(place.record().state, RunState::Running);
}

/// The run is whole: each cell once, with all of its evidence, and valid.
fn assert_whole(place: &Place, parts: usize) {
    let record = place.record();
    assert_eq!(record.state, RunState::Complete);
    let cells: BTreeSet<_> = record.cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(record.cells.len(), 2);
    assert_eq!(cells, BTreeSet::from(["naive-rate=20_s", "naive-rate=40_s"]));
    assert!(record.validity.is_valid(), "{:?}", record.validity);
    for cell in &record.cells {
        assert!(cell.validity.is_valid(), "{:?}", cell.validity);
    }
    assert_eq!(record.resumed.len(), parts);
    let resumed =
        |event: &kab_evidence::event::Event| matches!(event.what, Happening::Resumed { .. });
    assert_eq!(place.events().iter().filter(|event| resumed(event)).count(), parts);
    // Operation ids do not occur twice in the run, whatever part they are of.
    let folder = RunFolder::open(&place.out()).unwrap();
    let mut ids = BTreeSet::new();
    for cell in &record.cells {
        let joined = kab_evidence::join::Joined::read(&folder.cell(&cell.id)).unwrap();
        assert!(!joined.traces.is_empty());
        assert!(joined.traces.iter().all(|trace| ids.insert(trace.op)));
    }
    assert_eq!(place.lab_files(), Vec::<PathBuf>::new());
}

#[test]
fn killed_at_random_moments_and_resumed_until_it_is_whole() {
    let place = Place::new();
    // Which moments: different each time, and named, so that one that failed
    // can be had again.
    let seed = std::env::var("KAB_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    let mut dice = seed;
    let mut moment = move || {
        // splitmix64
        dice = dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let n = (dice ^ (dice >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        MILESTONES[usize::try_from(n >> 33).unwrap() % MILESTONES.len()]
    };
    let mut kab = start(&place);
    let mut parts = 0;
    for _ in 0..3 {
        let moment = moment();
        eprintln!("seed {seed}: killed after {moment:?}");
        // A cell that is done is not run again, so that a moment may not come.
        if !kab.reaches(moment) {
            break;
        }
        kill(&place, kab);
        assert_reportable(&place);
        kab = resume(&place);
        parts += 1;
    }
    let ended = kab.end();
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    assert_whole(&place, parts);
}

#[test]
fn cells_that_were_done_are_kept_and_what_was_begun_is_set_aside() {
    let place = Place::new();
    let mut kab = start(&place);
    kab.await_line("cell 2 of 2");
    kab.await_line("step write");
    // Two at a time are refused, with nothing changed.
    let second = place.output(&["resume", place.out().to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another kab is at work"), "{said}");
    kill(&place, kab);
    assert_reportable(&place);
    let before = place.record();
    let first = place.out().join("cells/naive-rate=20_s/ops.jsonl");
    let first_before = std::fs::read(&first).unwrap();

    let mut kab = resume(&place);
    kab.await_line("cell 2 of 2");
    let ended = kab.end();
    assert!(matches!(ended.code, Some(0 | 3)), "{}", ended.stderr);
    assert_whole(&place, 1);
    let record = place.record();
    assert_eq!(record.cells[0].steps, before.cells[0].steps);
    assert_eq!((record.cells[0].part, record.cells[1].part), (0, 1));
    assert_eq!(std::fs::read(&first).unwrap(), first_before);
    let aside = &record.resumed[0].set_aside;
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].cell.id, "naive-rate=40_s");
    let left = place.out().join(aside[0].folder.as_ref().unwrap());
    assert!(left.join("ops.jsonl").is_file());
    let report = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(report.contains("was resumed at"), "{report}");

    // There is nothing left to go on with.
    let again = place.output(&["resume", place.out().to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is complete"));
}

#[test]
fn what_is_no_run_to_go_on_with_is_refused() {
    let place = Place::new();
    let out = place.out();
    let nothing = place.output(&["resume", out.to_str().unwrap()]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("holds no run"));

    let mut kab = start(&place);
    kab.await_line("starting etcd");
    kill(&place, kab);
    let refused = |args: &[&str], said: &str| {
        let output = place.output(&[&["resume", out.to_str().unwrap()], args].concat());
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(said), "{stderr}");
    };
    let folder = RunFolder::open(&out).unwrap();
    // Begun by another version of kab.
    let record = folder.read_record().unwrap();
    let mut other = record.clone();
    other.kab_version = "0.0.9".into();
    folder.write_record(&other).unwrap();
    refused(&[], "was begun by kab 0.0.9");
    // Its scenario was changed.
    folder.write_record(&record).unwrap();
    std::fs::write(folder.scenario_path(), format!("{MATRIX}\n# changed\n")).unwrap();
    refused(&["--force"], "is not the file that was run");
    std::fs::write(folder.scenario_path(), MATRIX).unwrap();
    // Another kab is at it.
    let held = RunLock::take(&folder).unwrap();
    refused(&[], "another kab is at work");
    drop(held);
}

#[test]
fn an_interrupted_run_goes_on() {
    let place = Place::new();
    let mut kab = start(&place);
    kab.await_line("step write");
    kab.signal(Signal::INT);
    assert_eq!(kab.end().code, Some(130));
    assert_eq!(place.record().state, RunState::Interrupted);
    let ended = resume(&place).end();
    assert!(matches!(ended.code, Some(0 | 3)), "{}", ended.stderr);
    assert_whole(&place, 1);
    assert_eq!(place.record().resumed[0].found, RunState::Interrupted);
}

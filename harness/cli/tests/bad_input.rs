//! Nonsense gets a clear error, exit code 2, and starts nothing.

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

fn refused(place: &Place, content: &[u8]) -> String {
    let file = place.path().join("bad.yaml");
    std::fs::write(&file, content).unwrap();
    refused_path(place, file.to_str().unwrap())
}

fn refused_path(place: &Place, path: &str) -> String {
    let out = place.output(&["run", path, "--out", place.out().to_str().unwrap()]);
    let stderr = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(2), "{stderr}");
    assert!(!place.out().exists(), "a run folder was made");
    assert!(out.stdout.is_empty());
    stderr
}

const QUICKSTART: &str = include_str!("../../../scenarios/quickstart.yaml");

#[test]
fn an_unknown_key_has_place_and_suggestion() {
    let bad = QUICKSTART.replacen("rate:", "raet:", 1);
    assert_ne!(bad, QUICKSTART);
    let line = bad.lines().position(|l| l.contains("raet:")).unwrap() + 1;
    let said = refused(&Place::new(), bad.as_bytes());
    assert!(said.contains(&format!("bad.yaml:{line}:")), "{said}");
    assert!(said.contains("raet") && said.contains("`rate`"), "{said}");
}

#[test]
fn every_kind_of_wrong_file_is_refused() {
    let place = Place::new();
    refused(&place, b"");
    refused(&place, b"\x7fELF\x00\x01\x02");
    refused(&place, &vec![b'a'; 10 << 20]);
    refused(&place, b"a: &x 1\nb: *x\n");
    refused(&place, b"apiVersion: kab.dev/v1alpha1\napiVersion: kab.dev/v1alpha1\n");
    refused_path(&place, place.path().to_str().unwrap());
    refused_path(&place, "/nonexistent.yaml");
    let said = refused_path(&place, "quickstrat");
    assert!(said.contains("quickstart"), "{said}");
}

#[test]
fn a_bad_set_is_refused() {
    let place = Place::new();
    for set in ["steps.write.load.raet=1/s", "steps.write.load.rate=fast", "nonsense"] {
        let out = place.output(&["run", "quickstart", "--set", set]);
        assert_eq!(out.status.code(), Some(2), "{set}");
    }
}

#[test]
fn a_folder_without_a_run_and_a_newer_record_are_told_apart() {
    let place = Place::new();
    let empty = place.output(&["report", place.path().to_str().unwrap()]);
    assert_eq!(empty.status.code(), Some(2));
    std::fs::write(place.path().join("record.json"), br#"{"schemaVersion": 9999}"#).unwrap();
    let newer = place.output(&["report", place.path().to_str().unwrap()]);
    assert_eq!(newer.status.code(), Some(2));
    assert!(String::from_utf8(newer.stderr).unwrap().contains("newer kab"));
}

#[test]
fn assets_that_are_not_there_are_an_environment_error() {
    let place = Place::new();
    let nowhere = place.path().join("nowhere");
    let (assets, out) = (nowhere.to_str().unwrap(), place.out());
    let out =
        place.output(&["run", "quickstart", "--assets", assets, "--out", out.to_str().unwrap()]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    // What little there is to tell is told.
    let report = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(report.contains("nowhere"), "{report}");
}

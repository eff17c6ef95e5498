//! The main job, as a user runs it.

mod common;

use common::Place;
use kab_evidence::record::{RunState, Verdict};

#[test]
fn the_quickstart_ends_with_a_report_and_leaves_nothing() {
    let place = Place::new();
    let mut kab = place.quickstart(&[]);
    kab.await_line("step write");
    let ports = place.ports();
    assert!(ports.len() >= 4, "etcd, apiserver, gateway and webhook listen: {ports:?}");
    let ended = kab.end();
    place.assert_nothing_left(&ports);

    assert_eq!(ended.stdout.lines().last(), place.out().canonicalize().unwrap().to_str());
    let record = place.record();
    assert_eq!(record.state, RunState::Complete);
    assert!(record.validity.is_valid(), "{:?}", record.validity);
    assert!(!record.verdicts.is_empty());
    let exactly_once = record.verdicts.iter().find(|v| v.claim.contains("exactly-once")).unwrap();
    assert_eq!(exactly_once.verdict, Verdict::Confirmed, "{}", exactly_once.reason);
    let conclusive = record.verdicts.iter().all(|v| v.verdict != Verdict::Inconclusive);
    assert_eq!(ended.code, Some(if conclusive { 0 } else { 3 }), "{}", ended.stderr);

    for (instance, schema) in [("record.json", "record"), ("report.json", "report")] {
        let read = |path: std::path::PathBuf| -> serde_json::Value {
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas");
        let schema = read(format!("{schemas}/{schema}.schema.json").into());
        let instance = read(place.out().join(instance));
        let errors: Vec<_> = jsonschema::validator_for(&schema)
            .unwrap()
            .iter_errors(&instance)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }

    // The informer's own watch was held against what watches promise.
    let report = std::fs::read_to_string(place.out().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let watch = &report["measurements"][0]["watch"];
    assert_eq!(watch["account"]["delivered"], watch["account"]["expected"], "{watch:#}");
    for guarantee in watch["guarantees"].as_array().unwrap() {
        assert_ne!(guarantee["standing"], "broken", "{guarantee:#}");
    }
    assert_eq!(watch["guarantees"][3]["guarantee"], "reliable");
    assert_eq!(watch["guarantees"][3]["standing"], "held");

    // Rendered again, offline, it says the same.
    let html = std::fs::read(place.out().join("report.html")).unwrap();
    let again = place.output(&["report", place.out().to_str().unwrap()]);
    assert!(again.status.code().is_some_and(|code| Some(code) == ended.code));
    assert_eq!(place.record().verdicts, record.verdicts);
    assert_eq!(std::fs::read(place.out().join("report.html")).unwrap(), html);
}

#[test]
fn a_dry_run_starts_nothing() {
    let place = Place::new();
    let out =
        place.output(&["run", "quickstart", "--dry-run", "--out", place.out().to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0));
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("write") && text.contains("800"), "{text}");
    assert!(!place.out().exists());
}

#[test]
fn too_few_samples_are_inconclusive_and_exit_3() {
    let place = Place::new();
    let kab = place.quickstart(&[
        "steps.fill.seed.count=5",
        "steps.write.load.duration=500ms",
        "steps.settle.wait.atMost=5s",
    ]);
    let ended = kab.end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(place.record().verdicts.iter().all(|v| v.verdict == Verdict::Inconclusive));
    place.assert_nothing_left(&std::collections::BTreeSet::new());
}

//! Built-in kinds, encodings and updates, against the real apiserver: what it
//! grants and what it does not.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, Running};
use kab_evidence::folder::RunFolder;
use kab_evidence::jsonl;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
use kab_evidence::record::RunState;
use kab_verdict::CellMeasurements;

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/encodings.yaml");

/// Runs the scenario; what was measured, and the ledger.
fn run(place: &Place, sets: &[&str]) -> (CellMeasurements, Vec<OpRecord>) {
    let out = place.out();
    let mut args = vec!["run", SCENARIO, "--seed", "1", "--out", out.to_str().unwrap()];
    sets.iter().for_each(|set| args.extend(["--set", set]));
    let ended = Running::start(place.kab(&args)).end();
    assert_eq!(place.record().state, RunState::Complete, "{}", ended.stderr);
    let folder = RunFolder::open(&out).unwrap();
    let ops = folder.cell(&place.record().cells[0].id).ops_path();
    let ops = jsonl::read(&ops).unwrap().values;
    (kab_verdict::judge(&folder).unwrap().cells.remove(0), ops)
}

/// Of every acknowledged operation about one object the ledger has its UID and
/// its version, however the answer was encoded. That of a delete may be none.
fn assert_read(ops: &[OpRecord], step: &str) {
    let own = ops.iter().filter(|op| op.step == step && op.outcome == Outcome::Ok);
    let own: Vec<_> = own.filter(|op| !matches!(op.kind, OpKind::List | OpKind::Delete)).collect();
    assert!(own.iter().any(|op| op.kind == OpKind::Update), "{step}");
    assert!(own.iter().all(|op| op.uid.is_some() && op.rv.is_some()), "{step}");
}

#[test]
fn protobuf_is_granted_for_built_in_kinds_and_cbor_is_not_without_its_gate() {
    let place = Place::new();
    let (cell, ops) = run(&place, &[]);
    let media = |step: &str| cell.step(step).unwrap().media.unwrap();
    for step in ["mapsProtobuf", "leasesProtobuf"] {
        assert!(media(step).protobuf > 0 && media(step).json == 0, "{:?}", media(step));
    }
    assert!(media("todosCbor").json > 0 && media("todosCbor").cbor == 0);
    for step in ["mapsProtobuf", "leasesProtobuf", "todosCbor"] {
        assert_read(&ops, step);
    }
    // Nobody is notified of built-in objects, and nobody misses them.
    assert!(cell.step("mapsProtobuf").unwrap().delivery.is_none());
    assert_eq!(cell.step("todosCbor").unwrap().delivery.as_ref().unwrap().lost, 0);
    let report = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(report.contains("Answers by encoding"), "{report}");
    assert!(report.contains("asked for cbor"), "{report}");
}

#[test]
fn cbor_is_granted_with_its_gate() {
    let place = Place::new();
    let gate = "cluster.apiserver.flags={feature-gates: CBORServingAndStorage=true}";
    let (cell, ops) = run(&place, &[gate]);
    let media = cell.step("todosCbor").unwrap().media.unwrap();
    assert!(media.cbor > 0 && media.json == 0, "{media:?}");
    assert_read(&ops, "todosCbor");
}

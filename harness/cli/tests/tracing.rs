//! The apiserver's own spans, from a real one.

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use kab_evidence::folder::RunFolder;
use kab_evidence::record::RunState;

const SHORT: [&str; 3] =
    ["steps.fill.seed.count=20", "steps.write.load.duration=5s", "steps.settle.wait.atMost=5s"];

#[test]
fn every_write_has_the_spans_of_its_request() {
    let place = Place::new();
    let sets = [&SHORT[..], &["cluster.apiserver.tracing=true"]].concat();
    let mut kab = place.quickstart(&sets);
    kab.await_line("step write");
    let ports = place.ports();
    let ended = kab.end();
    place.assert_nothing_left(&ports);
    let record = place.record();
    assert_eq!(record.state, RunState::Complete, "{}", ended.stderr);
    assert!(record.conditions.apiserver_tracing);
    let tracing = record.cells[0].tracing.clone().unwrap();
    assert!(tracing.complete && tracing.refused == 0 && tracing.spans > 0, "{tracing:?}");

    let folder = RunFolder::open(&place.out()).unwrap();
    let cell = kab_verdict::judge(&folder).unwrap().cells.remove(0);
    let step = cell.step("write").unwrap();
    let (ops, inner) = (step.ops.clone().unwrap(), step.apiserver.clone().unwrap());
    // No span was dropped, and nothing is joined to what it does not belong to.
    assert_eq!((inner.count, inner.coverage), (ops.ok, 1.0));
    // The system's own accounts are not privileged: this is by links.
    let mean =
        |name: &str| inner.segments.iter().find(|part| part.name == name).unwrap().mean.unwrap().0;
    assert!(["entrance", "handler", "webhook", "storage", "etcd"].iter().all(|n| mean(n) > 0));
    // A request is inside what the gateway waited for.
    let chain = &step.waterfall.clone().unwrap().acknowledgement;
    assert!(inner.whole.mean.unwrap() < chain.whole.mean.unwrap());
    let report = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(report.contains("Inside the apiserver, by part"), "{report}");
}

#[test]
fn without_tracing_nothing_of_it_is_there() {
    let place = Place::new();
    let ended = place.quickstart(&SHORT).end();
    let record = place.record();
    assert_eq!(record.state, RunState::Complete, "{}", ended.stderr);
    assert!(!record.conditions.apiserver_tracing && record.cells[0].tracing.is_none());
    let folder = RunFolder::open(&place.out()).unwrap();
    let cell = &record.cells[0].id;
    assert!(!folder.cell(cell).spans_dir().join("apiserver.jsonl").exists());
    let cells = kab_verdict::judge(&folder).unwrap().cells;
    assert!(cells[0].step("write").unwrap().apiserver.is_none());
    let report = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(!report.contains("Inside the apiserver, by part"));
}

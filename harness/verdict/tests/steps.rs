//! What single requests, faults and instances leave behind, from evidence that
//! was written by hand: each measurement where there is something, and where
//! there is nothing.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use kab_evidence::clock::Mono;
use kab_evidence::event::{Event, Happening};
use kab_evidence::folder::{CellFolder, RunFolder};
use kab_evidence::id::OpId;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
use kab_evidence::record::{CellRecord, RunRecord, StepRecord};
use kab_evidence::span::Span;
use kab_verdict::CellMeasurements;
use kab_verdict::deletes::Deletes;
use kab_verdict::reviews::Reviews;
use kab_verdict::validity::{cell_doubts, died};
use serde::Serialize;

mod support;

fn at(nanos: u64) -> Mono {
    Mono::from_nanos(nanos)
}

fn lines<T: Serialize + Send + 'static>(path: &std::path::Path, lines: Vec<T>) {
    let file = JsonlWriter::append_to(path).unwrap();
    lines.into_iter().for_each(|line| file.append(line));
    file.finish().unwrap();
}

fn step(name: &str, verb: &str, results: &[(&str, u64)]) -> StepRecord {
    StepRecord {
        name: name.into(),
        verb: verb.into(),
        started: at(1),
        ended: Some(at(1_000)),
        results: results.iter().map(|(name, n)| ((*name).to_owned(), (*n).into())).collect(),
    }
}

fn op(step: &str, number: u64, kind: OpKind, uid: Option<&str>) -> OpRecord {
    OpRecord {
        op: OpId::new(7, number),
        step: step.into(),
        kind,
        key: Some("k".into()),
        intended: at(100),
        sent: Some(at(100)),
        done: Some(at(110)),
        outcome: Outcome::Ok,
        class: "http-200".into(),
        uid: uid.map(str::to_owned),
        rv: (kind == OpKind::Create).then(|| "5".to_owned()),
        bytes_out: 0,
        bytes_in: 0,
        detail: None,
    }
}

fn receipt(of: u64, uid: &str, rv: &str, received: u64) -> Span {
    Span::Delivery {
        op: Some(OpId::new(7, of)),
        subscriber: 0,
        uid: uid.into(),
        rv: Some(rv.into()),
        received: at(received),
    }
}

/// A cell in which one entity was made and removed, and `told` was received.
fn removal(told: Vec<Span>) -> CellMeasurements {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(dir.path()).unwrap().cell("naive");
    let made = op("fill", 0, OpKind::Create, Some("u-1"));
    let gone = OpRecord { sent: Some(at(500)), ..op("gone", 1, OpKind::Delete, None) };
    lines(&folder.ops_path(), vec![made, gone]);
    lines(&folder.spans_dir().join("subscriber-0.jsonl"), told);
    let cell = CellRecord {
        steps: vec![
            step("listen", "subscribe", &[("subscribers", 1)]),
            step("fill", "seed", &[("scheduled", 1)]),
            step("gone", "load", &[("scheduled", 1)]),
        ],
        ..CellRecord::default()
    };
    CellMeasurements::read(&folder, &cell).unwrap()
}

#[test]
fn a_delete_is_announced_by_its_own_notification_alone() {
    let found = |told| removal(told).step("gone").unwrap().deletes;
    let announced = |announced| Some(Deletes { expected: 1, announced });
    assert_eq!(found(vec![]), announced(0));
    assert_eq!(found(vec![receipt(0, "u-1", "9", 600)]), announced(1));
    // Twice is once.
    let twice = vec![receipt(0, "u-1", "9", 600), receipt(0, "u-1", "9", 601)];
    assert_eq!(found(twice), announced(1));
    // Before it was sent; of the create, late; of nothing; of something else.
    for other in [
        receipt(0, "u-1", "9", 400),
        receipt(0, "u-1", "5", 600),
        receipt(0, "", "9", 600),
        receipt(0, "u-2", "9", 600),
    ] {
        assert_eq!(found(vec![other.clone()]), announced(0), "{other:?}");
    }
    let measured = removal(vec![]);
    assert_eq!(measured.step("fill").unwrap().deletes, None, "nothing was deleted there");
    let heard = removal(vec![receipt(0, "", "9", 600), receipt(0, "u-1", "9", 600)]).notifications;
    assert_eq!(heard.map(|n| (n.received, n.nameless)), Some((2, 1)));
}

fn judged(folder: &CellFolder, file: &str, of: u64) {
    let span =
        Span::Webhook { op: Some(OpId::new(7, of)), start: at(101), end: at(102), allowed: true };
    lines(&folder.spans_dir().join(file), vec![span]);
}

#[test]
fn judgements_are_counted_by_whose_they_are() {
    let cell = CellRecord {
        steps: vec![step("write", "load", &[("scheduled", 2)])],
        ..CellRecord::default()
    };
    let measure = |files: &[(&str, u64)]| {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path()).unwrap().cell("naive");
        let ops = (0..2).map(|n| op("write", n, OpKind::Create, Some("u")));
        lines(&folder.ops_path(), ops.collect());
        files.iter().for_each(|(file, of)| judged(&folder, file, *of));
        CellMeasurements::read(&folder, &cell).unwrap().step("write").unwrap().reviews
    };
    assert_eq!(measure(&[]), None);
    let alone = measure(&[("webhook-9.jsonl", 0)]);
    assert_eq!(alone, Some(Reviews { own: 1, foreign: None }), "nobody else could");
    // Of an operation that is none of the step's, nothing is counted.
    let both = [("webhook-9.jsonl", 0), ("kab02-webhook-8.jsonl", 77)];
    assert_eq!(measure(&both), Some(Reviews { own: 1, foreign: Some(0) }));
    let both = [("webhook-9.jsonl", 0), ("kab02-webhook-8.jsonl", 1)];
    assert_eq!(measure(&both), Some(Reviews { own: 1, foreign: Some(1) }));
}

fn with(cell: CellRecord) -> RunRecord {
    RunRecord { cells: vec![cell], ..support::record::record(Vec::new()) }
}

fn event(what: Happening) -> Event {
    Event { at: at(500), what }
}

#[test]
fn some_may_die_and_are_counted_and_others_make_the_cell_invalid() {
    let started = |name: &str| event(Happening::ChildStarted { name: name.into(), pid: 1 });
    let death = event(Happening::ChildDied {
        name: "informer-0".into(),
        pid: 3,
        how: "exit status 1".into(),
        log_tail: Vec::new(),
    });
    let cell = |may_die: &[&str]| CellRecord {
        may_die: may_die.iter().map(|kind| (*kind).to_owned()).collect(),
        steps: vec![step("rest", "wait", &[])],
        ..CellRecord::default()
    };
    let events = [started("gateway"), started("informer-0"), started("etcd"), death];
    let none = CellMeasurements::default();
    let doubts = |may_die: &[&str]| cell_doubts(&with(cell(may_die)), 0, &none, &events);
    assert_eq!(doubts(&["informer"]), Vec::<String>::new());
    assert_eq!(doubts(&["webhook"]).len(), 1);
    let counted = died(&with(cell(&["informer"])), 0, &events);
    let expected = BTreeMap::from([("gateway".to_owned(), 0), ("informer".to_owned(), 1)]);
    assert_eq!(counted, expected, "of what there was");
}

#[test]
fn what_a_killed_process_wrote_last_may_be_cut_off() {
    let cell = CellRecord { steps: vec![step("rest", "wait", &[])], ..CellRecord::default() };
    let mut measured = CellMeasurements::default();
    measured.join.truncated = vec!["spans/webhook-42.jsonl".into()];
    let kill = |pid| {
        event(Happening::Fault { fault: "kill".into(), target: "webhook".into(), pid: Some(pid) })
    };
    let doubts = |events: &[Event]| cell_doubts(&with(cell.clone()), 0, &measured, events).len();
    assert_eq!(doubts(&[kill(42)]), 0);
    assert_eq!(doubts(&[kill(2)]), 1);
    assert_eq!(doubts(&[]), 1);
}

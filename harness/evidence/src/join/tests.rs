//! Evidence in, traces out.

use super::*;
use crate::folder::RunFolder;
use crate::jsonl::JsonlWriter;
use crate::ledger::OpRecord;
use crate::span::Span;

const AT: Mono = Mono::from_nanos(1_000);

fn op(n: u64) -> OpId {
    OpId::new(7, n)
}

fn ledger_line(n: u64) -> OpRecord {
    OpRecord {
        op: op(n),
        step: "write".into(),
        kind: OpKind::Create,
        key: None,
        intended: AT,
        sent: Some(AT),
        done: Some(AT),
        outcome: Outcome::Ok,
        class: "http-201".into(),
        uid: None,
        rv: None,
        bytes_out: 0,
        bytes_in: 0,
        detail: None,
    }
}

fn gateway(n: u64, rv: &str) -> Span {
    Span::Gateway {
        op: Some(op(n)),
        start: AT,
        api_sent: AT,
        api_done: AT,
        end: AT,
        status: 201,
        api_status: Some(201),
        uid: None,
        rv: Some(rv.into()),
    }
}

fn delivery(n: u64, rv: Option<&str>, at: u64) -> Span {
    Span::Delivery {
        op: Some(op(n)),
        subscriber: 0,
        uid: String::new(),
        rv: rv.map(Into::into),
        received: Mono::from_nanos(at),
    }
}

fn join(ops: Vec<OpRecord>, spans: Vec<Span>) -> Joined {
    let dir = tempfile::tempdir().unwrap();
    let cell = RunFolder::create(dir.path()).unwrap().cell("naive");
    let ledger = JsonlWriter::append_to(&cell.ops_path()).unwrap();
    ops.into_iter().for_each(|op| ledger.append(op));
    ledger.finish().unwrap();
    let file = JsonlWriter::append_to(&cell.spans_dir().join("a.jsonl")).unwrap();
    spans.into_iter().for_each(|span| file.append(span));
    file.finish().unwrap();
    Joined::read(&cell).unwrap()
}

#[test]
fn deliveries_meet_their_write_in_any_file_order() {
    let spans = vec![delivery(0, Some("5"), 30), gateway(0, "5"), delivery(0, Some("5"), 20)];
    let joined = join(vec![ledger_line(0), ledger_line(1)], spans);
    let at: Vec<_> = joined.traces[0].receipts.iter().map(|r| r.received.nanos()).collect();
    assert_eq!(at, [20, 30]);
    assert!(joined.traces[1].receipts.is_empty());
}

#[test]
fn a_later_revision_of_the_entity_is_not_a_duplicate() {
    let spans = vec![gateway(0, "5"), delivery(0, Some("5"), 20), delivery(0, Some("6"), 30)];
    let joined = join(vec![ledger_line(0)], spans);
    assert_eq!(joined.traces[0].receipts.len(), 1);
    assert_eq!(joined.other_revisions, 1);
}

#[test]
fn what_the_ledger_does_not_know_is_counted() {
    let joined = join(vec![ledger_line(0)], vec![gateway(8, "5"), delivery(9, None, 20)]);
    assert_eq!((joined.unfinished, joined.unexplained_deliveries), (1, 1));
}

#[test]
fn the_ledgers_of_several_workers_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let cell = RunFolder::create(dir.path()).unwrap().cell("naive");
    for (file, ops) in [("ops-1.jsonl", [2, 3]), ("ops-0.jsonl", [0, 1]), ("opsx.jsonl", [8, 9])] {
        let ledger = JsonlWriter::append_to(&cell.path().join(file)).unwrap();
        ops.into_iter().for_each(|n| ledger.append(ledger_line(n)));
        ledger.finish().unwrap();
    }
    let spans = JsonlWriter::append_to(&cell.spans_dir().join("a.jsonl")).unwrap();
    spans.append(gateway(3, "5"));
    spans.finish().unwrap();
    let joined = Joined::read(&cell).unwrap();
    let ops: Vec<OpId> = joined.traces.iter().map(|trace| trace.op).collect();
    assert_eq!(ops, [op(0), op(1), op(2), op(3)]);
    assert!(joined.traces[3].gateway.is_some());
    assert_eq!(joined.steps, ["write"]);
}

#[test]
fn a_trace_stays_small() {
    // A million of them are to fit beside everything else.
    assert!(size_of::<Trace>() <= 152, "{}", size_of::<Trace>());
}

#[test]
fn names_are_numbered_in_the_order_of_the_ledger_whatever_piece_they_are_in() {
    // Enough lines for several pieces, and a new class in each stretch.
    let class = |n: u64| format!("class-{}", n / 5_000);
    let ops = (0..20_000).map(|n| OpRecord { class: class(n), ..ledger_line(n) }).collect();
    let joined = join(ops, Vec::new());
    assert_eq!(joined.classes, ["class-0", "class-1", "class-2", "class-3"]);
    assert!(joined.traces.iter().zip(0u64..).all(|(trace, n)| {
        joined.classes[usize::from(trace.class)] == class(n) && trace.op == op(n)
    }));
}

#[test]
fn what_the_store_names_is_found() {
    use crate::store::StoredEntity;
    let dir = tempfile::tempdir().unwrap();
    let cell = RunFolder::create(dir.path()).unwrap().cell("naive");
    assert!(read_store(&cell).unwrap().is_none());
    let store = JsonlWriter::append_to(&cell.store_path()).unwrap();
    for op in [Some(op(3)), None] {
        store.append(StoredEntity { name: "a".into(), uid: "b".into(), rv: "1".into(), op });
    }
    store.finish().unwrap();
    let (found, cut) = read_store(&cell).unwrap().unwrap();
    assert!(found.contains(op(3)) && !found.contains(op(4)) && !cut);
}

#[test]
fn what_names_nothing_is_counted_beside_what_does() {
    let named =
        |op| Span::Delivery { op, subscriber: 0, uid: "u-1".into(), rv: None, received: AT };
    let joined = join(vec![ledger_line(0)], vec![delivery(0, Some("5"), 1), named(Some(op(0)))]);
    assert_eq!((joined.notifications, joined.nameless), (2, 1));
    let joined = join(vec![ledger_line(0)], vec![named(None)]);
    assert_eq!((joined.notifications, joined.nameless), (1, 0));
}

//! A line of the ledger, from the operation's end to the file.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kab_evidence::clock::Mono;
use kab_evidence::histogram::Latencies;
use kab_evidence::id::OpId;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};

fn record(n: u64) -> OpRecord {
    let at = |later: u64| Mono::from_nanos(5_000_000_000_000 + n * 1_000_000 + later);
    OpRecord {
        op: OpId::new(0x1234_5678_9abc_def0, n),
        step: "write".to_owned(),
        kind: OpKind::Create,
        key: Some(format!("write-7-{n}")),
        intended: at(0),
        sent: Some(at(30_000)),
        done: Some(at(8_000_000)),
        outcome: Outcome::Ok,
        class: "http-201".to_owned(),
        uid: Some("0f4a2b6e-63c9-4a49-9d1c-1f6f3bb8a0c1".to_owned()),
        rv: Some("1234567".to_owned()),
        bytes_out: 1300,
        bytes_in: 1800,
        detail: None,
    }
}

fn evidence(c: &mut Criterion) {
    let mut group = c.benchmark_group("evidence");
    group.throughput(Throughput::Elements(1));
    let Ok(dir) = tempfile::tempdir() else { return };
    let Ok(ledger) = JsonlWriter::append_to(&dir.path().join("ops.jsonl")) else { return };
    let mut n = 0;
    group.bench_function("a line of the ledger appended", |b| {
        b.iter(|| {
            n += 1;
            ledger.append(record(n));
        });
    });
    let written = ledger.finish();
    assert!(written.is_ok_and(|lines| lines == n), "lines were lost: the bench means nothing");

    let mut latencies = Latencies::new();
    group.bench_function("a latency counted", |b| {
        b.iter(|| {
            n += 1;
            latencies.record_nanos(black_box(1_000_000 + n % 10_000_000));
        });
    });
    group.bench_function("the clock read", |b| b.iter(Mono::now));
    group.finish();
}

criterion_group!(benches, evidence);
criterion_main!(benches);

//! One event of a watch: from the bytes to the evidence, and what the oracle
//! makes of a thousand watchers.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kab_evidence::clock::Mono;
use kab_evidence::folder::RunFolder;
use kab_evidence::id::OpId;
use kab_evidence::join::Joined;
use kab_evidence::watch::{WatchClient, WatchGroup, WatchKind, WatchLine, WatchLog};
use kab_watch::raw::decode::{Lines, Recent, WatchEvent};

/// An event as an apiserver sends it, its object of about 1 KiB.
fn line(rv: u64) -> Vec<u8> {
    let event = serde_json::json!({
        "type": "MODIFIED",
        "object": {
            "apiVersion": "k8sasbackend.com/v1", "kind": "Todo",
            "metadata": {
                "annotations": { "kab.dev/op": OpId::new(7, rv).to_string() },
                "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 3,
                "managedFields": [{
                    "apiVersion": "k8sasbackend.com/v1", "fieldsType": "FieldsV1",
                    "fieldsV1": { "f:spec": { ".": {}, "f:message": {}, "f:when": {} } },
                    "manager": "kab", "operation": "Update", "time": "2026-01-01T00:00:00Z",
                }],
                "name": format!("todo-{}", rv % 100), "namespace": "kab01",
                "resourceVersion": rv.to_string(), "uid": "0f4a2b6e-63c9-4a49-9d1c-1f6f3bb8a0c1",
            },
            "spec": { "message": "x".repeat(600), "when": "2026-01-01T00:00:00Z" },
        },
    });
    format!("{event}\n").into_bytes()
}

fn group(watchers: u32) -> WatchGroup {
    WatchGroup {
        step: "listen".to_owned(),
        client: WatchClient::Raw,
        count: watchers,
        path: "/apis/k8sasbackend.com/v1/namespaces/kab01/todos".to_owned(),
        bookmarks: true,
    }
}

fn event(c: &mut Criterion) {
    let mut group = c.benchmark_group("watch");
    group.throughput(Throughput::Elements(1));
    let bytes = line(12_345);
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    group.bench_function("an event of 1 KiB decoded", |b| {
        b.iter(|| serde_json::from_slice::<WatchEvent<'_>>(black_box(text)).map(|e| e.kind));
    });
    let mut recent = Recent::new(32);
    (0..31).for_each(|rv| recent.keep(&line(rv), rv));
    recent.keep(text, 1);
    group.bench_function("an event of 1 KiB recognised", |b| {
        b.iter(|| recent.find(black_box(text)));
    });
    let mut lines = Lines::default();
    group.bench_function("a line put together from two pieces", |b| {
        b.iter(|| {
            let (a, z) = black_box(&bytes).split_at(500);
            let mut whole = 0;
            let mut count = |line: &[u8]| {
                whole += line.len();
                Ok(())
            };
            let fed = lines.feed(a, &mut count).and_then(|()| lines.feed(z, &mut count));
            fed.map(|()| whole)
        });
    });
}

fn oracle(c: &mut Criterion) {
    const WATCHERS: u32 = 1_000;
    const EVENTS: u64 = 1_000;
    let Ok(dir) = tempfile::tempdir() else { return };
    let Ok(folder) = RunFolder::create(dir.path()) else { return };
    let cell = folder.cell("naive");
    let Ok(mut log) = WatchLog::open(&cell.watch_dir(), group(WATCHERS)) else { return };
    let at = Mono::from_nanos;
    for w in 0..WATCHERS {
        log.line(WatchLine::Asked { w, at: at(1), rv: Some(1), initial: false });
        log.line(WatchLine::Opened { w, at: at(2) });
    }
    for rv in 2..EVENTS + 2 {
        let op = Some(OpId::new(7, rv));
        let e = log.describe(rv, WatchKind::Added, &format!("uid-{rv}"), "todo", op);
        // Sixteen connections, each read by itself.
        for w in 0..WATCHERS {
            log.got(w, at(rv * 1_000 + u64::from(w / 63)), e);
        }
    }
    if log.finish().is_err() {
        return;
    }
    let mut group = c.benchmark_group("watch");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(WATCHERS) * EVENTS));
    group.bench_function("1,000 watchers of 1,000 events judged", |b| {
        let joined = Joined::default();
        b.iter(|| kab_verdict::watch::read(&cell, &joined).map(|watch| watch.map(|w| w.account)));
    });
}

criterion_group!(benches, event, oracle);
criterion_main!(benches);

//! An operation made ready: what it does, when it is due, what it writes.

use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kab_evidence::id::OpId;
use kab_evidence::ledger::OpKind;
use kab_load::dialect::{Asked, Composed, CustomResource, Dialect};
use kab_load::draw::Draws;
use kab_load::{Keys, Popularity, Schedule, Todos};

fn load(c: &mut Criterion) {
    let mut group = c.benchmark_group("load");
    group.throughput(Throughput::Elements(1));

    let Ok(todos) = Todos::new("write", 7, 1024) else { return };
    let dialect = CustomResource::namespaced("k8sasbackend.com/v1", "Todo", "kab01", "todos");
    let mut index = 0;
    let (mut fields, mut request) = (Vec::new(), Composed::default());
    group.bench_function("a create of 1 KiB composed", |b| {
        b.iter(|| {
            index += 1;
            fields.clear();
            todos.write_fields(index, &mut fields);
            let name = todos.code(index);
            let op = OpId::new(1, index);
            let asked = Asked { op, kind: OpKind::Create, name: &name, fields: &fields };
            dialect.compose(&asked, &mut request);
            black_box(&request);
        });
    });

    let day = Duration::from_secs(24 * 3600);
    let schedules =
        [("constant", Schedule::constant(1000.0, day)), ("ramp", Schedule::ramp(0.0, 2000.0, day))];
    for (name, schedule) in schedules {
        let Ok(schedule) = schedule else { continue };
        group.bench_function(format!("the next instant, {name}"), |b| {
            let mut offsets = schedule.offsets();
            b.iter(|| {
                if offsets.next().is_none() {
                    offsets = schedule.offsets();
                }
            });
        });
    }

    let million = NonZeroU64::new(1_000_000).unwrap_or(NonZeroU64::MIN);
    let zipf = Keys::new(million, Popularity::Zipf { exponent: 0.99 }, Draws::new(1, "bench"));
    if let Ok(keys) = zipf {
        group.bench_function("a key of a million by Zipf", |b| {
            b.iter(|| {
                index += 1;
                black_box(keys.entity(index))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);

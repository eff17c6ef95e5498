//! An interval for a percentile, of a series of a hundred thousand.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kab_stats::{Percentile, Series, Statistic};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn stats(c: &mut Criterion) {
    let mut random = StdRng::seed_from_u64(7);
    let mut level = 0.0_f64;
    // Latencies that hang together: each remembers most of the one before.
    let samples: Vec<i64> = (0..100_000)
        .map(|_| {
            let noise = f64::from(random.next_u32()) / f64::from(u32::MAX) - 0.5;
            level = 0.9 * level + noise;
            // Nanoseconds around a millisecond.
            #[allow(clippy::cast_possible_truncation)]
            let nanos = (level.exp() * 1e6) as i64;
            nanos
        })
        .collect();
    let mut group = c.benchmark_group("stats");
    group.throughput(Throughput::Elements(100_000));
    group.sample_size(10);
    group.bench_function("p99 with its interval", |b| {
        b.iter(|| {
            let series = Series::new(black_box(&samples));
            black_box(series.estimate(Statistic::Percentile(Percentile::P99), 1))
        });
    });
    group.finish();
}

criterion_group!(benches, stats);
criterion_main!(benches);

//! What it costs to make bodies and to decide what each operation is: CPU time
//! an operation, best of five rounds.
//!
//! `cargo run --release -p kab-load --example bodies`

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::num::NonZeroU64;
use std::time::Duration;

use kab_load::draw::Draws;
use kab_load::payload::{Pool, Sizes, Text};
use kab_load::summary::process_cpu;
use kab_load::{Keys, Popularity, Schedule, Todos};

const ROUND: u64 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let texts = [
        ("random", Text::Random),
        ("words", Text::Words),
        ("pooled", Text::Pooled(Pool::new([7; 32]))),
    ];
    for size in [256, 1024, 16 * 1024] {
        for (name, text) in &texts {
            let todos = Todos::with("write", 1, Sizes::Fixed(size), text.clone())?;
            let mut body = Vec::new();
            report(&format!("body of {size} B, {name}"), |index| {
                body.clear();
                todos.write_body("write-1-123456", index, &mut body);
                black_box(&body);
            })?;
        }
    }
    let million = NonZeroU64::new(1_000_000).ok_or("zero")?;
    let hot = Popularity::Hot { keys: NonZeroU64::MIN, share: 0.5 };
    for popularity in [Popularity::Uniform, Popularity::Zipf { exponent: 0.99 }, hot] {
        let keys = Keys::new(million, popularity, Draws::new(1, "keys"))?;
        report(&format!("key of 1,000,000: {popularity:?}"), |index| {
            black_box(keys.entity(index));
        })?;
    }
    let time = Duration::from_secs(100);
    let draws = Draws::new(1, "arrivals");
    for (name, schedule) in [
        ("constant", Schedule::constant(10_007.0, time)?),
        ("ramp", Schedule::ramp(1.0, 20_000.0, time)?),
        ("poisson", Schedule::poisson(10_007.0, time, draws)?),
    ] {
        let mut offsets = schedule.offsets().cycle();
        report(&format!("offset, {name}"), |_| {
            black_box(offsets.next());
        })?;
    }
    Ok(())
}

fn report(what: &str, mut each: impl FnMut(u64)) -> std::io::Result<()> {
    let mut best = Duration::MAX;
    for round in 0..5 {
        let before = process_cpu();
        (0..ROUND).for_each(|i| each(round * ROUND + i));
        best = best.min(process_cpu().saturating_sub(before));
    }
    let nanos = best.as_secs_f64() * 1e9 / f64::from(u32::try_from(ROUND).unwrap_or(u32::MAX));
    writeln!(std::io::stdout(), "{what:55} {nanos:8.0} ns")
}

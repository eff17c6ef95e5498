//! What a line of the ledger costs this process, from the append to the disk:
//! processor time of all its threads, by lines a second.
//! `cargo run --release -p kab-evidence --example ledger_cost -- FOLDER`
#![allow(clippy::expect_used, clippy::print_stdout)]

use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};

fn record(n: u64) -> OpRecord {
    let at = Mono::now();
    OpRecord {
        op: OpId::new(0x5eed_5eed_5eed_5eed, n),
        step: "write".into(),
        kind: OpKind::Create,
        key: Some(format!("write-{n}")),
        intended: at,
        sent: Some(at),
        done: Some(at),
        outcome: Outcome::Ok,
        class: "http-201".into(),
        uid: Some("2f1c7a52-65f0-4b62-8a1b-0d7d3c1f9e11".into()),
        rv: None,
        bytes_out: 300,
        bytes_in: 1_200,
        detail: None,
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let nanos = t.tv_sec * 1_000_000_000 + t.tv_nsec;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

fn main() {
    let dir = std::env::args().nth(1).expect("a folder");
    let path = std::path::Path::new(&dir).join("ops.jsonl");
    // As fast as can be: many lines a batch, so that making them is a part of it.
    let n = 1_000_000;
    let before = cpu();
    (0..n).for_each(|i| drop(std::hint::black_box(record(i))));
    let making = cpu() - before;
    let writer = JsonlWriter::append_to(&path).expect("a file");
    let (before, begun) = (cpu(), Mono::now());
    (0..n).for_each(|i| writer.append(record(i)));
    let appending = cpu() - before;
    writer.finish().expect("room on the disk");
    let (spent, took) = (cpu() - before - making, Mono::now().since(begun));
    let each = |of: Duration| of.as_nanos() / u128::from(n);
    println!(
        "{n} lines in {took:.1?}: {} ns a line, {} ns of it before the last append (making one: {} ns)",
        each(spent),
        each(appending.saturating_sub(making)),
        each(making)
    );
    // On a schedule: a wake-up and a system call are shared by few lines.
    for rate in [200u64, 1_000, 10_000] {
        let seconds = 5;
        let idle = paced(rate, seconds, |i| drop(std::hint::black_box(record(i))));
        let writer = JsonlWriter::append_to(&path).expect("a file");
        let busy = paced(rate, seconds, |i| writer.append(record(i)));
        writer.finish().expect("room on the disk");
        let each = busy.saturating_sub(idle).as_nanos() / u128::from(rate * seconds);
        println!("{rate} lines a second: {each} ns a line");
    }
    std::fs::remove_file(&path).expect("the file");
}

/// Processor time of `each`, called `rate` times a second.
fn paced(rate: u64, seconds: u64, each: impl Fn(u64)) -> Duration {
    let (before, start) = (cpu(), Mono::now());
    for i in 0..rate * seconds {
        let due = start.plus(Duration::from_nanos(i * 1_000_000_000 / rate));
        std::thread::sleep(due.since(Mono::now()));
        each(i);
    }
    cpu() - before
}

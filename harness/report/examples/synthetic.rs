//! Writes a made-up run of 800 writes, with a report, to the folder given: a
//! page to look at without a cluster. `cargo run -p kab-report --example
//! synthetic -- FOLDER [whole|lossy|broken|empty|many]`.
#![allow(clippy::expect_used, clippy::print_stdout)]

#[path = "../../verdict/tests/support/mod.rs"]
mod support;

use std::path::Path;

use kab_evidence::event::{Event, Happening};
use kab_evidence::ledger::Outcome;
use kab_evidence::record::RunState;
use support::*;

/// A small generator of pseudo-random numbers (xorshift), so that the page is
/// the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    /// Skewed to the right, of about `typical`.
    fn about(&mut self, typical: u64) -> u64 {
        let low = typical * 6 / 10;
        let spread = (1..=4).map(|_| self.below(typical / 3)).sum::<u64>();
        low + spread / 2 + if self.below(40) == 0 { typical * 2 } else { 0 }
    }
}

fn write(run: &mut Synthetic, dice: &mut Dice, i: u64, outcome: Outcome) {
    // Two modes: most wait for one fsync, some for two; and a stall at two thirds.
    let fsync = if dice.below(5) == 0 { 14_000 } else { 4_200 };
    let due = i * 25_000;
    let stall = if (12_500_000..12_900_000).contains(&due) { 12_900_000 - due } else { 0 };
    let parts = Parts {
        queue: dice.about(450),
        to_gateway: dice.about(380),
        gateway_in: dice.about(240),
        to_webhook: dice.about(1_300),
        hop_in: dice.about(420),
        rules: dice.about(70),
        hop_out: dice.about(260),
        store: dice.about(fsync) + stall,
        gateway_out: dice.about(120),
        back: dice.about(210),
        watch: dice.about(fsync) + stall + dice.about(1_100),
        notify: dice.about(900),
    };
    run.write(parts, outcome);
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().expect("a folder");
    let kind = arguments.next().unwrap_or_else(|| "whole".into());
    let mut run = Synthetic::new(1);
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut judged_by = claims();
    let n = if kind == "many" { 100_000 } else { 800 };
    for i in 0..n {
        let outcome = match (kind.as_str(), i) {
            ("empty", _) => break,
            ("broken", 500..=520) => Outcome::Indeterminate,
            ("broken", 521..=560) => Outcome::Failed,
            ("broken", 561..=570) => Outcome::Missed,
            _ => Outcome::Ok,
        };
        write(&mut run, &mut dice, i, outcome);
    }
    run.schedule(n);
    run.series = match kind.as_str() {
        "broken" => servers::silent_from(servers::API, 31.0),
        "empty" => Vec::new(),
        _ => servers::healthy(),
    };
    for (nanos, name) in
        [(1_000, "etcd"), (900_000_000, "kube-apiserver"), (2_000_000_000, "gateway")]
    {
        let what = Happening::ChildStarted { name: name.into(), pid: 100 };
        run.events.push(Event { at: at(nanos), what });
    }
    match kind.as_str() {
        "broken" => {
            for i in [100, 101, 350] {
                run.lose(op(i));
            }
            run.died("webhook", 13_000_000_000);
        }
        "lossy" => {
            run.lose(op(100));
            run.deliver(op(101), 0, Some("1101"), at(30_000_000_000));
            judged_by[1].confirmed = "write.delivery.lag.p99 < duration('10ms')".into();
            judged_by[1].needs = vec!["write.ops.ok >= 10000".into()];
        }
        "empty" => {
            run.record.cells.clear();
            run.record.state =
                RunState::Failed { reason: "kube-apiserver did not become ready".into() };
            run.died("kube-apiserver", 3_000_000_000);
        }
        _ => {}
    }
    let folder = run.save(Path::new(&dir));
    let begun = kab_evidence::clock::Mono::now();
    let judged = kab_verdict::judge_claims(&folder, &judged_by).expect("a run that can be judged");
    let rendered = kab_report::write(&folder, judged).expect("a report");
    let took = kab_evidence::clock::Mono::now().since(begun);
    println!("{} in {took:?}", rendered.html.display());
}

//! Writes a made-up run of a million writes, with every span of each, to the
//! folder given: what a report of that size costs is measured with it.
//! `cargo run -p kab-report --example million -- FOLDER [WRITES]`, then
//! `/usr/bin/time -v kab report FOLDER`.
#![allow(clippy::expect_used)]

#[path = "../../verdict/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs::{File, create_dir_all};
use std::io::{BufWriter, Write};
use std::path::Path;

use kab_evidence::folder::CellFolder;
use kab_evidence::ledger::Outcome;
use kab_evidence::span::Span;
use serde::Serialize;
use support::*;

const SCENARIO: &str = "\
apiVersion: kab.dev/v1alpha1
kind: Scenario
metadata: { name: million, summary: A made-up run. }
spec:
  question: Is every write delivered?
  systems: [naive]
  steps:
    - { name: listen, subscribe: { count: 1 } }
    - { name: write, load: { rate: 1000/s, duration: 1000s } }
    - { name: settle, wait: { until: delivered, atMost: 1s } }
    - { name: check, check: { stored: write } }
  claims:
    - id: delivered
      statement: Every acknowledged write is delivered.
      needs: [run.valid, write.ops.ok >= 100]
      confirmed: write.delivery.lost == 0
      refuted: write.delivery.lost > 0
      expect: { naive: confirmed }
    - id: soon
      statement: Of 100 writes, 99 are heard of within 100 ms.
      confirmed: write.delivery.lag.p99 <= duration('100ms')
      refuted: write.delivery.lag.p99 > duration('100ms')
";

/// Files that lines are appended to, by their path below the cell.
struct Files(BTreeMap<&'static str, BufWriter<File>>);

impl Files {
    fn open(cell: &CellFolder) -> Self {
        create_dir_all(cell.spans_dir()).expect("a folder for spans");
        let names = [
            "ops.jsonl",
            "store.jsonl",
            "spans/gateway-1.jsonl",
            "spans/webhook-2.jsonl",
            "spans/informer-3.jsonl",
            "spans/subscriber-0.jsonl",
        ];
        let open = |name| File::create(cell.path().join(name)).expect("a file of evidence");
        Self(names.into_iter().map(|name| (name, BufWriter::new(open(name)))).collect())
    }

    fn put(&mut self, name: &str, line: &impl Serialize) {
        let file = self.0.get_mut(name).expect("a file that was opened");
        serde_json::to_writer(&mut *file, line).expect("room on the disk");
        file.write_all(b"\n").expect("room on the disk");
    }
}

/// Spread over the nanoseconds of a second, the same each time (splitmix64).
fn dice(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    n ^ (n >> 31)
}

/// About `typical`, with a long tail.
fn about(typical: u64, n: u64) -> u64 {
    let spread = dice(n) % typical + dice(n + 1) % typical;
    typical / 2 + spread / 2 + if dice(n + 2).is_multiple_of(200) { typical * 5 } else { 0 }
}

fn parts(i: u64) -> Parts {
    let n = i * 64;
    Parts {
        queue: about(60, n),
        to_gateway: about(380, n + 3),
        gateway_in: about(240, n + 6),
        to_webhook: about(1_300, n + 9),
        hop_in: about(420, n + 12),
        rules: about(70, n + 15),
        hop_out: about(260, n + 18),
        store: about(4_200, n + 21),
        gateway_out: about(120, n + 24),
        back: about(210, n + 27),
        watch: about(5_000, n + 30),
        notify: about(900, n + 33),
    }
}

fn uid_of(i: u64) -> String {
    let (a, b) = (dice(i), dice(i + 1) & 0xffff_ffff_ffff);
    format!("{:08x}-{:04x}-4{:03x}-{:04x}-{b:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff, 0x8a1b)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().expect("a folder");
    let n: u64 = arguments.next().map_or(1_000_000, |n| n.parse().expect("a number of writes"));
    let mut run = Synthetic::new(1);
    run.scenario = SCENARIO.into();
    run.schedule(n);
    let text = SCENARIO.to_owned();
    let loaded = kab_scenario::load_text("million.yaml", text, None, &[]).expect("a scenario");
    run.record.scenario.sha256 = loaded.sha256;
    run.record.scenario.set.clear();
    run.step_mut("write").ended = Some(at(n * 1_000_000 + 1_000_000_000));
    let folder = run.save(Path::new(&dir));
    let cell = folder.cell(CELL);
    let mut files = Files::open(&cell);
    for turn in 0..n {
        // Operations do not end in the order in which they were due.
        let order = turn / 8 * 8 + (turn * 5 + 3) % 8;
        let i = if n - turn < 8 { turn } else { order };
        let outcome = match dice(i * 7) % 2_000 {
            0 => Outcome::Failed,
            1 => Outcome::Indeterminate,
            _ => Outcome::Ok,
        };
        write(&mut run, &mut files, i, outcome);
    }
    for file in files.0.values_mut() {
        file.flush().expect("room on the disk");
    }
    run.record.cells[0].evidence = Some(cell.inventory().expect("files that can be counted"));
    folder.write_record(&run.record).expect("room on the disk");
}

/// Writes down write `i`, which is due at its millisecond, and what became of it.
fn write(run: &mut Synthetic, files: &mut Files, i: u64, outcome: Outcome) {
    run.start_at(i);
    let id = run.write_at(i * 1_000, parts(i), outcome);
    let own = uid_of(i);
    for mut op in run.ops.drain(..) {
        op.uid = op.uid.map(|_| own.clone());
        files.put("ops.jsonl", &op);
    }
    let again = dice(i * 11).is_multiple_of(5_000).then_some(at(i * 1_000_000 + 500_000_000));
    if let Some(received) = again.filter(|_| outcome == Outcome::Ok) {
        run.deliver(id, 0, Some(&(1_000 + i).to_string()), received);
        run.deliver(id, 0, Some(&(9_000_000 + i).to_string()), received);
    }
    for mut span in run.spans.drain(..) {
        let file = match &mut span {
            Span::Gateway { uid, .. } => {
                *uid = Some(own.clone());
                "spans/gateway-1.jsonl"
            }
            Span::Validate { .. } => "spans/gateway-1.jsonl",
            Span::Webhook { .. } => "spans/webhook-2.jsonl",
            Span::Server { .. } => "spans/apiserver.jsonl",
            Span::Informer { uid, .. } => {
                uid.clone_from(&own);
                "spans/informer-3.jsonl"
            }
            Span::Delivery { uid, .. } => {
                uid.clone_from(&own);
                "spans/subscriber-0.jsonl"
            }
        };
        // A few spans are lost.
        if !dice(i * 13 + file.len() as u64).is_multiple_of(3_000) {
            files.put(file, &span);
        }
    }
    for mut entity in run.store.iter_mut().flat_map(|store| store.drain(..)) {
        (entity.name, entity.uid, entity.rv) = (format!("todo-{i}"), own.clone(), i.to_string());
        files.put("store.jsonl", &entity);
    }
}

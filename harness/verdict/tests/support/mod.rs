//! A synthetic run: evidence of a quickstart-like scenario, written to a
//! temporary folder through the same writers that a real run uses. Tests plant
//! violations in it before it is saved.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod record;
pub mod search;
pub mod servers;
pub mod systems;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::event::{Event, Happening};
use kab_evidence::folder::{CellFolder, RunFolder};
use kab_evidence::id::OpId;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
use kab_evidence::record::*;
use kab_evidence::series::Sample;
use kab_evidence::span::{Change, Span};
use kab_evidence::store::StoredEntity;
use kab_scenario::model::{Claim, Expectation, System};
use serde::Serialize;

pub const NONCE: u64 = 0x5eed;
pub const START: u64 = 1_000_000_000_000;
pub const CELL: &str = "naive";

/// A scenario whose steps and claim fit the synthetic run.
pub const SCENARIO: &str = "\
apiVersion: kab.dev/v1alpha1
kind: Scenario
metadata: { name: synthetic, summary: A made-up run. }
spec:
  question: Is every write delivered?
  systems: [naive]
  steps:
    - { name: listen, subscribe: { count: 1 } }
    - { name: write, load: { rate: 40/s, duration: 5s } }
    - { name: settle, wait: { until: delivered, atMost: 1s } }
    - { name: check, check: { stored: write } }
  claims:
    - id: delivered
      statement: Every acknowledged write is delivered.
      needs: [run.valid, write.ops.ok >= 100]
      confirmed: write.delivery.lost == 0
      refuted: write.delivery.lost > 0
      expect: { naive: confirmed }
";

/// The parts of one write, in microseconds, in the order in which they follow.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    pub queue: u64,
    pub to_gateway: u64,
    pub gateway_in: u64,
    pub to_webhook: u64,
    pub hop_in: u64,
    pub rules: u64,
    pub hop_out: u64,
    pub store: u64,
    pub gateway_out: u64,
    pub back: u64,
    /// From the webhook's end until an informer has seen the change.
    pub watch: u64,
    pub notify: u64,
}

pub const PLAIN: Parts = Parts {
    queue: 100,
    to_gateway: 200,
    gateway_in: 300,
    to_webhook: 1_000,
    hop_in: 250,
    rules: 50,
    hop_out: 150,
    store: 4_000,
    gateway_out: 200,
    back: 150,
    watch: 5_000,
    notify: 900,
};

pub struct Synthetic {
    pub record: RunRecord,
    pub ops: Vec<OpRecord>,
    pub spans: Vec<Span>,
    pub store: Option<Vec<StoredEntity>>,
    pub series: Vec<Sample>,
    pub events: Vec<Event>,
    pub scenario: String,
    next: u64,
}

pub fn at(nanos: u64) -> Mono {
    Mono::from_nanos(START + nanos)
}

pub fn op(sequence: u64) -> OpId {
    OpId::new(NONCE, sequence)
}

pub fn step(name: &str, verb: &str, results: &[(&str, serde_json::Value)]) -> StepRecord {
    let results = results.iter().map(|(k, v)| ((*k).to_owned(), v.clone()));
    StepRecord {
        name: name.into(),
        verb: verb.into(),
        started: at(0),
        ended: Some(at(60_000_000_000)),
        results: results.collect(),
    }
}

impl Synthetic {
    /// A whole run without any operation in it yet.
    pub fn new(subscribers: u32) -> Self {
        let mut steps = vec![
            step("listen", "subscribe", &[("subscribers", subscribers.into())]),
            step("write", "load", &[]),
            step("settle", "wait", &[]),
            step("check", "check", &[("stored", "write".into())]),
        ];
        if subscribers == 0 {
            steps.remove(0);
        }
        Self {
            record: record::record(steps),
            ops: Vec::new(),
            spans: Vec::new(),
            store: Some(Vec::new()),
            series: Vec::new(),
            events: Vec::new(),
            scenario: String::new(),
            next: 0,
        }
    }

    /// A whole run of `n` flawless writes at 40 a second to one subscriber.
    pub fn flawless(n: u64) -> Self {
        let mut run = Self::new(1);
        (0..n).for_each(|_| {
            run.write(PLAIN, Outcome::Ok);
        });
        run.schedule(n);
        run
    }

    /// The same with noise that is always the same: the store and the watch take
    /// exponentially distributed times on top, and the store `later` microseconds.
    pub fn noisy(n: u64, later: u64) -> Self {
        let mut run = Self::new(1);
        for i in 0..n {
            let store = PLAIN.store + noise(2 * i) + later;
            let parts = Parts { store, watch: PLAIN.watch + noise(2 * i + 1), ..PLAIN };
            run.write(parts, Outcome::Ok);
        }
        run.schedule(n);
        run
    }

    /// Gives the run a scenario that it can be judged by.
    pub fn judgeable(&mut self) {
        self.scenario = SCENARIO.into();
        self.record.scenario.set.clear();
        let loaded = kab_scenario::load_text("x", SCENARIO.into(), None, &[]).unwrap();
        self.record.scenario.sha256 = loaded.sha256;
    }

    /// What the load step says it scheduled.
    pub fn schedule(&mut self, n: u64) {
        self.step_mut("write").results.insert("scheduled".into(), n.into());
    }

    pub fn step_mut(&mut self, name: &str) -> &mut StepRecord {
        self.record.cells[0].steps.iter_mut().find(|step| step.name == name).unwrap()
    }

    /// The next write added is number `i`.
    pub fn start_at(&mut self, i: u64) {
        self.next = i;
    }

    /// Adds the next write of the schedule, with every span of it.
    pub fn write(&mut self, parts: Parts, outcome: Outcome) -> OpId {
        self.write_at(self.next * 25_000, parts, outcome)
    }

    /// Adds a write due `micros` after the start.
    pub fn write_at(&mut self, micros: u64, parts: Parts, outcome: Outcome) -> OpId {
        let i = self.next;
        self.next += 1;
        let id = op(i);
        let mut now = micros * 1_000;
        let mut after = |micros: u64| {
            now += micros * 1_000;
            at(now)
        };
        let intended = after(0);
        let sent = after(parts.queue);
        let start = after(parts.to_gateway);
        let api_sent = after(parts.gateway_in);
        let hook_start = after(parts.to_webhook);
        let rules_start = after(parts.hop_in);
        let rules_end = after(parts.rules);
        let hook_end = after(parts.hop_out);
        let api_done = after(parts.store);
        let end = after(parts.gateway_out);
        let done = after(parts.back);
        let seen = hook_end.plus(Duration::from_micros(parts.watch));
        let received = seen.plus(Duration::from_micros(parts.notify));
        let (uid, rv) = (format!("uid-{i}"), (1_000 + i).to_string());
        let (class, status) = match outcome {
            Outcome::Ok => ("http-201", 201),
            Outcome::Failed => ("http-400", 400),
            Outcome::Indeterminate => ("deadline", 0),
            Outcome::Missed => ("in-flight-limit", 0),
        };
        let there = outcome != Outcome::Missed;
        self.ops.push(OpRecord {
            op: id,
            step: "write".into(),
            kind: OpKind::Create,
            key: Some(format!("todo-{i}")),
            intended,
            sent: there.then_some(sent),
            done: there.then_some(done),
            outcome,
            class: class.into(),
            uid: (outcome == Outcome::Ok).then(|| uid.clone()),
            rv: None,
            bytes_out: 300,
            bytes_in: 120,
            detail: None,
        });
        if outcome != Outcome::Ok {
            return id;
        }
        let op = Some(id);
        self.spans.extend([
            Span::Gateway {
                op,
                start,
                api_sent,
                api_done,
                end,
                status,
                api_status: Some(201),
                uid: Some(uid.clone()),
                rv: Some(rv.clone()),
            },
            Span::Validate { op, start: rules_start, end: rules_end, valid: true },
            Span::Webhook { op, start: hook_start, end: hook_end, allowed: true },
            Span::Informer {
                op,
                change: Change::Applied,
                uid,
                rv: rv.clone(),
                seen,
                posted: Some(seen),
                status: Some(200),
            },
        ]);
        self.deliver(id, 0, Some(&rv), received);
        self.keep(id);
        id
    }

    /// Adds a notification of `id`.
    pub fn deliver(&mut self, id: OpId, subscriber: u32, rv: Option<&str>, received: Mono) {
        let rv = rv.map(str::to_owned);
        self.spans.push(Span::Delivery {
            op: Some(id),
            subscriber,
            uid: String::new(),
            rv,
            received,
        });
    }

    /// Puts an entity written by `id` in the store.
    pub fn keep(&mut self, id: OpId) {
        let entity = StoredEntity {
            name: id.to_string(),
            uid: id.to_string(),
            rv: "1".into(),
            op: Some(id),
        };
        self.store.get_or_insert_default().push(entity);
    }

    /// Takes every notification of `id` out of the evidence.
    pub fn lose(&mut self, id: OpId) {
        self.spans.retain(|span| !matches!(span, Span::Delivery { op, .. } if *op == Some(id)));
    }

    pub fn died(&mut self, name: &str, nanos: u64) {
        let what = Happening::ChildDied {
            name: name.into(),
            pid: 4242,
            how: "signal 9".into(),
            log_tail: vec!["last words".into()],
        };
        self.events.push(Event { at: at(nanos), what });
    }

    /// Writes everything to `dir`, which becomes a run folder.
    pub fn save(&self, dir: &Path) -> RunFolder {
        let folder = RunFolder::create(dir).unwrap();
        lines(&folder.events_path(), &self.events);
        if !self.scenario.is_empty() {
            std::fs::write(folder.scenario_path(), &self.scenario).unwrap();
        }
        if let Some(cell) = self.record.cells.first() {
            self.save_cell(&folder.cell(&cell.id));
        }
        folder.write_record(&self.record).unwrap();
        folder
    }

    fn save_cell(&self, cell: &CellFolder) {
        lines(&cell.ops_path(), &self.ops);
        if !self.series.is_empty() {
            lines(&cell.series_path(), &self.series);
        }
        let mut files: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
        for span in &self.spans {
            let file = match span {
                Span::Gateway { .. } | Span::Validate { .. } => "gateway-1.jsonl",
                Span::Webhook { .. } => "webhook-2.jsonl",
                Span::Informer { .. } => "informer-3.jsonl",
                Span::Server { .. } => "apiserver.jsonl",
                Span::Delivery { .. } => "subscriber-4.jsonl",
            };
            files.entry(file).or_default().push(span.clone());
        }
        for (file, spans) in &files {
            lines(&cell.spans_dir().join(file), spans);
        }
        if let Some(store) = &self.store {
            lines(&cell.store_path(), store);
        }
    }
}

/// Exponentially distributed with mean 1,000, from a hash of `i` (SplitMix64).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn noise(i: u64) -> u64 {
    let mut z = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let share = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
    (-1_000.0 * (1.0 - share).ln()) as u64
}

fn lines<T: Serialize + Clone + Send + 'static>(path: &Path, values: &[T]) {
    let writer = JsonlWriter::append_to(path).unwrap();
    values.iter().for_each(|value| writer.append(value.clone()));
    writer.finish().unwrap();
}

/// A claim without needs, that expects nothing.
pub fn claim(confirmed: &str, refuted: &str) -> Claim {
    Claim {
        id: "claim".into(),
        statement: "Something holds.".into(),
        needs: Vec::new(),
        confirmed: confirmed.into(),
        refuted: refuted.into(),
        threshold: None,
        expect: BTreeMap::new(),
    }
}

/// The claims of a quickstart-like scenario.
pub fn claims() -> Vec<Claim> {
    let expect = |e| BTreeMap::from([(System::Naive, e)]);
    vec![
        Claim {
            id: "exactly-once".into(),
            statement: "Every acknowledged write reaches the subscriber exactly once.".into(),
            needs: vec!["write.ops.ok >= 100".into(), "write.coverage.gateway > 0.99".into()],
            threshold: Some("The origin promises each subscriber each change.".into()),
            expect: expect(Expectation::Confirmed),
            ..claim(
                "write.delivery.lost == 0 && write.delivery.duplicated == 0",
                "write.delivery.lost > 0 || write.delivery.duplicated > 0",
            )
        },
        Claim {
            id: "lag-p99".into(),
            statement:
                "99 of 100 notifications arrive within 100 ms of the write's intended start.".into(),
            needs: vec!["write.delivery.lag.count >= 100".into()],
            threshold: Some("100 ms reads as instant to a person (Nielsen 1993).".into()),
            ..claim(
                "write.delivery.lag.p99 < duration('100ms')",
                "write.delivery.lag.p99 >= duration('100ms')",
            )
        },
        Claim {
            id: "durable".into(),
            statement: "Every acknowledged write is in the store in the end.".into(),
            ..claim("write.stored.missing == 0", "write.stored.missing > 0")
        },
    ]
}

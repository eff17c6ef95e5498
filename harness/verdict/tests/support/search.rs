//! A made-up search, from its probes.

use std::time::Duration;

use kab_evidence::capacity::{CapacityRecord, ProbeRecord, ProbeResult, RESULT};
use kab_evidence::ledger::Outcome;

use super::{PLAIN, Parts, Synthetic, at};

pub const HOLD: &str = "response.p99 < duration('100ms') && ops.failed == 0";
pub const SLOW: Parts = Parts { store: 300_000, ..PLAIN };

/// A run in which step `creates` searched: each probe with how it was recorded
/// and what its operations were like. 20 operations of warm-up, 100 that count.
pub fn search(probes: &[(f64, ProbeResult, Parts, Outcome)]) -> Synthetic {
    let mut run = Synthetic::new(0);
    run.step_mut("write").name = "creates".into();
    run.step_mut("creates").verb = "search".into();
    run.record.cells[0].steps.retain(|step| step.name == "creates");
    run.store = None;
    let mut records = Vec::new();
    for (number, &(rate, outcome, parts, ended)) in (1..).zip(probes) {
        let name = format!("creates@{rate}#{number}");
        let first = number * 100_000_000;
        for n in 0..120 {
            // Whatever the warm-up was like does not count.
            let (parts, ended) = if n < 20 { (SLOW, Outcome::Ok) } else { (parts, ended) };
            run.write_at(first + n * 25_000, parts, ended);
            run.ops.last_mut().unwrap().step = name.clone();
        }
        records.push(ProbeRecord {
            step: name,
            rate,
            counted_from: at((first + 20 * 25_000) * 1_000),
            scheduled: 100,
            purpose: "climb".into(),
            outcome,
            reason: String::new(),
        });
    }
    let found = CapacityRecord {
        hold: HOLD.into(),
        late_at_most: Duration::from_millis(10),
        probes: records,
        held: Some(40.0),
        broke: Some(80.0),
        ceiling: None,
        contradictions: Vec::new(),
        split: Vec::new(),
        complete: true,
        summary: "held at 40/s, broke at 80/s".into(),
    };
    let found = serde_json::to_value(found).unwrap();
    run.step_mut("creates").results.insert(RESULT.into(), found);
    run
}

pub const HELD: (f64, ProbeResult, Parts, Outcome) = (40.0, ProbeResult::Held, PLAIN, Outcome::Ok);
pub const BROKE: (f64, ProbeResult, Parts, Outcome) = (80.0, ProbeResult::Broke, SLOW, Outcome::Ok);

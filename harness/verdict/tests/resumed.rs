//! Runs that were not made in one go.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use kab_evidence::clock::{ClockAnchor, Mono};
use kab_evidence::event::{Event, Happening};
use kab_evidence::record::{RunState, Verdict};
use kab_evidence::resumption::{Resumption, SetAside};
use kab_verdict::{Judged, judge_claims};
use support::*;

fn judged(run: &Synthetic) -> Judged {
    let dir = tempfile::tempdir().unwrap();
    judge_claims(&run.save(dir.path()), &claims()).unwrap()
}

/// A whole run, made in a second part after the machine had been restarted.
fn resumed() -> Synthetic {
    let mut run = Synthetic::flawless(200);
    let mut before = run.record.cells[0].clone();
    before.steps.truncate(1);
    run.record.resumed.push(Resumption {
        kab_version: "0.1.0".into(),
        clock: ClockAnchor {
            monotonic: Mono::from_nanos(5),
            wall: "2026-11-23T08:00:00Z".parse().unwrap(),
        },
        nonce: "00".repeat(8),
        found: RunState::Running,
        conditions: Some(run.record.conditions.clone()),
        set_aside: vec![SetAside { folder: Some("set-aside/naive-1".into()), cell: before }],
    });
    run.record.cells[0].part = 1;
    run
}

fn event(nanos: u64, what: Happening) -> Event {
    Event { at: at(nanos), what }
}

#[test]
fn it_is_judged_as_any_other_and_the_reader_is_told() {
    let judged = judged(&resumed());
    assert!(judged.record.verdicts.iter().all(|v| v.verdict == Verdict::Confirmed));
    assert_eq!(
        judged.notes,
        [
            "The run had been killed, and was resumed at 2026-11-23T08:00:00Z; run then: naive.",
            "Cell naive had been begun before and was run again from its beginning; \
             what it left lies in set-aside/naive-1.",
        ]
    );
}

#[test]
fn a_death_counts_in_the_part_it_happened_in() {
    let died = |name: &str| Happening::ChildDied {
        name: name.into(),
        pid: 1,
        how: "signal 9".into(),
        log_tail: Vec::new(),
    };
    // In the cell that was set aside: none of the new one's business.
    let mut run = resumed();
    run.events = vec![event(1_000, died("etcd")), event(2_000, Happening::Resumed { part: 1 })];
    assert!(judged(&run).record.cells[0].validity.is_valid());
    // In this one.
    run.events.push(event(3_000, died("gateway")));
    let doubts = judged(&run).record.cells[0].validity.invalid_because.clone();
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    assert!(doubts[0].contains("gateway"), "{doubts:?}");
}

#[test]
fn other_conditions_are_named() {
    let mut run = resumed();
    assert_eq!(judged(&run).notes.len(), 2);
    let now = run.record.resumed[0].conditions.as_mut().unwrap();
    now.host.cores = 64;
    now.versions.insert("etcd".into(), "3.7.0".into());
    let notes = judged(&run).notes;
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("processors 64 instead of 2")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("etcd 3.7.0")), "{notes:?}");
}

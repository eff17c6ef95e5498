//! A load shared by processes: one run, whatever becomes of them.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, Running, kill};
use kab_evidence::event::Happening;
use kab_evidence::ledger::{OpRecord, Outcome};
use kab_evidence::record::Verdict;
use rustix::process::Signal;

const SHORT: [&str; 4] = [
    "steps.fill.seed.count=20",
    "steps.write.load.rate=50/s",
    "steps.write.load.duration=8s",
    "steps.settle.wait.atMost=5s",
];

fn start(place: &Place) -> Running {
    let out = place.out();
    let mut args = vec!["run", "quickstart", "--seed", "1", "--workers", "2"];
    args.extend(["--out", out.to_str().unwrap()]);
    SHORT.iter().for_each(|set| args.extend(["--set", set]));
    Running::start(place.kab(&args))
}

fn ledger(place: &Place, file: &str) -> Vec<OpRecord> {
    let path = place.out().join("cells/naive").join(file);
    let mut ops = kab_evidence::jsonl::read(&path).unwrap().values;
    ops.retain(|op: &OpRecord| op.step == "write");
    ops
}

#[test]
fn two_workers_send_one_load() {
    let place = Place::new();
    let kab = start(&place);
    let ended = kab.end();
    let record = place.record();
    assert!(record.cells[0].validity.is_valid(), "{}", ended.stderr);
    assert!(record.scenario.set.contains(&"steps.write.load.workers=2".to_owned()));
    for worker in 0..2 {
        let ops = ledger(&place, &format!("ops-write-{worker}.jsonl"));
        assert_eq!(ops.len(), 200);
    }
    assert!(ledger(&place, "ops.jsonl").is_empty());
    // Claims that need no quiet machine are decided.
    let verdict = |id: &str| record.verdicts.iter().find(|v| v.claim == id).unwrap();
    let stored = verdict("acknowledged-writes-are-stored");
    assert_eq!(stored.verdict, Verdict::Confirmed, "{}", stored.reason);
}

#[test]
fn a_worker_that_is_killed_is_told_and_accounted_for() {
    let place = Place::new();
    let mut kab = start(&place);
    kab.await_line("2 workers share the load");
    let ports = place.ports();
    let pid = || {
        place.events().into_iter().find_map(|event| match event.what {
            Happening::ChildStarted { name, pid } if name == "write-worker-1" => Some(pid),
            _ => None,
        })
    };
    // Events reach the disk a moment after the line.
    let pid = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        pid()
    });
    kill(pid.unwrap(), Signal::KILL);
    let ended = kab.end();
    place.assert_nothing_left(&ports);

    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let record = place.record();
    let doubts = record.cells[0].validity.invalid_because.join(" ");
    assert!(doubts.contains("Process write-worker-1 ended"), "{doubts}");
    let step = record.cells[0].steps.iter().find(|step| step.name == "write").unwrap();
    if step.ended.is_none() {
        // It died before the start, so that there was no load.
        return;
    }
    assert!(doubts.contains("A worker of step write was lost: worker 1"), "{doubts}");
    let all = ["ops.jsonl", "ops-write-0.jsonl", "ops-write-1.jsonl"].map(|f| ledger(&place, f));
    assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 400, "every operation is in a ledger");
    assert_eq!(all[1].len(), 200, "the other one went on");
    assert!(all[0].iter().any(|op| op.outcome == Outcome::Missed && op.class == "worker-lost"));
}

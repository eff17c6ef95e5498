//! Several systems in one run, as a user asks for them.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, Running};
use kab_evidence::folder::RunFolder;
use kab_evidence::record::RunState;

const SHORT: [&str; 4] = [
    "steps.fill.seed.count=20",
    "steps.write.load.duration=5s",
    "steps.settle.wait.atMost=5s",
    "steps.linger.wait.atMost=2s",
];

fn start(place: &Place, systems: &str) -> Running {
    let out = place.out();
    let mut args = vec!["run", "quickstart", "--seed", "1", "--system", systems];
    args.extend(["--out", out.to_str().unwrap()]);
    SHORT.iter().for_each(|set| args.extend(["--set", set]));
    Running::start(place.kab(&args))
}

#[test]
fn two_systems_make_one_report_with_a_column_for_each() {
    let place = Place::new();
    let ended = start(&place, "naive,hardened").end();
    let record = place.record();
    assert_eq!(record.state, RunState::Complete, "{}", ended.stderr);
    // Whoever resumes it, or runs it again, does the same.
    assert!(record.scenario.set.contains(&"systems=[naive, hardened]".to_owned()));
    let systems: Vec<_> = record.cells.iter().map(|cell| cell.system.as_str()).collect();
    assert_eq!(systems, ["naive", "hardened"]);
    assert_eq!(record.cells[0].defects.len(), 15);
    assert!(record.cells[0].differences.contains(&"noTransaction".to_owned()));
    assert_eq!(record.cells[1].defects, Vec::<String>::new());
    assert_eq!(record.cells[0].settings["etcd fsync"], "on");

    let judged = kab_verdict::judge(&RunFolder::open(&place.out()).unwrap()).unwrap();
    assert_eq!(judged.side_by_side[0].columns.len(), 2);
    for cell in &judged.cells {
        let step = cell.step("write").unwrap();
        let (ops, cost) = (step.ops.clone().unwrap(), step.cost.clone().unwrap());
        let has = |name: &str| cost.processes.iter().any(|share| share.name.starts_with(name));
        for part in ["etcd", "kube-apiserver", "gateway", "informer"] {
            assert!(has(part), "{part} is not in {:?}", cost.processes);
        }
        assert!(!has("kab") && !has("host"), "{:?}", cost.processes);
        // Two ways to the same number: the servers' own are a part of the whole.
        let servers = step.servers.clone().unwrap();
        assert!(cost.cpu.unwrap() > servers.apiserver.unwrap().cpu);
        assert_eq!(cost.written.unwrap(), {
            let each = cost.processes.iter().filter_map(|share| share.written);
            each.sum::<u64>()
        });
        // Every write had 256 bytes, and etcd has synced each to its log.
        assert!(cost.written.unwrap() > ops.ok * 256, "{cost:?}");
        assert!(cost.rest_cores.unwrap() < cost.cores.unwrap(), "{cost:?}");
    }
    for said in ["The systems side by side: step write", "CPU time for each acknowledged"] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

#[test]
fn a_system_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
    let place = Place::new();
    for (systems, said) in
        [("naive,hardend", "did you mean `hardened`?"), ("naive,naive", "exists already")]
    {
        let ended = start(&place, systems).end();
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(!place.out().exists());
    }
}

#[test]
fn a_dry_run_plans_a_cell_for_each_system() {
    let place = Place::new();
    let asked = ["run", "quickstart", "--system", "naive,conventional", "--dry-run"];
    let out = place.output(&asked);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("2 cells") && text.contains("systems=[naive, conventional]"), "{text}");
}

//! What the servers tell of themselves, from real ones: held against what the
//! ledger says of the same step, and missing where nobody answered.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, kill};
use kab_evidence::event::Happening;
use kab_evidence::folder::RunFolder;
use kab_evidence::jsonl;
use kab_evidence::record::RunState;
use kab_evidence::series::{Sample, UP};
use kab_verdict::CellMeasurements;
use rustix::process::Signal;

const SHORT: [&str; 3] =
    ["steps.fill.seed.count=20", "steps.write.load.duration=6s", "steps.settle.wait.atMost=5s"];

fn measured(place: &Place) -> CellMeasurements {
    let folder = RunFolder::open(&place.out()).unwrap();
    kab_verdict::judge(&folder).unwrap().cells.remove(0)
}

fn series(place: &Place) -> Vec<Sample> {
    let folder = RunFolder::open(&place.out()).unwrap();
    jsonl::read(&folder.cell(&place.record().cells[0].id).series_path()).unwrap().values
}

/// Whether `of` answered, at each scrape.
fn answers(of: &str, series: &[Sample]) -> Vec<bool> {
    let up = series.iter().filter(|sample| sample.of == of && sample.metric == UP);
    up.map(|sample| sample.value > 0.0).collect()
}

#[test]
fn servers_and_ledger_say_the_same_of_a_step() {
    let place = Place::new();
    let ended = place.quickstart(&SHORT).end();
    assert!(ended.stdout.contains("run"), "{}", ended.stderr);
    assert_eq!(place.record().state, RunState::Complete, "{}", ended.stderr);
    let series = series(&place);
    for of in ["kube-apiserver", "etcd"] {
        let answers = answers(of, &series);
        // Once before the first step, and once after each.
        assert!(answers.len() > place.record().cells[0].steps.len(), "{of}: {answers:?}");
        assert!(answers.iter().all(|up| *up), "{of}: {answers:?}");
    }
    assert!(!series.iter().any(|sample| sample.metric == "scrape_bad_lines"));

    let cell = measured(&place);
    let step = cell.step("write").unwrap();
    let (ops, servers) = (step.ops.clone().unwrap(), step.servers.clone().unwrap());
    assert_eq!(ops.ok, ops.recorded, "{ops:?}");
    // Every write was one POST, one review and at least one event; nothing but
    // the writes calls the webhook.
    assert_eq!(servers.webhook.unwrap().duration.count, ops.ok);
    assert!(servers.requests.clone().unwrap().writes.unwrap().count >= ops.ok);
    assert_eq!(servers.requests.unwrap().server_errors, 0);
    assert!(servers.watch.unwrap().events_received >= ops.ok);
    assert!(servers.etcd_requests.unwrap().count >= ops.ok);
    assert!(servers.apf.clone().unwrap().dispatched >= ops.ok);
    assert_eq!(servers.apf.unwrap().rejected, 0);
    assert!(servers.wal_fsync.unwrap().count > 0);
    let (api, etcd) = (servers.apiserver.unwrap(), servers.etcd.unwrap());
    assert!(api.cpu_per_ok.unwrap().0 > 0 && etcd.cpu.0 > 0);
    assert!(api.resident_peak > 20 << 20 && api.goroutines_peak.unwrap() > 10);
    assert!(servers.db.unwrap().quota_used.unwrap() > 0.0);

    // Over all steps there is at least as much.
    let all = cell.servers.unwrap();
    assert!(all.webhook.unwrap().duration.count >= ops.ok + 20);
    assert!(all.apiserver.unwrap().cpu >= api.cpu);
    assert!(all.scrapes.cpu.unwrap().0 > 0);
    let report = std::fs::read_to_string(place.out().join("report.md")).unwrap();
    assert!(report.contains("What the servers did"), "{report}");
}

#[test]
fn a_killed_apiserver_leaves_a_gap_and_the_run_ends() {
    let place = Place::new();
    let mut kab = place.quickstart(&SHORT);
    kab.await_line("step write");
    let ports = place.ports();
    kill(place.pid_of("kube-apiserver"), Signal::KILL);
    let ended = kab.end();
    place.assert_nothing_left(&ports);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);

    let series = series(&place);
    let api = answers("kube-apiserver", &series);
    assert!(api[0] && !api.last().unwrap(), "{api:?}");
    assert!(answers("etcd", &series).iter().all(|up| *up));
    let told = |event: &kab_evidence::event::Event| match &event.what {
        Happening::Warning { text } => text.contains("metrics of kube-apiserver"),
        _ => false,
    };
    assert_eq!(place.events().iter().filter(|event| told(event)).count(), 1);

    let cell = measured(&place);
    let servers = cell.step("write").unwrap().servers.clone().unwrap();
    assert_eq!((&servers.apiserver, &servers.apf, &servers.watch), (&None, &None, &None));
    // Whether etcd had anything to sync depends on when the apiserver fell.
    assert!(servers.etcd.is_some() && servers.db.is_some(), "{servers:?}");
    assert!(servers.scrapes.failed > 0);
    let gaps = cell.servers_over_time.unwrap().gaps;
    assert_eq!((gaps.len(), gaps[0].of.as_str(), gaps[0].to), (1, "kube-apiserver", None));
}

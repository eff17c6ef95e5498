//! Several systems in one run: what each took, and how they stand beside each
//! other.
#![allow(clippy::unwrap_used)]

mod support;

use kab_evidence::record::{Verdict, VerdictRecord};
use kab_evidence::series::Sample;
use kab_verdict::compare::Direction;
use kab_verdict::cost::Cost;
use kab_verdict::{CellMeasurements, Judged, Nanos};
use support::servers::{sample, when};
use support::systems::{save, series, three};
use support::*;

/// The cost of the step `write`, which lasts 60 s, of 100 flawless writes.
fn cost(series: Vec<Sample>) -> Option<Cost> {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Synthetic::flawless(100);
    run.series = series;
    let folder = run.save(dir.path());
    let cell = &run.record.cells[0];
    let measured = CellMeasurements::read(&folder.cell(CELL), cell).unwrap();
    measured.step("write").unwrap().cost.clone()
}

fn judged(runs: &[Synthetic], claims: &[kab_scenario::model::Claim]) -> Judged {
    let dir = tempfile::tempdir().unwrap();
    kab_verdict::judge_claims(&save(runs, dir.path()), claims).unwrap()
}

/// The verdict on a claim over the first of `runs`.
fn verdict(runs: &[Synthetic], confirmed: &str, refuted: &str) -> VerdictRecord {
    judged(runs, &[claim(confirmed, refuted)]).record.verdicts[0].clone()
}

#[test]
fn the_cost_is_that_of_the_systems_processes_alone() {
    let found = cost(series(&[
        ("etcd", 0.02, 8_000.0),
        ("gateway", 0.03, 5_000.0),
        ("consumer-0", 0.01, 5_000.0),
        ("kab", 0.5, 1e6),
        ("write-worker-0", 0.5, 1e6),
    ]));
    let found = found.unwrap();
    // 60 s of 0.06 processors, over 100 writes.
    assert_eq!(found.cpu, Some(Nanos::from_seconds(3.6)));
    assert_eq!(found.cpu_per_op, Some(Nanos::from_seconds(0.036)));
    assert!((found.cores.unwrap() - 0.06).abs() < 1e-9);
    // What apps write is evidence.
    assert_eq!((found.written, found.bytes_per_op), (Some(480_000), Some(4_800)));
    let names: Vec<_> = found.processes.iter().map(|share| share.name.as_str()).collect();
    assert_eq!(names, ["consumer-0", "etcd", "gateway"]);
    assert_eq!(found.rest_cores, None);
}

#[test]
fn a_process_that_began_in_mid_step_counts_from_its_beginning() {
    let mut samples = series(&[("etcd", 0.02, 8_000.0), ("informer-0", 0.01, 0.0)]);
    samples.retain(|s| s.of != "informer-0" || s.at > when(30.0));
    // It had used 7 s before it was first read, which began in the step.
    let found = cost(samples).unwrap();
    assert_eq!(found.cpu, Some(Nanos::from_seconds(1.2 + 7.0 + 0.6)));
}

#[test]
fn a_process_that_ended_in_mid_step_leaves_no_total() {
    for cut in [30.0, 59.0] {
        let mut samples = series(&[("etcd", 0.02, 8_000.0), ("webhook", 0.01, 0.0)]);
        samples.retain(|s| s.of != "webhook" || s.at < when(cut));
        let found = cost(samples).unwrap();
        assert_eq!(found.unknown, ["webhook"]);
        assert_eq!((found.cpu, found.cpu_per_op, found.written), (None, None, None));
    }
    // Begun anew under the same name, it has lost what the first one used.
    let mut samples = series(&[("etcd", 0.02, 8_000.0)]);
    samples.iter_mut().filter(|s| s.at > when(30.0)).for_each(|s| s.value /= 100.0);
    assert_eq!(cost(samples).unwrap().unknown, ["etcd"]);
}

#[test]
fn without_readings_nothing_is_known_and_in_memory_nothing_is_written() {
    assert_eq!(cost(Vec::new()), None);
    assert_eq!(cost(series(&[("kab", 0.5, 1e6)])), None);
    let silent = cost(series(&[("etcd", 0.02, 0.0)])).unwrap();
    assert_eq!((silent.written, silent.cpu), (None, Some(Nanos::from_seconds(1.2))));

    let mut run = Synthetic::flawless(100);
    run.series = series(&[("etcd", 0.02, 8_000.0)]);
    let written = ("write.cost.bytesPerOp == 4800", "write.cost.bytesPerOp != 4800");
    assert_eq!(verdict(&[run], written.0, written.1).verdict, Verdict::Confirmed);
    let mut run = Synthetic::flawless(100);
    run.series = series(&[("etcd", 0.02, 8_000.0)]);
    run.record.conditions.host.file_system = "tmpfs".into();
    let open = verdict(&[run], written.0, written.1);
    assert_eq!(open.verdict, Verdict::Inconclusive);
    assert!(open.reason.contains("no data for write.cost.bytesPerOp"), "{}", open.reason);
}

#[test]
fn what_it_takes_at_rest_is_told_and_not_subtracted() {
    let mut run = Synthetic::flawless(100);
    run.rest(70.0, 73.0);
    // Busier while it works, until the step's end at 60 s.
    let mut samples = series(&[("etcd", 0.0, 8_000.0)]);
    samples.retain(|s| s.metric != "cpu_seconds_total");
    for n in 0..160u32 {
        let seconds = f64::from(n) / 2.0;
        let used = 0.05 * seconds.min(60.0) + 0.01 * (seconds - 60.0).max(0.0);
        samples.push(sample(seconds, "etcd", "cpu_seconds_total", used));
    }
    run.series = samples;
    let found = judged(&[run], &[]).cells[0].step("write").unwrap().cost.clone().unwrap();
    assert!((found.cores.unwrap() - 0.05).abs() < 1e-9, "{found:?}");
    assert!((found.rest_cores.unwrap() - 0.01).abs() < 1e-9, "{found:?}");
}

#[test]
fn a_claim_asks_for_the_webhook_only_where_there_is_one() {
    let need = "!system.webhook || write.coverage.webhook >= 0.99";
    let with_need = |run: Synthetic| {
        let mut claim = claim("write.delivery.lost == 0", "write.delivery.lost > 0");
        claim.needs = vec![need.into()];
        judged(&[run], &[claim]).record.verdicts[0].verdict
    };
    let flawless = || Synthetic::flawless(200);
    assert_eq!(with_need(flawless()), Verdict::Confirmed);
    assert_eq!(with_need(flawless().unhooked()), Verdict::Inconclusive);
    for system in ["hardenedPolicy", "conventional"] {
        assert_eq!(with_need(flawless().of_system(system).unhooked()), Verdict::Confirmed);
    }
    // What is given shows nothing.
    let given = verdict(&[flawless()], "system.webhook", "!system.webhook");
    assert_eq!(given.verdict, Verdict::Inconclusive);
}

#[test]
fn a_system_without_a_webhook_has_shorter_chains_and_whole_coverage() {
    let found = judged(&[Synthetic::flawless(200).of_system("conventional").unhooked()], &[]);
    let step = found.cells[0].step("write").unwrap();
    let coverage = step.coverage.clone().unwrap();
    assert_eq!((coverage.webhook, coverage.complete), (None, 1.0));
    let falls = step.waterfall.clone().unwrap();
    let names = |chain: &kab_verdict::waterfall::Chain| -> Vec<String> {
        chain.segments.iter().map(|segment| segment.name.clone()).collect()
    };
    assert_eq!(falls.acknowledgement.count, 200);
    assert_eq!(names(&falls.acknowledgement), ["queue", "toGateway", "gateway", "store", "back"]);
    assert_eq!(names(&falls.delivery), ["queue", "toGateway", "storeAndWatch", "notify"]);
    // Nothing is left out: the parts add up to the whole response.
    assert_eq!(falls.acknowledgement.whole.p50, step.response.all.p50);
    // The same evidence of a system that should have one is not whole.
    let lacking = judged(&[Synthetic::flawless(200).unhooked()], &[]);
    let coverage = lacking.cells[0].step("write").unwrap().coverage.clone().unwrap();
    assert_eq!((coverage.webhook, coverage.complete), (Some(0.0), 0.0));
}

#[test]
fn systems_stand_side_by_side_with_their_differences() {
    let found = judged(&three(), &[]).side_by_side;
    assert_eq!(found.len(), 1);
    let of = &found[0];
    assert_eq!(of.step, "write");
    let systems: Vec<_> = of.columns.iter().map(|column| column.system.as_str()).collect();
    assert_eq!(systems, ["naive", "hardened", "conventional"]);
    let number = |column: usize, name: &str| of.columns[column].numbers.get(name).copied();
    assert_eq!((number(0, "delivery.lost"), number(1, "delivery.lost")), (Some(1.0), Some(0.0)));
    // 0.16 processors for 60 s over 2,000 writes, and 0.09.
    assert_eq!(number(0, "cost.cpuPerOp"), Some(4_800_000.0));
    assert_eq!(number(2, "cost.cpuPerOp"), Some(2_700_000.0));
    assert_eq!(number(0, "cost.bytesPerOp"), number(2, "cost.bytesPerOp"));
    assert_eq!(number(0, "capacity.held"), None);

    let pairs: Vec<_> = of.pairs.iter().map(|pair| (pair.a.as_str(), pair.b.as_str())).collect();
    assert_eq!(
        pairs,
        [("naive", "hardened"), ("naive", "conventional"), ("hardened", "conventional")]
    );
    let shown = |pair: usize| -> Vec<Direction> {
        let latencies = of.pairs[pair].latencies.iter();
        latencies.filter_map(|of| Some(of.found.as_ref()?.direction)).collect()
    };
    assert_eq!(shown(0), [Direction::NoneShown; 4]);
    // The subscriber hears of a write as soon as ever: only the response is late.
    let [slower, none] = [Direction::Slower, Direction::NoneShown];
    assert_eq!(shown(2), [slower, slower, none, none]);
    assert!(of.pairs.iter().all(|pair| pair.conditions.is_empty()));
}

#[test]
fn where_the_machine_was_not_alike_that_is_said() {
    let mut runs = three();
    runs[1].record.cells[0].pressure.as_mut().unwrap().busy_cores += 0.7;
    let found = judged(&runs, &[]).side_by_side;
    let unlike: Vec<_> = found[0].pairs.iter().map(|pair| !pair.conditions.is_empty()).collect();
    assert_eq!(unlike, [true, false, true]);
}

#[test]
fn an_invalid_cell_is_in_no_pair_and_one_system_alone_stands_beside_nobody() {
    let mut runs = three();
    runs[1].record.cells[0].lost.push("its disk was full".into());
    let found = judged(&runs, &[]).side_by_side;
    let valid: Vec<_> = found[0].columns.iter().map(|column| column.valid).collect();
    assert_eq!(valid, [true, false, true]);
    assert_eq!(found[0].pairs.len(), 1);
    assert_eq!(judged(&[Synthetic::flawless(100)], &[]).side_by_side, []);
}

#[test]
fn cells_are_held_against_those_with_the_same_axes() {
    let mut runs = Vec::new();
    for rate in [10, 20] {
        for system in ["naive", "hardened"] {
            let mut run = Synthetic::noisy(400, 0).of_system(system);
            let cell = &mut run.record.cells[0];
            cell.id = format!("{system}-rate={rate}");
            cell.axes = [("rate".to_owned(), rate.into())].into();
            runs.push(run);
        }
    }
    let found = judged(&runs, &[]).side_by_side;
    let axes: Vec<_> = found.iter().map(|of| of.axes["rate"].clone()).collect();
    assert_eq!(axes, [10, 20]);
    assert!(found.iter().all(|of| of.columns.len() == 2 && of.pairs.len() == 1));
}

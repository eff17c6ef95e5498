//! Claims, validity and exit codes, judged from run folders.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use kab_evidence::ledger::Outcome;
use kab_evidence::record::{RunRecord, RunState, Verdict, VerdictRecord};
use kab_scenario::model::Claim;
use kab_verdict::{Judged, exit_code, judge_claims};
use support::*;

fn judged(run: &Synthetic, claims: &[Claim]) -> Judged {
    let dir = tempfile::tempdir().unwrap();
    judge_claims(&run.save(dir.path()), claims).unwrap()
}

fn verdict(run: &Synthetic, confirmed: &str, refuted: &str) -> VerdictRecord {
    judged(run, &[claim(confirmed, refuted)]).record.verdicts.remove(0)
}

const LOST: (&str, &str) = ("write.delivery.lost == 0", "write.delivery.lost > 0");

#[test]
fn a_flawless_run_confirms() {
    let judged = judged(&Synthetic::flawless(200), &claims());
    for verdict in &judged.record.verdicts {
        assert_eq!(verdict.verdict, Verdict::Confirmed, "{}", verdict.reason);
    }
    let first = &judged.record.verdicts[0];
    assert_eq!(first.expected, Some(Verdict::Confirmed));
    assert_eq!(first.measurements["write.delivery.lost"], "0");
    assert_eq!(first.measurements["write.coverage.gateway"], "100 %");
    assert_eq!(
        first.reason,
        "No notification was received more than once; none of 200 notifications was lost \
         (200 acknowledged writes x 1 subscriber). `write.delivery.lost == 0 && \
         write.delivery.duplicated == 0` holds: write.delivery.duplicated = 0, \
         write.delivery.lost = 0."
    );
    assert_eq!(exit_code(&judged.record), 0);
}

#[test]
fn one_lost_notification_refutes() {
    let mut run = Synthetic::flawless(200);
    run.lose(op(17));
    let judged = judged(&run, &claims());
    let verdicts: Vec<_> = judged.record.verdicts.iter().map(|v| v.verdict).collect();
    assert_eq!(verdicts, [Verdict::Refuted, Verdict::Confirmed, Verdict::Confirmed]);
    let reason = &judged.record.verdicts[0].reason;
    assert!(reason.contains("1 of 200 notifications was lost"), "{reason}");
    assert_eq!(exit_code(&judged.record), 1);
}

#[test]
fn durations_are_compared_as_durations() {
    let run = Synthetic::flawless(200);
    let of = |limit: &str| {
        verdict(
            &run,
            &format!("write.delivery.lag.p99 < duration('{limit}')"),
            "false && write.ops.ok < 0",
        )
    };
    assert_eq!(of("7951us").verdict, Verdict::Confirmed);
    assert_eq!(of("7950us").verdict, Verdict::Inconclusive);
    assert_eq!(of("8ms").measurements["write.delivery.lag.p99"], "7.95 ms");
    let ratio = verdict(
        &run,
        "write.coverage.complete >= 0.98 && write.rate.achieved > 39.9",
        "write.coverage.complete < 0.5",
    );
    assert_eq!(ratio.verdict, Verdict::Confirmed, "{}", ratio.reason);
}

#[test]
fn a_need_that_is_not_given_leaves_the_claim_open() {
    let mut wanting = claims().remove(0);
    wanting.needs = vec!["write.ops.ok >= 1000".into()];
    let record = judged(&Synthetic::flawless(200), &[wanting]).record;
    let verdict = &record.verdicts[0];
    assert_eq!(verdict.verdict, Verdict::Inconclusive);
    assert!(
        verdict.reason.contains("`write.ops.ok >= 1000` does not hold: write.ops.ok = 200"),
        "{}",
        verdict.reason
    );
    assert_eq!(exit_code(&record), 3);
}

#[test]
fn both_or_neither_is_inconclusive() {
    let run = Synthetic::flawless(200);
    let both = verdict(&run, "write.ops.ok > 0", "write.ops.ok > 1");
    assert_eq!(both.verdict, Verdict::Inconclusive);
    assert!(both.reason.starts_with("The claim contradicts itself"), "{}", both.reason);
    let neither = verdict(&run, "write.ops.ok > 1000", "write.ops.ok < 100");
    assert_eq!(neither.verdict, Verdict::Inconclusive);
    assert!(neither.reason.contains("lie between"), "{}", neither.reason);
}

#[test]
fn zero_data_neither_confirms_nor_refutes() {
    // Nothing was written: that nothing was lost says nothing.
    let mut run = Synthetic::new(1);
    run.schedule(0);
    let open = verdict(&run, LOST.0, LOST.1);
    assert_eq!(open.verdict, Verdict::Inconclusive);
    assert!(open.reason.contains("no data for write.delivery.lost"), "{}", open.reason);
    assert_eq!(open.measurements["write.delivery.lost"], "no data");
    // Nothing was acknowledged.
    run.write(PLAIN, Outcome::Failed);
    run.schedule(1);
    assert_eq!(verdict(&run, LOST.0, LOST.1).verdict, Verdict::Inconclusive);
    // Nobody listened.
    let mut deaf = Synthetic::new(0);
    deaf.write(PLAIN, Outcome::Ok);
    deaf.schedule(1);
    assert_eq!(verdict(&deaf, LOST.0, LOST.1).verdict, Verdict::Inconclusive);
    // A claim that looks at nothing, or only at whether something is absent.
    for blind in ["true", "run.valid", "1 < 2", "!has(write.delivery.lag.p99)"] {
        let open = verdict(&run, blind, "false");
        assert_eq!(open.verdict, Verdict::Inconclusive, "{blind}: {}", open.reason);
    }
}

#[test]
fn what_is_lost_refutes_though_it_has_no_lag() {
    let mut run = Synthetic::flawless(120);
    (0..120).for_each(|i| run.lose(op(i)));
    let (on_time, late) = (
        "write.delivery.lost == 0 && write.delivery.lag.p99 < duration('1s')",
        "write.delivery.lost > 0 || write.delivery.lag.p99 >= duration('1s')",
    );
    let refuted = verdict(&run, on_time, late);
    assert_eq!(refuted.verdict, Verdict::Refuted, "{}", refuted.reason);
    let open = verdict(
        &run,
        "write.delivery.lag.p99 < duration('1s')",
        "write.delivery.lag.p99 >= duration('1s')",
    );
    assert_eq!(open.verdict, Verdict::Inconclusive);
    assert!(open.reason.contains("no data for write.delivery.lag.p99"), "{}", open.reason);
}

#[test]
fn too_few_samples_are_not_called_no_data() {
    let few = verdict(
        &Synthetic::flawless(50),
        "write.delivery.lag.p99 < duration('1s')",
        "write.delivery.lag.p99 >= duration('1s')",
    );
    assert_eq!(few.verdict, Verdict::Inconclusive);
    assert!(
        few.reason.contains("too few samples for write.delivery.lag.p99 (n = 50)"),
        "{}",
        few.reason
    );
}

#[test]
fn a_mistake_in_a_claim_is_inconclusive_and_named() {
    let run = Synthetic::flawless(200);
    for (bad, says) in [
        ("write.delivery.lots == 0", "there is no measurement `write.delivery.lots`"),
        ("wirte.ops.ok > 0", "there is no measurement `wirte.ops.ok`"),
        ("write.ops.ok >", "is not a CEL expression"),
        ("write.ops.ok + 1", "neither true nor false"),
        ("write.ops.ok > duration('1s')", "cannot be said"),
    ] {
        let open = verdict(&run, bad, "write.ops.ok < 0");
        assert_eq!(open.verdict, Verdict::Inconclusive, "{bad}");
        assert!(open.reason.contains(says), "{bad}: {}", open.reason);
    }
}

#[test]
fn validity_may_be_a_need() {
    let mut needy = claim(LOST.0, LOST.1);
    needy.needs = vec!["run.valid".into()];
    assert_eq!(
        judged(&Synthetic::flawless(200), &[needy]).record.verdicts[0].verdict,
        Verdict::Confirmed
    );
}

#[test]
fn a_class_that_never_occurred_occurred_zero_times() {
    let run = Synthetic::flawless(200);
    let clean = verdict(&run, "write.classes['http-429'] == 0", "write.classes['http-429'] > 0");
    assert_eq!(clean.verdict, Verdict::Confirmed, "{}", clean.reason);
    let all = verdict(&run, "write.classes['http-201'] == write.ops.ok", "write.ops.ok == 0");
    assert_eq!(all.verdict, Verdict::Confirmed, "{}", all.reason);
    let mut none = Synthetic::new(1);
    none.schedule(0);
    let open = verdict(&none, "write.classes['http-429'] == 0", "write.classes['http-429'] > 0");
    assert_eq!(open.verdict, Verdict::Inconclusive);
}

/// Plants something that makes the run or the cell invalid; the sentence must
/// be there, every verdict inconclusive, and the exit code 3.
fn invalid(says: &str, plant: impl FnOnce(&mut Synthetic)) {
    let mut run = Synthetic::flawless(200);
    assert!(judged(&run, &claims()).record.cells[0].validity.is_valid());
    plant(&mut run);
    let record = judged(&run, &claims()).record;
    let doubts = [record.validity.invalid_because.clone(), cell_doubts(&record)].concat();
    assert!(doubts.iter().any(|doubt| doubt.contains(says)), "{says}: {doubts:?}");
    for verdict in &record.verdicts {
        assert_eq!(verdict.verdict, Verdict::Inconclusive);
        assert!(verdict.reason.contains(says), "{}", verdict.reason);
    }
    assert_eq!(exit_code(&record), 3);
}

fn cell_doubts(record: &RunRecord) -> Vec<String> {
    record.cells.iter().flat_map(|cell| cell.validity.invalid_because.clone()).collect()
}

#[test]
fn a_ledger_shorter_than_the_schedule_is_invalid() {
    invalid("Step write scheduled 200 operations, but the ledger holds 199.", |run| {
        run.ops.remove(9);
        run.spans.retain(|span| !format!("{span:?}").contains("sequence: 10 "));
    });
}

#[test]
fn a_ledger_longer_than_the_schedule_is_invalid() {
    invalid("scheduled 199 operations, but the ledger holds 200", |run| run.schedule(199));
}

#[test]
fn a_request_that_the_ledger_does_not_know_is_invalid() {
    invalid("The gateway saw 1 request that the ledger does not know.", |run| {
        run.ops.remove(9);
        run.schedule(199);
    });
}

#[test]
fn a_load_step_that_hides_its_schedule_is_invalid() {
    invalid("does not say how many operations", |run| {
        run.step_mut("write").results.clear();
    });
}

#[test]
fn an_unfinished_run_or_step_is_invalid() {
    invalid("The run is incomplete", |run| run.record.state = RunState::Running);
    invalid("The run was interrupted", |run| run.record.state = RunState::Interrupted);
    invalid("could not go on: etcd died.", |run| {
        run.record.state = RunState::Failed { reason: "etcd died".into() };
    });
    invalid("Step settle did not end.", |run| run.step_mut("settle").ended = None);
}

#[test]
fn a_death_during_the_cell_is_invalid_and_one_after_it_is_not() {
    invalid("webhook ended although nobody asked it to: signal 9.", |run| run.died("webhook", 5));
    let mut run = Synthetic::flawless(200);
    run.died("webhook", 60_500_000_000);
    assert!(judged(&run, &claims()).record.cells[0].validity.is_valid());
}

#[test]
fn a_notification_from_nowhere_is_invalid() {
    invalid("1 notification of step write came from a subscriber that no step started", |run| {
        run.deliver(op(1), 7, Some("1001"), at(1));
    });
}

#[test]
fn a_generator_without_a_schedule_is_invalid() {
    invalid("it kept no schedule", |run| {
        for _ in 0..10 {
            run.write(Parts { queue: 600_000, ..PLAIN }, Outcome::Ok);
        }
        run.schedule(210);
    });
}

#[test]
fn evidence_cut_off_or_unreadable_is_invalid() {
    let spoilt = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let folder = Synthetic::flawless(200).save(dir.path());
        let path = folder.cell(CELL).spans_dir().join("gateway-1.jsonl");
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{text}")).unwrap();
        judge_claims(&folder, &claims()).unwrap().record
    };
    let cut = spoilt("{\"span\":\"gate");
    assert_eq!(
        cell_doubts(&cut),
        [
            "spans/gateway-1.jsonl ends in the middle of a line: its writer was killed, or the disk was full."
        ]
    );
    let broken = spoilt("nonsense\n");
    assert!(cell_doubts(&broken)[0].contains("gateway-1.jsonl:401: not a line"), "{broken:?}");
    assert!(cell_doubts(&spoilt("")).is_empty());
    assert_eq!((exit_code(&cut), exit_code(&broken)), (3, 3));
}

#[test]
fn a_run_that_never_began_is_judged_without_a_verdict() {
    let mut run = Synthetic::new(1);
    run.record.cells.clear();
    run.record.state = RunState::Failed { reason: "etcd did not start".into() };
    run.died("etcd", 1);
    let record = judged(&run, &claims()).record;
    assert!(record.verdicts.is_empty());
    assert!(record.validity.invalid_because.iter().any(|why| why.contains("etcd ended although")));
    assert_eq!(exit_code(&record), 3);
}

#[test]
fn judging_twice_says_the_same() {
    let mut run = Synthetic::flawless(200);
    run.died("webhook", 5);
    let dir = tempfile::tempdir().unwrap();
    let folder = run.save(dir.path());
    let once = judge_claims(&folder, &claims()).unwrap();
    folder.write_record(&once.record).unwrap();
    assert_eq!(judge_claims(&folder, &claims()).unwrap(), once);
}

#[test]
fn a_verdict_that_differs_outweighs_one_that_is_open() {
    let mut run = Synthetic::flawless(200);
    run.lose(op(1));
    let mut claims = claims();
    claims[1].needs.push("write.ops.ok > 1000".into());
    assert_eq!(exit_code(&judged(&run, &claims).record), 1);
    claims[0].expect.clear();
    assert_eq!(exit_code(&judged(&run, &claims).record), 3);
    claims.truncate(1);
    assert_eq!(exit_code(&judged(&run, &claims).record), 0, "refuted as nobody expected otherwise");
}

/// A run folder with `text` as the scenario that was run.
fn with_scenario(
    run: &mut Synthetic,
    text: &str,
) -> (tempfile::TempDir, kab_evidence::folder::RunFolder) {
    run.scenario = text.to_owned();
    run.record.scenario.set.clear();
    run.record.scenario.sha256 =
        kab_scenario::load_text("x", text.into(), None, &[]).unwrap().sha256;
    let dir = tempfile::tempdir().unwrap();
    let folder = run.save(dir.path());
    (dir, folder)
}

#[test]
fn a_run_is_judged_again_by_its_own_scenario() {
    let mut run = Synthetic::flawless(200);
    let (_dir, folder) = with_scenario(&mut run, SCENARIO);
    let judged = kab_verdict::judge(&folder).unwrap();
    assert_eq!(judged.record.verdicts.len(), 1);
    assert_eq!(judged.record.verdicts[0].verdict, Verdict::Confirmed);
    assert_eq!(exit_code(&judged.record), 0);
    // Once the file is another one, nothing it claims is judged.
    std::fs::write(folder.scenario_path(), SCENARIO.replace("lost == 0", "lost < 5")).unwrap();
    let other = kab_verdict::judge(&folder).unwrap();
    assert_eq!(other.record.verdicts[0].verdict, Verdict::Inconclusive);
    assert!(other.record.verdicts[0].reason.contains("is not the file that was run"));
    // And if it is gone, nothing is: an older verdict must not outlive its evidence.
    folder.write_record(&judged.record).unwrap();
    std::fs::remove_file(folder.scenario_path()).unwrap();
    let gone = kab_verdict::judge(&folder).unwrap().record;
    assert!(gone.verdicts.is_empty());
    assert!(gone.validity.invalid_because[0].contains("scenario.yaml cannot be read"));
    assert_eq!(exit_code(&gone), 3);
}

#[test]
fn evidence_that_is_gone_is_not_taken_for_loss() {
    let mut run = Synthetic::flawless(200);
    let (_dir, folder) = with_scenario(&mut run, SCENARIO);
    let mut record = folder.read_record().unwrap();
    let cell = folder.cell(&record.cells[0].id);
    record.cells[0].evidence = Some(cell.inventory().unwrap());
    folder.write_record(&record).unwrap();
    assert_eq!(exit_code(&kab_verdict::judge(&folder).unwrap().record), 0);

    // A file cut at the end of a line, then gone, then back: the doubt comes and goes.
    let ops = std::fs::read_to_string(cell.ops_path()).unwrap();
    let half: String = ops.split_inclusive('\n').take(100).collect();
    std::fs::write(cell.ops_path(), half).unwrap();
    let cut = kab_verdict::judge(&folder).unwrap().record;
    let says = "ops.jsonl had 200 lines when the cell ended, and has 100.";
    assert!(cell_doubts(&cut).iter().any(|doubt| doubt == says), "{:?}", cell_doubts(&cut));
    folder.write_record(&cut).unwrap();
    std::fs::remove_file(cell.ops_path()).unwrap();
    let gone = kab_verdict::judge(&folder).unwrap().record;
    assert!(cell_doubts(&gone).iter().any(|doubt| doubt.ends_with("and is gone.")));
    assert_eq!(exit_code(&gone), 3);
    std::fs::write(cell.ops_path(), ops).unwrap();
    assert_eq!(exit_code(&kab_verdict::judge(&folder).unwrap().record), 0);
}

#[test]
fn the_claims_of_the_quickstart_can_be_decided() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/quickstart.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let loaded = kab_scenario::load_text("quickstart.yaml", text, None, &[]).unwrap();
    let claims = &loaded.scenario.spec.claims;
    let mut run = Synthetic::flawless(800);
    for verdict in judged(&run, claims).record.verdicts {
        assert_eq!(verdict.verdict, Verdict::Confirmed, "{}: {}", verdict.claim, verdict.reason);
    }
    // And the other way: nothing stored, nothing delivered in time.
    run.store = Some(Vec::new());
    for span in &mut run.spans {
        if let kab_evidence::span::Span::Delivery { received, .. } = span {
            *received = received.plus(std::time::Duration::from_secs(5));
        }
    }
    (0..800).for_each(|i| run.deliver(op(i), 0, None, at(50_000_000_000)));
    run.ops.iter_mut().for_each(|op| {
        op.done = op.done.map(|done| done.plus(std::time::Duration::from_secs(2)));
    });
    for verdict in judged(&run, claims).record.verdicts {
        assert_eq!(verdict.verdict, Verdict::Refuted, "{}: {}", verdict.claim, verdict.reason);
    }
}

/// What the operating system does not grant kab says nothing of the system.
#[test]
fn what_kab_itself_ran_out_of_forbids_to_judge() {
    let mut run = Synthetic::flawless(200);
    let last = run.ops.last_mut().unwrap();
    (last.outcome, last.sent, last.done) = (Outcome::Missed, None, None);
    last.class = "own-limit".into();
    let judged = judged(&run, &claims());
    assert!(judged.record.verdicts.iter().all(|v| v.verdict == Verdict::Inconclusive));
    assert!(judged.record.verdicts[0].reason.contains("kab itself ran out"));
    assert_eq!(exit_code(&judged.record), 3);
}

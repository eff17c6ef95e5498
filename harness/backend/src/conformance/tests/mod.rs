//! The suite, held against a store in memory that can do everything, and
//! against the same with one fault planted: it must pass the one, and fail the
//! others for the right case.

use super::*;

mod memory;

use memory::{Fault, Memory};

fn trial() -> Trial {
    Trial { tag: "t1".to_owned(), ancient: Revision("0".to_owned()) }
}

async fn failures(store: &Memory) -> Vec<String> {
    let findings = run(store, &trial()).await;
    assert!(findings.len() >= 21, "{findings:?}");
    let failed = findings.iter().filter(|finding| finding.failed());
    failed.map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_store_that_can_do_everything_passes() {
    let findings = run(&Memory::new(None), &trial()).await;
    let other: Vec<_> = findings.iter().filter(|f| f.verdict != Verdict::Passed).collect();
    assert!(other.is_empty(), "{other:#?}");
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_found_where_it_is() {
    let planted = [
        (Fault::ForgetsPreconditions, "an update can depend on a state"),
        (Fault::ForgetsPreconditions, "a delete can depend on a state"),
        (Fault::DuplicatesChanges, "every change is told once, in order"),
        (Fault::SwallowsDeletes, "every change is told once, in order"),
        (Fault::NamesNoOperation, "every change is told once, in order"),
        (Fault::SkipsAfterResume, "changes can be gone on with"),
        (Fault::TellsThePast, "changes can begin now"),
        (Fault::ForgetsThePast, "old positions are good"),
        (Fault::TearsTransactions, "a transaction is not done in part"),
        (Fault::TakesBlankMessages, "the rules are kept"),
        (Fault::RefusesAsDenied, "a code is there once"),
        (Fault::LosesUpdates, "updates at the same time all count"),
        (Fault::ListsInAnyOrder, "pages show everything once"),
        (Fault::SkipsBetweenPages, "pages show everything once"),
        (Fault::FiltersNothing, "a filter shows what is asked for"),
        (Fault::KeepsIds, "a delete removes"),
        (Fault::CutsLargeMessages, "what the rules allow is taken"),
        (Fault::ConfusesCodes, "every text is a code"),
    ];
    for (fault, case) in planted {
        let failed = failures(&Memory::new(Some(fault))).await;
        assert!(failed.iter().any(|f| f.starts_with(case)), "{fault:?}: {failed:#?}");
    }
}

/// Who declares what it can do has not been looked at well.
#[tokio::test]
async fn what_is_declared_must_be_so() {
    for difference in [
        Difference::NoTransaction,
        Difference::NoQuery,
        Difference::NoPage,
        Difference::NoPrecondition,
        Difference::OneRefusal,
        Difference::NoRules,
        Difference::PositionsExpire,
        Difference::PlainCodes,
        Difference::OwnOrder,
        Difference::SmallEntities,
    ] {
        let mut store = Memory::new(None);
        store.differences = vec![difference];
        let failed = failures(&store).await;
        let [why] = &failed[..] else { panic!("{difference:?}: {failed:#?}") };
        assert!(why.contains(&format!("declares {difference:?}")), "{why}");
    }
}

/// The same fault, admitted, is a finding and no failure.
#[tokio::test(start_paused = true)]
async fn what_is_declared_and_so_is_a_difference() {
    for (fault, difference) in [
        (Fault::ForgetsPreconditions, Difference::NoPrecondition),
        (Fault::ForgetsThePast, Difference::PositionsExpire),
        (Fault::FiltersNothing, Difference::NoQuery),
    ] {
        let mut store = Memory::new(Some(fault));
        store.differences = vec![difference];
        let findings = run(&store, &trial()).await;
        assert!(!findings.iter().any(Finding::failed), "{findings:#?}");
        let differs = Verdict::Differs(vec![difference]);
        assert!(findings.iter().any(|finding| finding.verdict == differs), "{findings:#?}");
    }
}

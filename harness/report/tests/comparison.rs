//! What `kab compare` says of two synthetic runs.
#![allow(clippy::unwrap_used)]

#[path = "../../verdict/tests/support/mod.rs"]
mod support;

use kab_report::comparison::markdown;
use support::*;

fn said(mut a: Synthetic, mut b: Synthetic) -> String {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = [("a", &mut a), ("b", &mut b)].map(|(name, run)| {
        run.judgeable();
        run.save(&dir.path().join(name))
    });
    markdown(&kab_verdict::compare(&a, &b).unwrap())
}

#[test]
fn a_slower_run_is_called_slower() {
    let text = said(Synthetic::noisy(2_000, 0), Synthetic::noisy(2_000, 20_000));
    assert!(text.contains("- response p99: B is slower ("), "{text}");
    assert!(text.contains("would have been seen 8 times of 10."), "{text}");
    assert!(text.contains("Every condition on record is the same in both."), "{text}");
    assert!(!text.contains("faster") && !text.contains("Warning"), "{text}");
    assert!(text.contains("differences were tested, each at the 5 % level"), "{text}");
}

#[test]
fn equal_runs_show_no_difference_and_conditions_warn() {
    let mut b = Synthetic::noisy(2_000, 0);
    b.record.conditions.fsync = false;
    let text = said(Synthetic::noisy(2_000, 0), b);
    assert!(text.contains("- response p99: no difference is shown ("), "{text}");
    assert!(text.contains("**Warning: the conditions differ.**"), "{text}");
    assert!(text.contains("| etcd fsync | on | off |"), "{text}");
    assert!(!text.contains("slower") && !text.contains("NaN"), "{text}");
}

//! What this report does not show.

use kab_verdict::Judged;

/// What a hostile reader should know before using a number.
pub(super) fn limits(judged: &Judged) -> Vec<String> {
    let mut limits = vec![
        "Every percentile and its interval are of this run alone: how much another run would differ, by caches, placement or neighbours, is not known.".to_owned(),
        "A percentile is given only where at least one sample is expected beyond it; “n < 1,000” stands for one that has too few.".to_owned(),
        "A notification counts as lost if it was not received by the end of the run; whether it would have come later is not known.".to_owned(),
        "Lags and segments compare clock readings of processes on one machine (CLOCK_MONOTONIC): they hold no network between machines.".to_owned(),
        "“apiserver and etcd” is what is left of the gateway's request without the webhook: the two are not told apart, and the loopback connections are in it.".to_owned(),
    ];
    if !judged.side_by_side.is_empty() {
        limits.push("The systems ran one after the other, each once: a difference between them may be one of what else the machine did. CPU time is counted by the kernel, a process at a time, in ticks; it depends on what else the machine does, and has no interval. Nor has what was written.".to_owned());
    }
    if judged.cells.iter().any(|cell| cell.watch.is_some()) {
        limits.push("The changes that a watch owed are those of the ledger and those that any watch showed: a removal that no watch showed is not missed. What is pending at the end may have been lost or on its way; a watcher is silent if nothing ever came on its streams, events nor bookmarks.".to_owned());
    }
    let c = &judged.record.conditions;
    if c.provider == "local" {
        limits.push("The load generator, the system under test and the control plane share the processors of one machine; each slows the others.".to_owned());
    }
    if !c.provider.is_empty() && c.etcd_members == 1 {
        limits.push("etcd has one member: nothing here speaks of the cost of a quorum, or of a leader's loss.".to_owned());
    }
    if !c.provider.is_empty() && c.etcd_members > 0 && !c.fsync {
        limits.push("etcd did not wait for the disk: neither write latencies nor durability are those of production.".to_owned());
    }
    limits
}

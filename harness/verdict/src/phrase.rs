//! Measurements in words, for the reason of a verdict.

use crate::measure::{CellMeasurements, StepMeasurements};
use crate::value::grouped;
use crate::watch::Watch;

/// What `path` measured, as part of a sentence; none for a path that has no
/// phrase of its own, or no value.
pub(crate) fn phrase(cell: &CellMeasurements, path: &str) -> Option<String> {
    let (step, name) = path.split_once('.')?;
    if step == "watch" {
        return watch(cell.watch.as_ref()?, name);
    }
    let step = cell.step(step)?;
    ops(step, name)
        .or_else(|| delivery(step, name))
        .or_else(|| stored(step, name))
        .or_else(|| latency(step, name))
        .or_else(|| of_kind(step, name))
}

fn ops(step: &StepMeasurements, name: &str) -> Option<String> {
    let ops = step.ops.as_ref().filter(|ops| ops.recorded > 0)?;
    let (count, what) = match name {
        "ops.ok" => (ops.ok, "acknowledged"),
        "ops.failed" => (ops.failed, "without effect for certain"),
        "ops.indeterminate" => (ops.indeterminate, "left in doubt"),
        "ops.missed" => (ops.missed, "due but not sent"),
        _ => return None,
    };
    Some(format!("{} {what}", of(count, ops.recorded, "operation")))
}

fn watch(found: &Watch, name: &str) -> Option<String> {
    let account = &found.account;
    let (count, what) = match name {
        "delivered" => (account.delivered, "received"),
        "relisted" => (account.relisted, "received in a list only"),
        "coalesced" => (account.coalesced, "skipped by a list"),
        "cutOff" => (account.cut_off, "cut off"),
        "pending" => (account.pending, "still pending at the end"),
        "silent" => (account.silent, "due to watchers to which nothing ever came"),
        "lost" => (account.lost, "lost"),
        "violations" => {
            let all = found.guarantees.iter().filter(|result| result.broken > 0);
            let named: Vec<_> = all
                .map(|result| {
                    format!("{} (broken {} times)", result.guarantee.name(), grouped(result.broken))
                })
                .collect();
            let none = named.is_empty();
            let named = if none { "none was broken".to_owned() } else { named.join(", ") };
            return Some(format!("watch guarantees: {named}"));
        }
        _ => return None,
    };
    let due = of(count, account.expected, "event");
    (account.expected > 0).then(|| format!("{due} {what}"))
}

fn delivery(step: &StepMeasurements, name: &str) -> Option<String> {
    let found = step.delivery.as_ref()?;
    let (writes, ears) = (found.acknowledged, found.subscribers);
    let due =
        format!("{} x {}", several(writes, "acknowledged write"), several(ears, "subscriber"));
    Some(match name {
        "delivery.lost" => {
            format!("{} lost ({due})", of(found.lost, found.expected, "notification"))
        }
        "delivery.delivered" => {
            format!("{} delivered ({due})", of(found.delivered, found.expected, "notification"))
        }
        "delivery.duplicated" => {
            format!("{} received more than once", none_of(found.duplicated, "notification"))
        }
        "delivery.unacknowledged" => format!(
            "{} received for a write that was never acknowledged",
            none_of(found.unacknowledged, "notification")
        ),
        _ => return None,
    })
}

fn stored(step: &StepMeasurements, name: &str) -> Option<String> {
    let found = step.stored.as_ref()?;
    Some(match name {
        "stored.missing" => {
            format!(
                "{} missing from the store",
                of(found.missing, found.expected, "acknowledged write")
            )
        }
        "stored.present" => {
            format!("{} in the store", of(found.present, found.expected, "acknowledged write"))
        }
        "stored.failedPresent" => {
            format!("{} in the store all the same", none_of(found.failed_present, "refused write"))
        }
        "stored.indeterminatePresent" => {
            format!("{} in the store", none_of(found.indeterminate_present, "write left in doubt"))
        }
        _ => return None,
    })
}

/// `of the gets, ...`: what is said of a single kind is said as of the step.
fn of_kind(step: &StepMeasurements, name: &str) -> Option<String> {
    let (kind, name) = name.strip_prefix("kinds.")?.split_once('.')?;
    let found = step.kinds.iter().find(|one| one.kind.name() == kind)?;
    let alone = StepMeasurements {
        ops: Some(found.ops.clone()),
        response: found.response.clone(),
        service: found.service.clone(),
        ..StepMeasurements::default()
    };
    let said = ops(&alone, name).or_else(|| latency(&alone, name))?;
    Some(format!("of kind `{kind}`, {said}"))
}

fn latency(step: &StepMeasurements, name: &str) -> Option<String> {
    // Of an end of an interval, the statistic is what a sentence is about.
    let (group, leaf, ends) = match name.split_once(".interval.") {
        Some((group, end)) => (group, end.split_once('.')?.0, true),
        None => name.rsplit_once('.').map(|(group, leaf)| (group, leaf, false))?,
    };
    let lag = step.delivery.as_ref().map(|delivery| &delivery.lag);
    let (of, unit, done) = match group {
        "response" => (&step.response.all, "operation", "ended within"),
        "response.ok" => (&step.response.ok, "acknowledged operation", "ended within"),
        "service" => (&step.service.all, "operation", "was answered within"),
        "service.ok" => (&step.service.ok, "acknowledged operation", "was answered within"),
        "lateness" => (&step.lateness, "operation", "was sent within"),
        "delivery.lag" => (lag?, "delivered notification", "arrived within"),
        _ => return None,
    };
    let since = match group {
        "service" | "service.ok" => "its sending",
        "delivery.lag" => "the intended start of its write",
        _ => "its intended start",
    };
    let (share, length) = match leaf {
        "p50" => ("half", of.p50),
        "p90" => ("90 %", of.p90),
        "p99" => ("99 %", of.p99),
        "p999" => ("99.9 %", of.p999),
        "max" => ("each", of.max),
        _ => return None,
    };
    let text = format!("{share} of the {} {done} {} of {since}", several(of.count, unit), length?);
    let range = of.interval.as_ref().and_then(|found| found.get(leaf)).filter(|_| ends);
    let text = match range {
        Some(range) => format!("{text} (95 % interval {} to {})", range.low, range.high),
        None => text,
    };
    let one = leaf == "max";
    Some(if one { text } else { text.replace(" was ", " were ").replace(" its ", " their ") })
}

/// `none of 800 operations was`, `1 of 800 operations was`.
fn of(count: u64, whole: u64, what: &str) -> String {
    let whole = several(whole, what);
    match count {
        0 => format!("none of {whole} was"),
        1 => format!("1 of {whole} was"),
        _ => format!("{} of {whole} were", grouped(count)),
    }
}

/// `no operation was`, `1 operation was`, `2 operations were`.
fn none_of(count: u64, what: &str) -> String {
    match count {
        0 => format!("no {what} was"),
        1 => format!("1 {what} was"),
        _ => format!("{} were", several(count, what)),
    }
}

/// `1 write`, `2 writes`.
fn several(count: u64, what: &str) -> String {
    if count == 1 {
        return format!("1 {what}");
    }
    // The noun comes first in `write left in doubt`, and last in `acknowledged write`.
    let what = match what.split_once(" left") {
        Some((noun, rest)) => format!("{noun}s left{rest}"),
        None => format!("{what}s"),
    };
    format!("{} {what}", grouped(count))
}

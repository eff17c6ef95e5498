//! Lost, duplicated and late notifications; and how much of the evidence of a
//! write could be joined.

use kab_evidence::join::Trace;
use kab_evidence::ledger::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::{Sorted, Summary};
use crate::interval::add_intervals;

/// Notifications of a step's writes. One is due for each acknowledged write
/// and each subscriber that was there when the step began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// How many subscribers were there.
    pub subscribers: u64,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Notifications due: acknowledged writes x subscribers.
    pub expected: u64,
    /// Of these, received at least once.
    pub delivered: u64,
    /// Of these, not received by the end of the run.
    pub lost: u64,
    /// Received beyond the first, for the same write and subscriber.
    pub duplicated: u64,
    /// Received for writes that were never acknowledged.
    pub unacknowledged: u64,
    /// Received by a subscriber that no step started: the cell is invalid.
    pub unknown: u64,
    /// From the write's intended start to the first receipt, over the
    /// delivered ones: a lost notification has no lag, [`Self::lost`] counts it.
    pub lag: Summary,
}

/// Share of the acknowledged writes for which each process's span was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// The gateway's; none if the writes did not go through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<f64>,
    /// The webhook's; none if the system judges its writes without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<f64>,
    /// An informer's; none without subscribers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub informer: Option<f64>,
    /// A subscriber's; none without subscribers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<f64>,
    /// All of those that are to be expected.
    pub complete: f64,
}

/// Whether `trace` is of a write that was acknowledged, and of which a
/// subscriber can hear by its id. A removal is told of under the id of the
/// write before it, so it is none of these.
pub(crate) fn acknowledged(trace: &&Trace) -> bool {
    trace.kind.leaves_its_id() && trace.outcome == Outcome::Ok
}

/// Holds the receipts of `traces`, which are in the order of their intended
/// starts, against what was due to `subscribers`; none if no write
/// was acknowledged or nobody listened: nothing then says that nothing was lost.
pub(crate) fn delivery<'a>(
    traces: impl Iterator<Item = &'a Trace>,
    subscribers: u32,
) -> Option<(Delivery, Sorted)> {
    let mut found = Delivery { subscribers: subscribers.into(), ..Delivery::default() };
    let mut lags = Vec::new();
    let mut heard = Vec::new();
    for trace in traces.filter(|trace| trace.kind.leaves_its_id()) {
        if trace.outcome != Outcome::Ok {
            found.unacknowledged += trace.receipts.len() as u64;
            continue;
        }
        found.acknowledged += 1;
        // Receipts are in the order received, so the first one of a subscriber
        // is its lag, and any other a duplicate.
        heard.clear();
        for receipt in &trace.receipts {
            if receipt.subscriber >= subscribers {
                found.unknown += 1;
            } else if heard.contains(&receipt.subscriber) {
                found.duplicated += 1;
            } else {
                heard.push(receipt.subscriber);
                lags.push(receipt.received.signed_since(trace.intended));
            }
        }
        found.delivered += heard.len() as u64;
    }
    found.expected = found.acknowledged * found.subscribers;
    found.lost = found.expected.saturating_sub(found.delivered);
    let sorted = Sorted::from(lags.clone());
    found.lag = sorted.summary();
    add_intervals(&mut found.lag, &lags, &sorted);
    (found.expected > 0).then_some((found, sorted))
}

/// Lags of `traces`, in their order: each acknowledged write's first receipt by
/// each of `subscribers`.
pub(crate) fn lags<'a>(traces: impl Iterator<Item = &'a Trace>, subscribers: u32) -> Vec<i64> {
    let mut lags = Vec::new();
    let mut heard = Vec::new();
    for trace in traces.filter(acknowledged) {
        heard.clear();
        for receipt in trace.receipts.iter().filter(|receipt| receipt.subscriber < subscribers) {
            if !heard.contains(&receipt.subscriber) {
                heard.push(receipt.subscriber);
                lags.push(receipt.received.signed_since(trace.intended));
            }
        }
    }
    lags
}

/// How many subscribers received `trace`'s notification.
fn heard_by(trace: &Trace) -> u32 {
    if trace.receipts.len() < 2 {
        return u32::from(!trace.receipts.is_empty());
    }
    let mut subscribers: Vec<u32> = trace.receipts.iter().map(|r| r.subscriber).collect();
    subscribers.sort_unstable();
    subscribers.dedup();
    u32::try_from(subscribers.len()).unwrap_or(u32::MAX)
}

/// How much could be joined; none if no write was acknowledged. Of writes that
/// went `directly` to the apiserver, no gateway is to be expected, and where
/// the system has no `hook`, no webhook.
pub(crate) fn coverage<'a>(
    traces: impl Iterator<Item = &'a Trace>,
    subscribers: u32,
    directly: bool,
    hook: bool,
) -> Option<Coverage> {
    let listened = subscribers > 0;
    let [mut n, mut gateway, mut webhook, mut informer, mut delivery, mut complete] = [0u64; 6];
    for trace in traces.filter(acknowledged) {
        let found = |there: bool, count: &mut u64| {
            *count += u64::from(there);
            there
        };
        n += 1;
        let request = (found(trace.gateway.is_some(), &mut gateway) || directly)
            & (found(trace.webhook.is_some(), &mut webhook) || !hook);
        let notice = found(trace.seen.is_some(), &mut informer)
            & found(heard_by(trace) == subscribers, &mut delivery);
        complete += u64::from(request && (notice || !listened));
    }
    let share = |count: u64| count as f64 / n as f64;
    (n > 0).then(|| Coverage {
        gateway: (!directly).then(|| share(gateway)),
        webhook: hook.then(|| share(webhook)),
        informer: listened.then(|| share(informer)),
        delivery: listened.then(|| share(delivery)),
        complete: share(complete),
    })
}

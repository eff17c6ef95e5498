//! Where the time of a write goes.
//!
//! Two chains, each over the acknowledged writes whose spans are all there:
//! from the intended start to the acknowledgement, and to the first receipt of
//! a notification. The segments of a chain follow each other without gap or
//! overlap, so their means add up to the mean of the whole; percentiles do not
//! add up. A negative segment is a contradiction between two processes: kept,
//! and counted.

use kab_evidence::join::Trace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::delivery::acknowledged;
use crate::distribution::Unsorted;
use crate::measure::Nanoseconds;
use crate::value::Nanos;

/// The two chains of a step's writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waterfall {
    /// From the intended start to the acknowledgement.
    pub acknowledgement: Chain,
    /// From the intended start to the first receipt.
    pub delivery: Chain,
}

/// One chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chain {
    /// Writes whose spans were all there.
    pub count: u64,
    /// Its segments, in the order in which they follow each other.
    pub segments: Vec<Segment>,
    /// All of them together.
    pub whole: Segment,
}

/// One segment of a chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Its name, as claims use it.
    pub name: String,
    /// The median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<Nanos>,
    /// The 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Nanos>,
    /// The arithmetic mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Nanos>,
    /// How often it came out negative.
    pub negative: u64,
}

/// A segment's name, and its length in a trace.
type Part = (&'static str, fn(&Trace) -> Nanoseconds);

/// To the acknowledgement. The gateway's own time is before and after its
/// request to the store; the webhook's is inside the store's, and the business
/// rules' inside the webhook's.
pub const ACKNOWLEDGEMENT: [&str; 7] =
    ["queue", "toGateway", "gateway", "store", "webhookHop", "rules", "back"];

/// To the first receipt. Where there is no webhook, nobody says when the write
/// came to be judged: then `storeAndWatch` begins in the gateway.
pub const DELIVERY: [&str; 6] =
    ["queue", "toGateway", "toWebhook", "webhook", "storeAndWatch", "notify"];

fn acknowledgement_parts() -> [Part; 7] {
    let [queue, to_gateway, gateway, store, webhook_hop, rules, back] = ACKNOWLEDGEMENT;
    [
        (queue, |t| Some(t.sent?.signed_since(t.intended))),
        (to_gateway, |t| Some(t.gateway?.whole.start.signed_since(t.sent?))),
        (gateway, |t| {
            let own = t.gateway?;
            let before = own.api.start.signed_since(own.whole.start);
            Some(before + own.whole.end.signed_since(own.api.end))
        }),
        (store, |t| {
            let (api, webhook) = (t.gateway?.api, t.webhook?);
            Some(api.end.signed_since(api.start) - webhook.end.signed_since(webhook.start))
        }),
        (webhook_hop, |t| {
            let (webhook, rules) = (t.webhook?, t.validate?);
            Some(webhook.end.signed_since(webhook.start) - rules.end.signed_since(rules.start))
        }),
        (rules, |t| t.validate.map(|rules| rules.end.signed_since(rules.start))),
        (back, |t| Some(t.done?.signed_since(t.gateway?.whole.end))),
    ]
}

/// The same in a system that judges its writes without a webhook.
fn unhooked_parts() -> [Part; 5] {
    let [queue, to_gateway, gateway, _, _, _, back] = acknowledgement_parts();
    let [.., store, _, _, _] = ACKNOWLEDGEMENT;
    let whole = |t: &Trace| t.gateway.map(|own| own.api.end.signed_since(own.api.start));
    [queue, to_gateway, gateway, (store, whole), back]
}

/// To the first receipt in such a system.
fn unhooked_delivery_parts() -> [Part; 4] {
    let [queue, to_gateway, _, _, _, notify] = delivery_parts();
    let [.., store_and_watch, _] = DELIVERY;
    let seen = |t: &Trace| Some(t.seen?.signed_since(t.gateway?.whole.start));
    [queue, to_gateway, (store_and_watch, seen), notify]
}

/// The same without a gateway.
fn direct_parts() -> [Part; 4] {
    let [queue, _, _, store, webhook_hop, rules, _] = ACKNOWLEDGEMENT;
    [
        (queue, |t| Some(t.sent?.signed_since(t.intended))),
        (store, |t| {
            let webhook = t.webhook?;
            Some(t.done?.signed_since(t.sent?) - webhook.end.signed_since(webhook.start))
        }),
        (webhook_hop, |t| {
            let (webhook, rules) = (t.webhook?, t.validate?);
            Some(webhook.end.signed_since(webhook.start) - rules.end.signed_since(rules.start))
        }),
        (rules, |t| t.validate.map(|rules| rules.end.signed_since(rules.start))),
    ]
}

/// The same without either.
fn unhooked_direct_parts() -> [Part; 2] {
    let [queue, ..] = direct_parts();
    let [.., store, _, _, _] = ACKNOWLEDGEMENT;
    [queue, (store, |t| Some(t.done?.signed_since(t.sent?)))]
}

fn delivery_parts() -> [Part; 6] {
    let [queue, to_gateway, to_webhook, webhook, store_and_watch, notify] = DELIVERY;
    [
        (queue, |t| Some(t.sent?.signed_since(t.intended))),
        (to_gateway, |t| Some(t.gateway?.whole.start.signed_since(t.sent?))),
        (to_webhook, |t| Some(t.webhook?.start.signed_since(t.gateway?.whole.start))),
        (webhook, |t| t.webhook.map(|hook| hook.end.signed_since(hook.start))),
        (store_and_watch, |t| Some(t.seen?.signed_since(t.webhook?.end))),
        (notify, |t| Some(t.receipts.first()?.received.signed_since(t.seen?))),
    ]
}

/// Both chains over `traces`, of writes through the gateway or `directly` to
/// the apiserver, of a system with or without a `hook`. The direct ones' road to
/// a subscriber has no segments yet.
pub(crate) fn waterfall<'a, I>(traces: I, directly: bool, hook: bool) -> Waterfall
where
    I: Iterator<Item = &'a Trace> + Clone,
{
    if directly {
        let parts = if hook { &direct_parts()[..] } else { &unhooked_direct_parts()[..] };
        return Waterfall { acknowledgement: chain(traces, parts), delivery: Chain::default() };
    }
    if !hook {
        return Waterfall {
            acknowledgement: chain(traces.clone(), &unhooked_parts()),
            delivery: chain(traces, &unhooked_delivery_parts()),
        };
    }
    Waterfall {
        acknowledgement: chain(traces.clone(), &acknowledgement_parts()),
        delivery: chain(traces, &delivery_parts()),
    }
}

fn chain<'a, I>(traces: I, parts: &[Part]) -> Chain
where
    I: Iterator<Item = &'a Trace> + Clone,
{
    let complete = |trace: &&Trace| parts.iter().all(|(_, length)| length(trace).is_some());
    let traces = traces.filter(acknowledged).filter(complete);
    // One segment at a time, so that a million traces need one buffer.
    let segment = |name: &str, length: &dyn Fn(&Trace) -> Nanoseconds| {
        let lengths = Unsorted::from(traces.clone().filter_map(length).collect::<Vec<_>>());
        Segment {
            name: name.to_owned(),
            p50: lengths.p50(),
            p99: lengths.p99(),
            mean: lengths.mean(),
            negative: lengths.negative(),
        }
    };
    Chain {
        count: traces.clone().count() as u64,
        segments: parts.iter().map(|(name, length)| segment(name, length)).collect(),
        whole: segment("whole", &|trace| parts.iter().map(|(_, length)| length(trace)).sum()),
    }
}

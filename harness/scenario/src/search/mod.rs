//! `search`: the highest rate at which an objective holds.

pub(crate) mod sense;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::step::Wait;
use crate::traffic::{
    Payload, Protocol, Traffic, Via, Waiting, creates, five_hundred, one, ten_seconds,
};
use crate::unit::{Rate, Span};

/// Searches the highest rate of creates at which an objective holds: doubles
/// the rate until it breaks, then halves the gap, and asks both ends again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Search {
    /// Where to search.
    pub rate: Rates,
    /// What has to hold: CEL over the measurements of one probe, without a
    /// step's name, as in `response.p99 < duration("100ms") && ops.failed == 0`.
    /// A probe in which an operation was missed never holds.
    pub hold: String,
    /// Load before each measurement, at the same rate, that does not count.
    #[serde(default = "two_seconds")]
    pub warm_up: Span,
    /// How long each probe measures.
    #[serde(default = "ten_seconds")]
    pub measure: Span,
    /// Valid probes at each rate. The majority says where to search on; an end
    /// of the interval is a rate at which all agree.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub repeats: u32,
    /// What to wait for after each probe, beyond the end of all its operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Wait")]
    pub settle: Option<Wait>,
    /// A probe in which 1 of 100 operations was sent later than this says
    /// nothing of the server: it is repeated, and never counts as broken.
    #[serde(default = "ten_milliseconds")]
    pub late_at_most: Span,
    /// What is sent.
    #[serde(default)]
    pub load: SearchLoad,
}

/// Which rates are searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rates {
    /// The first rate. If the objective breaks here, nothing lower is tried.
    pub from: Rate,
    /// No rate above this is tried.
    pub up_to: Rate,
    /// When the gap is narrow enough: its width as a share of the rate that
    /// held.
    #[serde(default = "a_tenth")]
    #[schemars(range(min = 0.001, max = 1.0))]
    pub resolution: f64,
}

/// What the probes of a search send: creates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchLoad {
    /// What is in each entity.
    #[serde(default)]
    pub payload: Payload,
    /// After this long, counted from sending, an operation is given up: its
    /// outcome is indeterminate.
    #[serde(default = "ten_seconds")]
    pub deadline: Span,
    /// At most so many at a time; an operation due beyond that is missed, and
    /// the probe broken.
    #[serde(default = "five_hundred")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_in_flight: u32,
    /// Who is asked.
    #[serde(default)]
    pub via: Via,
    /// Which HTTP is spoken.
    #[serde(default)]
    pub protocol: Protocol,
    /// How many connections; without it, as many as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 10_000))]
    pub connections: Option<u32>,
    /// How the generator waits for the next operation.
    #[serde(default)]
    pub wait: Waiting,
}

impl Default for SearchLoad {
    fn default() -> Self {
        Self {
            payload: Payload::default(),
            deadline: ten_seconds(),
            max_in_flight: five_hundred(),
            via: Via::default(),
            protocol: Protocol::default(),
            connections: None,
            wait: Waiting::default(),
        }
    }
}

impl SearchLoad {
    /// The same as what a load step sends.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            mix: creates(),
            keys: None,
            payload: self.payload.clone(),
            deadline: self.deadline,
            deadlines: BTreeMap::new(),
            max_in_flight: self.max_in_flight,
            identities: one(),
            via: self.via,
            resource: crate::traffic::Resource::default(),
            encoding: crate::traffic::Encoding::default(),
            protocol: self.protocol,
            connections: self.connections,
            wait: self.wait,
            workers: 1,
        }
    }
}

fn two_seconds() -> Span {
    Span::from(Duration::from_secs(2))
}

fn ten_milliseconds() -> Span {
    Span::from(Duration::from_millis(10))
}

const fn three() -> u32 {
    3
}

const fn a_tenth() -> f64 {
    0.1
}

impl Search {
    /// How many rates are tried if every probe is valid and both ends stand, at
    /// most: those of the climb, those that halve the gap, and both ends again.
    pub fn levels(&self) -> u32 {
        let halvings = (1..=20).scan(1.0, |gap, n| {
            let wide = *gap > self.rate.resolution;
            // Halving rounds to numbers people would choose: it may leave 55 %.
            *gap *= 0.55;
            wide.then_some(n)
        });
        let climb = u32::try_from(self.climb().count()).unwrap_or(u32::MAX);
        climb.saturating_add(halvings.last().unwrap_or(0)).saturating_add(2)
    }

    /// The rates of the climb, in operations a second.
    fn climb(&self) -> impl Iterator<Item = f64> {
        let up_to = self.rate.up_to.per_second();
        let doubled = move |rate: &f64| (*rate < up_to).then(|| (rate * 2.0).min(up_to));
        std::iter::successors(Some(self.rate.from.per_second()), doubled)
    }

    /// How many probes there are at most, under the same conditions.
    pub fn probes(&self) -> u32 {
        self.levels().saturating_mul(self.repeats)
    }

    /// How many operations they send: if nothing breaks before the end of the
    /// climb, which is the most.
    pub fn operations(&self) -> u64 {
        let up_to = self.rate.up_to.per_second();
        let rest = f64::from(self.levels()) - self.climb().count() as f64;
        let rates: f64 = self.climb().sum::<f64>() + rest * up_to;
        let each = self.warm_up.duration() + self.measure.duration();
        let sent = (rates * f64::from(self.repeats) * each.as_secs_f64()).ceil();
        // A float-to-integer cast saturates: absurd loads stay absurd.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let sent = sent as u64;
        sent
    }
}

//! What steps take: time, requests, bytes. Expectations, for `--dry-run` and
//! to refuse what cannot be meant.

use std::iter::Sum;
use std::ops::Add;
use std::time::Duration;

use serde::Serialize;

use crate::model::{Condition, Load, Size, Step, Verb};
use crate::plan::PlanError;
use crate::unit::{Bytes, Span};

/// Seeded entities a second that planning counts on: what the naive gateway
/// and its webhook manage on two cores, cautiously.
const SEED_RATE: f64 = 100.0;

/// What starting a subscriber, or reading the store back, is planned with.
const MOMENT: Duration = Duration::from_secs(1);

/// What a single request is planned with.
const ANSWER: Duration = Duration::from_millis(20);

const MOST_TIME: Duration = Duration::from_secs(30 * 24 * 3600);
const MOST_REQUESTS: u64 = 1_000_000_000;
const MOST_BYTES: u64 = 1_000_000_000_000;

/// What something takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Running time to expect, without starting the cluster.
    pub expected: Duration,
    /// Running time if every wait runs out and every last answer is late.
    pub worst: Duration,
    /// Operations sent.
    pub requests: u64,
    /// Those of them that carry an entity.
    pub writes: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
}

impl Cost {
    /// What `steps` take, one after the other.
    pub fn of(steps: &[Step]) -> Self {
        steps.iter().map(Self::of_step).sum()
    }

    /// What one step takes.
    pub fn of_step(step: &Step) -> Self {
        let time = |expected, worst| Self { expected, worst, ..Self::default() };
        match &step.verb {
            Verb::Seed(seed) => {
                let takes = Duration::from_secs_f64(approximate(seed.count) / SEED_RATE);
                time(takes, takes).sending(seed.count, 1.0, &seed.payload.size)
            }
            Verb::Load(load) => {
                let Load { arrivals, traffic } = load;
                let operations = load.operations();
                let takes = arrivals.duration().unwrap_or_else(|| load.counted_time());
                let late = traffic.deadlines.values().chain([&traffic.deadline]).max();
                let late = late.map_or(Duration::ZERO, |span| span.duration());
                time(takes, takes.saturating_add(late)).sending(
                    operations,
                    load.share_with_payload(),
                    &traffic.payload.size,
                )
            }
            Verb::Search(search) => {
                let each = search.warm_up.duration() + search.measure.duration();
                let takes = each.saturating_mul(search.probes());
                // Every probe may have to be waited for.
                let settle =
                    search.settle.as_ref().map_or(Duration::ZERO, |s| s.at_most.duration());
                let waits = search.load.deadline.duration().saturating_add(settle);
                let worst = takes.saturating_add(waits.saturating_mul(search.probes()));
                time(takes, worst).sending(search.operations(), 1.0, &search.load.payload.size)
            }
            Verb::Wait(wait) => {
                let most = wait.at_most.duration();
                match wait.until {
                    Condition::Elapsed => time(most, most),
                    Condition::Delivered => time(most.min(MOMENT), most),
                }
            }
            Verb::Subscribe(_) | Verb::Check(_) | Verb::Fault(_) => time(MOMENT, MOMENT),
            Verb::Attempt(attempt) => {
                let (repeat, deadline) = (attempt.repeat, attempt.deadline.duration());
                let until = attempt.until.as_ref().map_or(Duration::ZERO, |u| u.at_most.duration());
                let each = ANSWER.saturating_mul(repeat);
                let worst = deadline.saturating_add(until).saturating_mul(repeat);
                time(each, worst).sending(u64::from(repeat), 0.0, &Size::Fixed(Bytes::from(0)))
            }
        }
    }

    /// With `requests` operations, of which a `share` carries an entity.
    fn sending(self, requests: u64, share: f64, size: &Size) -> Self {
        // A float-to-integer cast saturates: absurd loads stay absurd.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = |number: f64| number.round() as u64;
        let writes = if share < 1.0 { whole(approximate(requests) * share) } else { requests };
        let bytes = match size {
            Size::Fixed(size) => writes.saturating_mul(size.get()),
            Size::Drawn(_) => whole(approximate(writes) * size.mean()),
        };
        Self { requests, writes, bytes, ..self }
    }

    /// Whether this can be meant.
    pub(crate) fn check(&self, scenario: &str) -> Result<(), PlanError> {
        let refuse = |amount: String, limit: String| {
            Err(PlanError::TooMuch { scenario: scenario.to_owned(), amount, limit })
        };
        if self.worst > MOST_TIME {
            return refuse(rough(self.worst), rough(MOST_TIME));
        }
        if self.requests > MOST_REQUESTS {
            return refuse(format!("{} requests", self.requests), MOST_REQUESTS.to_string());
        }
        if self.bytes > MOST_BYTES {
            return refuse(rough_size(self.bytes), rough_size(MOST_BYTES));
        }
        Ok(())
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            expected: self.expected.saturating_add(other.expected),
            worst: self.worst.saturating_add(other.worst),
            requests: self.requests.saturating_add(other.requests),
            writes: self.writes.saturating_add(other.writes),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}

/// For estimates: counts of a scenario are far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn approximate(count: u64) -> f64 {
    count as f64
}

/// A duration for people: `28 s`, `4.5 min`, `3.0 h`, `12.0 days`.
pub(crate) fn rough(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 1.0 => Span::from(time).to_string(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

/// A number of bytes for people: `512B`, `51 kB`, `2 GB`.
pub(crate) fn rough_size(bytes: u64) -> String {
    match bytes {
        0..10_000 => Bytes::from(bytes).to_string(),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        10_000_000_000..1_000_000_000_000 => format!("{} GB", bytes / 1_000_000_000),
        _ => format!("{} TB", bytes / 1_000_000_000_000),
    }
}

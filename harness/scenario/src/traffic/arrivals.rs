//! When operations are due.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::union::{one_key, text_or};
use crate::unit::{Level, Rate, Span};

/// When operations are due. All but `closed` are open loop: fixed before the
/// first is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = one_key)]
pub enum Arrivals {
    /// At equal distances: the same as `rate` and `duration` beside it.
    Constant(Steady),
    /// At random, as those of many users who know nothing of one another: gaps
    /// drawn from the seed, exponentially distributed.
    Poisson(Steady),
    /// At a rate that rises or falls in a straight line.
    Ramp(Ramp),
    /// At one rate after the other.
    Steps(Vec<RateStep>),
    /// Many at once, again and again.
    Burst(Burst),
    /// At a constant rate for a while, then not at all, again and again.
    Pulse(Pulse),
    /// At rates that were recorded.
    Replay(Replay),
    /// Whenever a client has its answer and has thought: NOT open loop. A slow
    /// server is asked less, and its worst times are then not seen.
    Closed(Closed),
}

/// A rate, for a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Steady {
    /// Operations a second.
    pub rate: Rate,
    /// For how long.
    pub duration: Span,
}

/// A rate that changes in a straight line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ramp {
    /// Operations a second at the beginning.
    pub from: Level,
    /// Operations a second at the end.
    pub to: Level,
    /// For how long.
    pub duration: Span,
}

/// One of several rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateStep {
    /// Operations a second; 0/s is a pause.
    pub rate: Level,
    /// For how long.
    pub duration: Span,
}

/// Many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Burst {
    /// How many operations at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub size: u32,
    /// From one burst to the next; the first is at the start.
    pub every: Span,
    /// For how long.
    pub duration: Span,
}

/// On and off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pulse {
    /// Operations a second while it is on.
    pub rate: Rate,
    /// How long it is on.
    pub on: Span,
    /// How long it is off.
    pub off: Span,
    /// For how long in all.
    pub duration: Span,
}

/// A recorded series of rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replay {
    /// The points, the first at 0s.
    #[schemars(length(min = 1, max = 10_000))]
    pub series: Vec<Point>,
    /// How the rate goes from one point to the next.
    #[serde(default)]
    pub between: Between,
    /// For how long; without it, to the last point. Behind that, the rate stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Span")]
    pub duration: Option<Span>,
}

/// A rate at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Point {
    /// Counted from the start.
    pub at: Span,
    /// Operations a second from there on.
    pub rate: Level,
}

/// How the rate goes from one point to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Between {
    /// It stays, and jumps at the next point.
    #[default]
    Hold,
    /// In a straight line.
    Line,
}

/// Clients that wait for an answer, think, and ask again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Closed {
    /// How many clients; each has one operation in flight at most.
    #[schemars(range(min = 1, max = 100_000))]
    pub clients: u32,
    /// How long each thinks before each operation; without it, not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Think")]
    pub think: Option<Think>,
    /// When it ends.
    pub until: Until,
}

/// A time to think: always the same, or drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Think {
    /// Always the same.
    Fixed(Span),
    /// Drawn anew each time.
    Drawn(ThinkTime),
}

impl JsonSchema for Think {
    fn schema_name() -> Cow<'static, str> {
        "Think".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let wanted = "a time such as 100ms, {exponential: {mean: 100ms}} or \
                      {lognormal: {median: 100ms, sigma: 1}}";
        text_or::<Span, ThinkTime>(generator, wanted)
    }
}

/// A distribution of times to think.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ThinkTime {
    /// Exponentially distributed.
    Exponential(ExponentialTime),
    /// Lognormally distributed, as people's times are.
    Lognormal(LognormalTime),
}

/// Exponentially distributed times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExponentialTime {
    /// The mean.
    pub mean: Span,
}

/// Lognormally distributed times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LognormalTime {
    /// Half of the times are longer.
    pub median: Span,
    /// Standard deviation of the logarithm: 1 makes one in six more than 2.7
    /// times the median.
    #[schemars(range(min = 0.0, max = 5.0))]
    pub sigma: f64,
}

/// When a closed loop ends: after a time, or after so many operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Until {
    /// After this time no client begins another operation.
    Elapsed(Span),
    /// By their number.
    Counted(Counted),
}

impl JsonSchema for Until {
    fn schema_name() -> Cow<'static, str> {
        "Until".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        text_or::<Span, Counted>(generator, "a time such as 20s, or {operations: 1000}")
    }
}

/// A number of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Counted {
    /// Operations of all clients together.
    Operations(u64),
}

impl Arrivals {
    /// How long operations are due; none if only their number says when it ends.
    pub fn duration(&self) -> Option<Duration> {
        let span = match self {
            Self::Constant(steady) | Self::Poisson(steady) => steady.duration,
            Self::Ramp(ramp) => ramp.duration,
            Self::Steps(steps) => {
                let add =
                    |all: Duration, step: &RateStep| all.saturating_add(step.duration.duration());
                return Some(steps.iter().fold(Duration::ZERO, add));
            }
            Self::Burst(burst) => burst.duration,
            Self::Pulse(pulse) => pulse.duration,
            Self::Replay(replay) => replay.end(),
            Self::Closed(closed) => match &closed.until {
                Until::Elapsed(span) => *span,
                Until::Counted(_) => return None,
            },
        };
        Some(span.duration())
    }

    /// How many operations are due: exactly, but for `poisson`, where it is the
    /// expectation; none for a closed loop that ends by time: nobody knows.
    pub fn operations(&self) -> Option<u64> {
        let area = match self {
            Self::Constant(steady) | Self::Poisson(steady) => {
                steady.rate.per_second() * seconds(steady.duration)
            }
            Self::Ramp(ramp) => {
                (ramp.from.per_second() + ramp.to.per_second()) / 2.0 * seconds(ramp.duration)
            }
            Self::Steps(steps) => {
                steps.iter().map(|s| s.rate.per_second() * seconds(s.duration)).sum()
            }
            Self::Burst(burst) => {
                let (every, all) = (burst.every.duration(), burst.duration.duration());
                let bursts = all.as_nanos().div_ceil(every.as_nanos().max(1));
                let bursts = u64::try_from(bursts).unwrap_or(u64::MAX);
                return Some(bursts.saturating_mul(burst.size.into()));
            }
            Self::Pulse(pulse) => {
                let (on, all) = (seconds(pulse.on), seconds(pulse.duration));
                let period = on + seconds(pulse.off);
                let whole = (all / period).floor();
                pulse.rate.per_second() * (whole * on + (all - whole * period).min(on))
            }
            Self::Replay(replay) => replay.area(),
            Self::Closed(closed) => match &closed.until {
                Until::Elapsed(_) => return None,
                Until::Counted(Counted::Operations(count)) => return Some(*count),
            },
        };
        // A whole product may come out a hair above itself: 0.1 x 30 s is 3.
        // A float-to-integer cast saturates: absurd loads stay absurd.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let due = (area - 1e-9).ceil() as u64;
        Some(due)
    }

    /// Operations a second on average, as far as it is known beforehand.
    pub fn mean_rate(&self) -> Option<f64> {
        if let Self::Constant(steady) | Self::Poisson(steady) = self {
            return Some(steady.rate.per_second());
        }
        let time = self.duration()?.as_secs_f64();
        #[allow(clippy::cast_precision_loss)] // counts are far below 2^53
        let operations = self.operations()? as f64;
        (time > 0.0).then(|| operations / time)
    }
}

impl Replay {
    /// When it ends.
    pub fn end(&self) -> Span {
        let last = self.series.last().map_or(Span::from(Duration::ZERO), |point| point.at);
        self.duration.unwrap_or(last)
    }

    fn area(&self) -> f64 {
        let stretch = |pair: &[Point]| {
            let rate = match self.between {
                Between::Hold => pair[0].rate.per_second(),
                Between::Line => (pair[0].rate.per_second() + pair[1].rate.per_second()) / 2.0,
            };
            rate * (seconds(pair[1].at) - seconds(pair[0].at))
        };
        let before: f64 = self.series.windows(2).map(stretch).sum();
        let last = self.series.last();
        let behind =
            |last: &Point| last.rate.per_second() * (seconds(self.end()) - seconds(last.at));
        before + last.map_or(0.0, behind)
    }
}

fn seconds(span: Span) -> f64 {
    span.duration().as_secs_f64()
}

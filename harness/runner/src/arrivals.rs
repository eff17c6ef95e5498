//! From a scenario's load to the generator's: the model says what is wanted,
//! [`kab_load`] what is to be done.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};

use kab_evidence::ledger::OpKind;
use kab_load::closed::{Closed, ThinkTime, Until};
use kab_load::draw::Draws;
use kab_load::keys::{Keys, KeysError, Popularity};
use kab_load::payload::{BadStepName, Sizes, SizesError, Text};
use kab_load::schedule::{Between, Schedule, ScheduleError, Series, SeriesError};
use kab_load::weighted::{NoWeight, Weighted};
use kab_load::workload::{Deadlines, Existing, Fresh, Identities, Mix};
use kab_load::{Arrivals, Todos};
use kab_scenario::model;

/// A load that cannot be sent. Scenario files in which it is asked for are
/// refused before; what is left are the limits of numbers.
#[derive(Debug, thiserror::Error)]
pub enum BadLoad {
    /// The schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The recorded series.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The sizes.
    #[error(transparent)]
    Sizes(#[from] SizesError),
    /// The weights.
    #[error(transparent)]
    Weights(#[from] NoWeight),
    /// The step's name.
    #[error(transparent)]
    Name(#[from] BadStepName),
    /// A number that must not be zero is.
    #[error("preparing a load: {what} is 0; give at least 1")]
    Zero {
        /// Which number.
        what: &'static str,
    },
    /// A size that no message can have.
    #[error("preparing a load with messages of {bytes} bytes: at most 4294967295 can be made")]
    TooLarge {
        /// The size.
        bytes: u64,
    },
    /// Operations are about entities, but nobody said of which step.
    #[error(
        "preparing a load: `{operation}` is about an entity that exists, and the load has no \
         `keys`; name the seed step that made them"
    )]
    NoKeys {
        /// The kind of operation.
        operation: model::Operation,
    },
}

/// The draws of step `name` for `purpose`: one source for each random thing.
fn draws(name: &str, seed: u64, purpose: &str) -> Draws {
    Draws::new(seed, &format!("{name}/{purpose}"))
}

/// When the operations of step `name` are due.
///
/// # Errors
/// If a number is out of bounds.
pub fn arrivals(name: &str, seed: u64, wanted: &model::Arrivals) -> Result<Arrivals, BadLoad> {
    use model::Arrivals as Wanted;
    Ok(Arrivals::Open(match wanted {
        Wanted::Constant(steady) => {
            Schedule::constant(steady.rate.per_second(), steady.duration.duration())?
        }
        Wanted::Poisson(steady) => Schedule::poisson(
            steady.rate.per_second(),
            steady.duration.duration(),
            draws(name, seed, "arrivals"),
        )?,
        Wanted::Ramp(ramp) => {
            Schedule::ramp(ramp.from.per_second(), ramp.to.per_second(), ramp.duration.duration())?
        }
        Wanted::Steps(steps) => {
            let steps = steps.iter().map(|s| (s.rate.per_second(), s.duration.duration()));
            Schedule::steps(&steps.collect::<Vec<_>>())?
        }
        Wanted::Burst(burst) => {
            let size = NonZeroU64::new(burst.size.into());
            let size = size.ok_or(BadLoad::Zero { what: "the size of a burst" })?;
            Schedule::burst(size, burst.every.duration(), burst.duration.duration())?
        }
        Wanted::Pulse(pulse) => Schedule::pulse(
            pulse.rate.per_second(),
            pulse.on.duration(),
            pulse.off.duration(),
            pulse.duration.duration(),
        )?,
        Wanted::Replay(replay) => {
            let points = replay.series.iter().map(|p| (p.at.duration(), p.rate.per_second()));
            let between = match replay.between {
                model::Between::Hold => Between::Hold,
                model::Between::Line => Between::Line,
            };
            let duration = replay.duration.map(|span| span.duration());
            Schedule::replay(&Series::new(points.collect(), between, duration)?)?
        }
        Wanted::Closed(wanted) => {
            return Ok(Arrivals::closed(Closed {
                clients: NonZeroU32::new(wanted.clients)
                    .ok_or(BadLoad::Zero { what: "the number of clients" })?,
                think: wanted.think.as_ref().map_or(ThinkTime::None, think),
                until: match wanted.until {
                    model::Until::Elapsed(span) => Until::Elapsed(span.duration()),
                    model::Until::Counted(model::Counted::Operations(count)) => {
                        Until::Operations(count)
                    }
                },
                draws: draws(name, seed, "think"),
            }));
        }
    }))
}

fn think(wanted: &model::Think) -> ThinkTime {
    match wanted {
        model::Think::Fixed(span) => ThinkTime::Fixed(span.duration()),
        model::Think::Drawn(model::ThinkTime::Exponential(time)) => {
            ThinkTime::Exponential { mean: time.mean.duration() }
        }
        model::Think::Drawn(model::ThinkTime::Lognormal(time)) => {
            ThinkTime::LogNormal { median: time.median.duration(), sigma: time.sigma }
        }
    }
}

/// What each operation of step `name` does. `entities` is how many the step
/// made that `keys` names; it is not looked at without `keys`.
///
/// # Errors
/// If an operation needs an entity and there is none, or weights are all zero.
pub fn mix(name: &str, seed: u64, traffic: &model::Traffic, entities: u64) -> Result<Mix, BadLoad> {
    let (mut fresh, mut existing) = (Vec::new(), Vec::new());
    for (&operation, &weight) in traffic.mix.iter().filter(|(_, weight)| **weight > 0) {
        match operation {
            model::Operation::Create => fresh.push((Fresh::Create, weight)),
            model::Operation::List => fresh.push((Fresh::List, weight)),
            model::Operation::Get => existing.push((Existing::Get, weight)),
            model::Operation::Update => existing.push((Existing::Update, weight)),
            model::Operation::Patch => existing.push((Existing::Patch, weight)),
            model::Operation::Delete => existing.push((Existing::Delete, weight)),
        }
        if operation.needs_entity() && traffic.keys.is_none() {
            return Err(BadLoad::NoKeys { operation });
        }
    }
    let choice = draws(name, seed, "mix");
    let Some(wanted) = &traffic.keys else { return Ok(Mix::fresh(fresh, choice)?) };
    let entities = NonZeroU64::new(entities)
        .ok_or(BadLoad::Zero { what: "the number of entities that `keys` names" })?;
    let popularity = match wanted.pick {
        model::Pick::Uniform => Popularity::Uniform,
        model::Pick::Sequential => Popularity::Sequential,
        model::Pick::Zipf(zipf) => Popularity::Zipf { exponent: zipf.exponent },
        model::Pick::Hot(hot) => Popularity::Hot {
            keys: NonZeroU64::new(hot.keys)
                .ok_or(BadLoad::Zero { what: "the number of hot keys" })?,
            share: hot.share,
        },
    };
    let keys = Keys::new(entities, popularity, draws(name, seed, "keys"))?;
    Ok(Mix::over(keys, fresh, existing, choice)?)
}

/// What the operations of step `name` write. A fixed size of random characters
/// gives the same bodies as ever.
///
/// # Errors
/// If sizes make no distribution, or the name is none for entities.
pub fn todos(name: &str, seed: u64, payload: &model::Payload) -> Result<Todos, BadLoad> {
    let text = if payload.compressible { Text::Words } else { Text::Random };
    Ok(Todos::with(name, seed, sizes(&payload.size)?, text)?)
}

fn sizes(wanted: &model::Size) -> Result<Sizes, BadLoad> {
    let bytes = |size: kab_scenario::unit::Bytes| {
        u32::try_from(size.get()).map_err(|_| BadLoad::TooLarge { bytes: size.get() })
    };
    Ok(match wanted {
        model::Size::Fixed(size) => Sizes::Fixed(bytes(*size)?),
        model::Size::Drawn(model::Sizes::Uniform(range)) => {
            Sizes::uniform(bytes(range.from)?, bytes(range.to)?)?
        }
        model::Size::Drawn(model::Sizes::Lognormal(sizes)) => {
            Sizes::lognormal(bytes(sizes.median)?, sizes.sigma, bytes(sizes.most)?)?
        }
        model::Size::Drawn(model::Sizes::Choice(choices)) => {
            let mut weighted = Vec::with_capacity(choices.len());
            for choice in choices {
                weighted.push((bytes(choice.size)?, choice.weight));
            }
            Sizes::Choice(Weighted::new(weighted)?)
        }
    })
}

/// How long each kind of operation may take.
pub fn deadlines(traffic: &model::Traffic) -> Deadlines {
    let all = Deadlines::all(traffic.deadline.duration());
    let own = traffic.deadlines.iter();
    own.fold(all, |deadlines, (&operation, own)| deadlines.with(kind(operation), own.duration()))
}

/// Who asks: in turn.
pub fn identities(traffic: &model::Traffic) -> Identities {
    NonZeroU16::new(traffic.identities).map_or(Identities::ONE, Identities::RoundRobin)
}

/// The ledger's word for a kind of operation.
pub const fn kind(operation: model::Operation) -> OpKind {
    match operation {
        model::Operation::Create => OpKind::Create,
        model::Operation::Get => OpKind::Get,
        model::Operation::List => OpKind::List,
        model::Operation::Update => OpKind::Update,
        model::Operation::Patch => OpKind::Patch,
        model::Operation::Delete => OpKind::Delete,
    }
}

#[cfg(test)]
#[path = "arrivals_tests.rs"]
mod tests;

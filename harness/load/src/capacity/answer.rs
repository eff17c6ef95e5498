//! What is known from the probes that were made.

use std::fmt;

use super::search::same;
use super::{ProbeOutcome, Probed, Purpose};

/// The capacity, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Capacity {
    /// The highest rate at which every probe held, with no level below it that
    /// broke, and no sign since then that the server does not recover; none if
    /// there is no such rate.
    pub held: Option<f64>,
    /// The lowest rate at which every probe broke, with no level above it that
    /// held; none if there is no such rate.
    pub broke: Option<f64>,
    /// The lowest rate that the generator could not produce, if it lies where
    /// the answer would: above what held, and not above what broke.
    pub ceiling: Option<f64>,
    /// The highest rate at which probes were valid.
    pub highest_probed: Option<f64>,
    /// Answers that cannot both be true of a server without memory.
    pub contradictions: Vec<Contradiction>,
    /// Rates whose repeats did not agree.
    pub split: Vec<f64>,
    /// Whether the search came to its end.
    pub complete: bool,
}

/// The objective broke at one rate, and held at another that is not lower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contradiction {
    /// Where it broke.
    pub broke: f64,
    /// Where it held, before or after. If it is the same rate, it held at first,
    /// and did not after the server had been overloaded.
    pub held: f64,
}

impl Capacity {
    /// What `probed` shows, each level being complete with `repeats` valid
    /// probes. `complete` says whether the search came to its end.
    pub fn of(probed: &[Probed], repeats: u32, complete: bool) -> Self {
        let levels = levels(probed, repeats);
        let leaning = |level: &Level, wanted| level.leaning == wanted;
        let first_broken =
            levels.iter().find(|l| leaning(l, Leaning::Broke)).map_or(f64::INFINITY, |l| l.rate);
        let last_held =
            levels.iter().rev().find(|l| leaning(l, Leaning::Held)).map_or(0.0, |l| l.rate);
        let last_turn = levels.iter().filter(|l| l.turned).map(|l| l.last).max().unwrap_or(0);
        let agreed = |wanted| move |l: &&Level| leaning(l, wanted) && l.agreed();
        let held = levels
            .iter()
            .rev()
            .filter(agreed(Leaning::Held))
            .filter(|l| l.last >= last_turn)
            .find(|l| l.rate < first_broken)
            .map(|l| l.rate);
        let broke = levels
            .iter()
            .filter(agreed(Leaning::Broke))
            .find(|l| l.rate > last_held)
            .map(|l| l.rate);
        let where_it_matters = |level: &&Level| {
            level.rate > held.unwrap_or(0.0) && broke.is_none_or(|broke| level.rate < broke)
        };
        let ceiling = levels
            .iter()
            .filter(|l| leaning(l, Leaning::Ceiling))
            .find(where_it_matters)
            .map(|l| l.rate);
        Self {
            held,
            broke,
            ceiling,
            highest_probed: levels
                .iter()
                .rev()
                .find(|l| matches!(l.leaning, Leaning::Held | Leaning::Broke))
                .map(|l| l.rate),
            contradictions: contradictions(&levels),
            split: levels.iter().filter(|l| !l.agreed()).map(|l| l.rate).collect(),
            complete,
        }
    }

    /// Whether the generator, and not the server, is why no more is known.
    pub const fn generator_limited(&self) -> bool {
        self.ceiling.is_some()
    }
}

impl fmt::Display for Capacity {
    /// In sentences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.held, self.broke, self.highest_probed) {
            (Some(held), Some(broke), _) => write!(f, "held at {held}/s, broke at {broke}/s")?,
            (Some(held), None, Some(highest)) if same(held, highest) => {
                write!(f, "held up to {held}/s, the highest rate probed")?;
            }
            (Some(held), None, _) => write!(f, "held at {held}/s, no rate surely broken")?,
            (None, Some(broke), _) => {
                write!(
                    f,
                    "no rate found that holds; broke at {broke}/s, the lowest that surely does"
                )?;
            }
            (None, None, Some(_)) => f.write_str("no rate that surely holds or breaks")?,
            (None, None, None) => f.write_str("no valid probe")?,
        }
        if let Some(ceiling) = self.ceiling {
            write!(
                f,
                "; the generator could not produce {ceiling}/s: this is its limit, not the server's"
            )?;
        }
        for Contradiction { broke, held } in &self.contradictions {
            match same(*broke, *held) {
                true => write!(f, "; {held}/s held at first, and not after an overload")?,
                false => write!(f, "; broke at {broke}/s although it held at {held}/s")?,
            }
        }
        if !self.split.is_empty() {
            let split: Vec<_> = self.split.iter().map(|rate| format!("{rate}/s")).collect();
            write!(f, "; repeats did not agree at {}", split.join(", "))?;
        }
        if self.complete { Ok(()) } else { f.write_str("; the search was not finished") }
    }
}

/// Which way a level points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaning {
    /// Most valid probes held.
    Held,
    /// At least half of them broke.
    Broke,
    /// Too many of them were invalid.
    Ceiling,
    /// It is not known yet: the level is under way.
    Open,
}

/// All probes at one rate.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub rate: f64,
    pub leaning: Leaning,
    /// Whether it was asked again.
    pub confirmed: bool,
    /// Position after its last probe in the list of all.
    last: usize,
    held: u32,
    broke: u32,
    /// It held at first, and did not when it was asked again.
    turned: bool,
}

impl Level {
    /// Whether all its valid probes say the same.
    const fn agreed(&self) -> bool {
        self.held == 0 || self.broke == 0
    }
}

/// The levels, by rising rate. One under way is among them.
pub(super) fn levels(probed: &[Probed], repeats: u32) -> Vec<Level> {
    let mut rates: Vec<f64> = probed.iter().map(|p| p.probe.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup_by(|a, b| same(*a, *b));
    rates.into_iter().map(|rate| level(rate, probed, repeats)).collect()
}

fn level(rate: f64, probed: &[Probed], repeats: u32) -> Level {
    let mut counts = [Counts::default(); 2];
    let mut last = 0;
    for (index, Probed { probe, outcome }) in probed.iter().enumerate() {
        if !same(probe.rate, rate) {
            continue;
        }
        last = index + 1;
        let pass = &mut counts[usize::from(probe.purpose == Purpose::Confirm)];
        match outcome {
            ProbeOutcome::Held => pass.held += 1,
            ProbeOutcome::Broke { .. } => pass.broke += 1,
            ProbeOutcome::Invalid { .. } => pass.invalid += 1,
        }
    }
    let [first, again] = counts;
    let (held, broke) = (first.held + again.held, first.broke + again.broke);
    let turned = first.held > first.broke && again.broke > 0 && again.broke >= again.held;
    let leaning = match () {
        () if first.held + first.broke < repeats && first.invalid > repeats => Leaning::Ceiling,
        () if first.held + first.broke < repeats => Leaning::Open,
        () if held > broke && !turned => Leaning::Held,
        () => Leaning::Broke,
    };
    let confirmed = again.held + again.broke + again.invalid > 0;
    Level { rate, leaning, confirmed, last, held, broke, turned }
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    held: u32,
    broke: u32,
    invalid: u32,
}

fn contradictions(levels: &[Level]) -> Vec<Contradiction> {
    let turned = levels.iter().filter(|level| level.turned);
    let mut found: Vec<_> =
        turned.map(|level| Contradiction { broke: level.rate, held: level.rate }).collect();
    let last_held = levels.iter().rev().find(|level| level.leaning == Leaning::Held);
    let broken = levels.iter().filter(|level| level.leaning == Leaning::Broke);
    for level in broken {
        let above = last_held.filter(|held| held.rate > level.rate);
        found.extend(above.map(|held| Contradiction { broke: level.rate, held: held.rate }));
    }
    found
}

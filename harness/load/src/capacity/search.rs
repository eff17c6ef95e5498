//! Which probe comes next.

use super::answer::{Leaning, Level, levels};
use super::{Capacity, Probe, ProbeOutcome, Probed, Purpose};

/// How many levels are asked again at most, for each rung of the climb: its two
/// ends. Only a server whose answers keep turning needs more than two in all.
const CONFIRMATIONS_A_RUNG: u32 = 2;

/// Steps of a rounded rate in the gap that it halves: rounding moves the middle
/// by a twentieth of the gap at most.
const STEPS_IN_GAP: f64 = 10.0;

/// What is left of a gap after one halving, at worst: half, and the rounding.
const LEFT_OF_GAP: f64 = 0.5 + 0.5 / STEPS_IN_GAP;

/// Finest and coarsest resolution.
const RESOLUTIONS: std::ops::RangeInclusive<f64> = 0.001..=1.0;

/// Most repeats of a level.
const MOST_REPEATS: u32 = 100;

/// Where to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchSpec {
    /// The first rate, in operations a second.
    pub from: f64,
    /// No rate above this is probed.
    pub up_to: f64,
    /// How close the ends may be brought: the search is over once the gap is
    /// at most this share of the rate that held.
    pub resolution: f64,
    /// Valid probes at each rate.
    pub repeats: u32,
}

/// A search cannot be made of these numbers.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BadSearch {
    /// The range of rates is none.
    #[error(
        "searching a capacity from {from}/s up to {up_to}/s: the first rate must be above zero, \
         and the last not below it"
    )]
    Range {
        /// The first rate.
        from: f64,
        /// The last rate.
        up_to: f64,
    },
    /// The resolution is out of range.
    #[error("searching a capacity to {0} of itself: a resolution is from 0.001 to 1")]
    Resolution(f64),
    /// Too few or too many repeats.
    #[error("probing each rate {0} times: it takes from 1 to {MOST_REPEATS} repeats")]
    Repeats(u32),
}

/// A search under way.
#[derive(Debug, Clone)]
pub struct Search {
    spec: SearchSpec,
    probed: Vec<Probed>,
}

impl Search {
    /// A search that has not begun.
    ///
    /// # Errors
    /// If `spec` makes no sense.
    pub fn new(spec: SearchSpec) -> Result<Self, BadSearch> {
        let SearchSpec { from, up_to, resolution, repeats } = spec;
        if !(from.is_normal() && from > 0.0 && up_to.is_finite() && from <= up_to) {
            return Err(BadSearch::Range { from, up_to });
        }
        if !RESOLUTIONS.contains(&resolution) {
            return Err(BadSearch::Resolution(resolution));
        }
        if repeats == 0 || repeats > MOST_REPEATS {
            return Err(BadSearch::Repeats(repeats));
        }
        Ok(Self { spec, probed: Vec::new() })
    }

    /// The probe to make now; none if the search is over.
    pub fn next(&self) -> Option<Probe> {
        let (rate, purpose) = self.unfinished().or_else(|| self.aim())?;
        let before = self.probed.iter().filter(|p| same(p.probe.rate, rate)).count();
        Some(Probe { rate, number: u32::try_from(before + 1).unwrap_or(u32::MAX), purpose })
    }

    /// Notes what came of the probe that [`Self::next`] names. Nothing if the
    /// search is over.
    pub fn record(&mut self, outcome: ProbeOutcome) {
        if let Some(probe) = self.next() {
            self.probed.push(Probed { probe, outcome });
        }
    }

    /// Every probe that was made, in order.
    pub fn probed(&self) -> &[Probed] {
        &self.probed
    }

    /// What is known by now.
    pub fn capacity(&self) -> Capacity {
        Capacity::of(&self.probed, self.spec.repeats, self.next().is_none())
    }

    /// How many probes it takes if each is valid and both ends stand: at most so
    /// many.
    pub fn planned_probes(&self) -> u32 {
        (self.rungs() + self.halvings() + 2) * self.spec.repeats
    }

    /// How many probes it takes whatever comes of them: at most so many.
    pub fn most_probes(&self) -> u32 {
        let confirmations = self.confirmations();
        let passes = self.rungs() + (confirmations + 1) * self.halvings() + confirmations;
        passes * (2 * self.spec.repeats + 1)
    }

    /// The level under way, if it needs more probes.
    fn unfinished(&self) -> Option<(f64, Purpose)> {
        let last = self.probed.last()?.probe;
        let pass = |p: &&Probed| same(p.probe.rate, last.rate) && p.probe.purpose == last.purpose;
        let invalid = |p: &&Probed| matches!(p.outcome, ProbeOutcome::Invalid { .. });
        let (invalid, valid): (Vec<_>, Vec<_>) = self.probed.iter().filter(pass).partition(invalid);
        let repeats = usize::try_from(self.spec.repeats).unwrap_or(usize::MAX);
        // As many invalid ones are forgiven as valid ones are wanted.
        let goes_on = valid.len() < repeats && invalid.len() <= repeats;
        goes_on.then_some((last.rate, last.purpose))
    }

    /// The rate to turn to when the one before is done with.
    fn aim(&self) -> Option<(f64, Purpose)> {
        let levels = levels(&self.probed, self.spec.repeats);
        if let Some(rung) = self.next_rung(&levels) {
            return Some((rung, Purpose::Climb));
        }
        let low = levels.iter().rev().find(|level| level.leaning == Leaning::Held)?;
        let high = levels.iter().find(|level| level.rate > low.rate)?;
        if high.rate - low.rate > self.spec.resolution * low.rate {
            return Some((middle(low.rate, high.rate), Purpose::Halve));
        }
        // The held end comes last, when the server has been overloaded.
        let end = [high, low].into_iter().find(|level| self.to_be_confirmed(level, &levels))?;
        Some((end.rate, Purpose::Confirm))
    }

    /// The next rung of the climb, unless it is over: two in a row that broke,
    /// or one that the generator cannot produce, end it.
    fn next_rung(&self, levels: &[Level]) -> Option<f64> {
        let mut broken_in_a_row = 0;
        for rung in rungs(&self.spec) {
            match levels.iter().find(|level| same(level.rate, rung)).map(|level| level.leaning) {
                None => return Some(rung),
                Some(Leaning::Held) => broken_in_a_row = 0,
                Some(Leaning::Broke) => broken_in_a_row += 1,
                // An open level is `unfinished`, and does not come this far.
                Some(Leaning::Ceiling | Leaning::Open) => return None,
            }
            if broken_in_a_row == 2 {
                return None;
            }
        }
        None
    }

    /// Whether `level`, an end of the gap, is to be asked again.
    fn to_be_confirmed(&self, level: &Level, levels: &[Level]) -> bool {
        let confirmed = levels.iter().filter(|level| level.confirmed).count();
        let left = confirmed < usize::try_from(self.confirmations()).unwrap_or(usize::MAX);
        let something_broke = levels.iter().any(|level| level.leaning == Leaning::Broke);
        let answered = level.leaning != Leaning::Ceiling;
        left && something_broke && answered && !level.confirmed
    }

    fn confirmations(&self) -> u32 {
        CONFIRMATIONS_A_RUNG * self.rungs()
    }

    fn rungs(&self) -> u32 {
        u32::try_from(rungs(&self.spec).count()).unwrap_or(u32::MAX)
    }

    /// How many halvings bring the gap of two rungs to the resolution.
    fn halvings(&self) -> u32 {
        let mut gap = 1.0;
        let mut halvings = 0;
        while gap > self.spec.resolution {
            gap *= LEFT_OF_GAP;
            halvings += 1;
        }
        halvings
    }
}

/// The rates of the climb: each twice the one before, the last `up_to`.
fn rungs(spec: &SearchSpec) -> impl Iterator<Item = f64> {
    let up_to = spec.up_to;
    let doubled = move |rate: &f64| (*rate < up_to).then(|| (rate * 2.0).min(up_to));
    std::iter::successors(Some(spec.from), doubled)
}

/// The middle between two rates, rounded to a number that people would choose.
fn middle(low: f64, high: f64) -> f64 {
    let exponent = ((high - low) / STEPS_IN_GAP).log10().floor();
    let middle = f64::midpoint(low, high);
    // Powers of ten below one are not exact; their inverses are.
    let rounded = match 10f64.powf(exponent.abs()) {
        per_one if exponent < 0.0 => (middle * per_one).round() / per_one,
        step => (middle / step).round() * step,
    };
    if low < rounded && rounded < high { rounded } else { middle }
}

/// Whether two rates are one level. Rates are passed around, not computed
/// anew, so that they are equal to the bit.
pub(super) fn same(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq()
}

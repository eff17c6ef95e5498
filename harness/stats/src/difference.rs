//! Two runs: difference, ratio, and the smallest effect that would have been
//! seen.
//!
//! Both runs' draws say where their true value may lie; as the runs are
//! independent, the difference of any draw of the one and any draw of the
//! other says where the true difference may lie. An interval of the difference
//! that does not hold 0 shows a difference at the 5 % level.

use crate::estimate::{Estimate, Interval, ends};
use crate::{Z80, Z95};

/// A statistic of run B against the same statistic of run A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// B less A.
    pub difference: f64,
    /// Its 95 % interval.
    pub interval: Interval,
    /// B over A; none if A may be 0 or less.
    pub ratio: Option<f64>,
    /// Its 95 % interval.
    pub ratio_interval: Option<Interval>,
    /// The smallest true difference that runs as variable as these two would
    /// show 8 times of 10 at the 5 % level: (1.96 + 0.84) standard errors of
    /// the difference (for example Cohen 1988).
    pub detectable: f64,
}

impl Difference {
    /// B against A; none unless both have an interval.
    pub fn of(a: &Estimate, b: &Estimate) -> Option<Self> {
        if a.interval.is_err() || b.interval.is_err() {
            return None;
        }
        // Half a turn apart: two runs of the same length and seed draw the
        // same blocks in the same draw, which would look like dependence.
        let turned = b.draws.iter().cycle().skip(b.draws.len() / 2);
        let pairs: Vec<(f64, f64)> = a.draws.iter().copied().zip(turned.copied()).collect();
        let of = |f: fn((f64, f64)) -> f64| ends(&pairs.iter().copied().map(f).collect::<Vec<_>>());
        let interval = of(|(a, b)| b - a);
        let positive = a.value > 0.0 && a.draws.iter().all(|draw| *draw > 0.0);
        Some(Self {
            difference: b.value - a.value,
            interval,
            ratio: positive.then(|| b.value / a.value),
            ratio_interval: positive.then(|| of(|(a, b)| b / a)),
            detectable: (Z95 + Z80) * interval.error(),
        })
    }

    /// Whether a difference is shown at the 5 % level.
    pub fn shown(&self) -> bool {
        !self.interval.holds(0.0)
    }
}

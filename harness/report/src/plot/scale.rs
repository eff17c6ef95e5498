//! Where values lie on an axis, and which of them are written beside it.

use std::ops::Range;

use kab_verdict::Nanos;
use kab_verdict::value::grouped;

/// An axis: a range of positions, and what is written at some of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub range: Range<f64>,
    pub ticks: Vec<(f64, String)>,
}

/// Where a length of time lies on a logarithmic axis. Below a microsecond
/// everything lies at the edge.
pub(crate) fn log(length: Nanos) -> f64 {
    (length.0 as f64).max(1_000.0).log10()
}

/// A logarithmic axis of time for values between `low` and `high`.
pub(crate) fn durations(values: impl Iterator<Item = Nanos>) -> Axis {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.map(log) {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high {
        (low, high) = (6.0, 9.0);
    }
    // Whole steps of 1, 2, 5 around the values.
    let steps: Vec<f64> = (3..16)
        .flat_map(|decade| [1.0, 2.0, 5.0].map(|d: f64| d.log10() + f64::from(decade)))
        .collect();
    let from = steps.iter().rev().copied().find(|s| *s <= low - 0.01).unwrap_or(3.0);
    let to = steps.iter().copied().find(|s| *s >= high + 0.01).unwrap_or(16.0);
    let dense = to - from < 2.6;
    let is_decade = |step: &f64| (step - step.round()).abs() < 1e-9;
    let ticks = steps
        .into_iter()
        .filter(|s| (from - 1e-9..=to + 1e-9).contains(s))
        .filter(|s| dense || is_decade(s))
        .map(|s| (s, label(s)))
        .collect();
    Axis { range: from..to, ticks }
}

/// `20 ms` for a position on a logarithmic axis.
fn label(position: f64) -> String {
    let nanos = 10f64.powf(position);
    let (value, unit) = match position + 1e-9 {
        p if p < 6.0 => (nanos / 1e3, "µs"),
        p if p < 9.0 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    format!("{value:.0} {unit}")
}

/// A linear axis from 0 to at least `high`, with about `wanted` round ticks.
pub(crate) fn linear(high: f64, wanted: u32, unit: &str) -> Axis {
    let high = if high > 0.0 { high } else { 1.0 };
    let rough = high / f64::from(wanted);
    let size = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * size >= rough * 0.999);
    let step = factor.unwrap_or(10.0) * size;
    let decimals = if step < 0.1 {
        2
    } else if step < 1.0 {
        1
    } else {
        0
    };
    let mut ticks = Vec::new();
    let mut at = 0.0;
    while at <= high + step * 0.001 {
        ticks.push((at, format!("{}{unit}", thousands(format!("{at:.decimals$}")))));
        at += step;
    }
    Axis { range: 0.0..high, ticks }
}

/// A whole number with its thousands set apart; any other as it is.
fn thousands(text: String) -> String {
    text.parse().map_or(text, grouped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn an_axis_of_time_encloses_its_values() {
        let axis = durations([Nanos(3_000_000), Nanos(70_000_000)].into_iter());
        assert_eq!(labels(&axis), ["2 ms", "5 ms", "10 ms", "20 ms", "50 ms", "100 ms"]);
        let wide = durations([Nanos(300_000), Nanos(7_000_000_000)].into_iter());
        assert_eq!(labels(&wide), ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert!(!durations(std::iter::empty()).ticks.is_empty());
    }

    #[test]
    fn a_linear_axis_has_round_ticks() {
        assert_eq!(labels(&linear(20.0, 5, " s")), ["0 s", "5 s", "10 s", "15 s", "20 s"]);
        assert_eq!(labels(&linear(0.0, 2, "")), ["0.0", "0.5", "1.0"]);
        assert_eq!(labels(&linear(137.0, 4, "")), ["0", "50", "100"]);
        assert_eq!(labels(&linear(3000.0, 3, " s")), ["0 s", "1,000 s", "2,000 s", "3,000 s"]);
    }
}

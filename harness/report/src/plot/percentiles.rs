//! Percentile curves: how rare is how long.

use kab_verdict::distribution::CurvePoint;
use kab_verdict::interval::Range;
use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{Frame, Margins};
use super::scale::{Axis, durations, log};
use super::{FIRST, Plot, PlotError, SECOND, THIRD, both};

/// The 95 % interval of a percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Whisker {
    /// Which curve it belongs to, from 0.
    pub curve: usize,
    /// Which share of the samples.
    pub quantile: f64,
    /// Where it may lie.
    pub range: Range,
}

/// Draws each of `curves`, at most three, with its name at its end, and the
/// interval of a percentile as a line up and down. The x axis gives each
/// tenfold of rarity the same width.
pub fn percentiles(
    curves: &[(&str, &[CurvePoint])],
    whiskers: &[Whisker],
) -> Result<Plot, PlotError> {
    let rarity = |quantile: f64| -(1.0 - quantile).max(1e-9).log10();
    let values = || curves.iter().flat_map(|(_, curve)| curve.iter());
    let ends = whiskers.iter().flat_map(|whisker| [whisker.range.low, whisker.range.high]);
    let y = durations(values().map(|point| point.value).chain(ends));
    let last = values().map(|point| rarity(point.quantile)).fold(1.0, f64::max);
    let ticks = [(0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %")];
    let shown = ticks.into_iter().map(|(quantile, label)| (rarity(quantile), label.to_owned()));
    let ticks = shown.filter(|(at, _)| *at <= last + 0.01).collect();
    let x = Axis { range: 0.0..last, ticks };
    both(340, 300, |svg, size| {
        let right = if size.narrow { 28 } else { 90 };
        let margins = Margins { top: 30, right, bottom: 46, left: 62 };
        let frame = Frame::new(svg, size, margins, &x, &y)?;
        frame.y_title("time")?;
        frame.x_title("share of operations that took at most this long")?;
        for whisker in whiskers {
            // Side by side, so that none hides another.
            let aside = (whisker.curve as f64 - 1.0) * 0.012 * last;
            let at = (rarity(whisker.quantile) + aside).clamp(0.0, last);
            let colour = [FIRST, SECOND, THIRD][whisker.curve.min(2)];
            let (low, high) = (log(whisker.range.low), log(whisker.range.high));
            let half = 0.006 * last;
            frame.line(&[(at, low), (at, high)], colour, 2)?;
            for end in [low, high] {
                let (from, to) = ((at - half).max(0.0), (at + half).min(last));
                frame.line(&[(from, end), (to, end)], colour, 2)?;
            }
        }
        let mut names = Vec::new();
        for ((name, curve), colour) in curves.iter().zip([FIRST, SECOND, THIRD]) {
            let at = |point: &CurvePoint| (rarity(point.quantile), log(point.value));
            let points: Vec<_> = curve.iter().map(at).collect();
            frame.line(&points, colour, 2)?;
            names.extend(points.last().map(|end| (*end, *name, colour)));
        }
        // On a narrow drawing the legend has to do.
        if !size.narrow {
            for ((x, y), name, colour) in apart(names, (y.range.end - y.range.start) * LINE) {
                frame.text((x, y), (8, 0), name, colour, HPos::Left, VPos::Center)?;
            }
        }
        frame.finish()
    })
}

/// Height of a line of text, as a share of the wide plot's.
const LINE: f64 = 0.06;

/// A name to be written at a place.
type Label<'a> = ((f64, f64), &'a str, RGBColor);

/// Moves `labels` up until each is at least `gap` above the one below it.
fn apart(mut labels: Vec<Label<'_>>, gap: f64) -> Vec<Label<'_>> {
    labels.sort_by(|a, b| a.0.1.total_cmp(&b.0.1));
    let mut floor = f64::NEG_INFINITY;
    for ((_, y), ..) in &mut labels {
        *y = y.max(floor);
        floor = *y + gap;
    }
    labels
}

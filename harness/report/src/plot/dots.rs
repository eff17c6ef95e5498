//! Dots with their intervals, a row for each of several things, on one axis of
//! time.

use kab_verdict::Nanos;
use kab_verdict::interval::Range;
use plotters::element::{Circle, TriangleMarker};
use plotters::style::Color;

use super::frame::{Frame, Margins};
use super::scale::{Axis, durations, log};
use super::{FIRST, Plot, PlotError, SECOND, both};

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    /// In which row, from 0 at the top.
    pub row: usize,
    /// Of which of the two series: 0 is drawn as a dot, 1 as a triangle.
    pub series: usize,
    /// Where.
    pub value: Nanos,
    /// How sure, if that is known.
    pub range: Option<Range>,
}

/// Height of a row, in pixels.
const ROW: u32 = 46;

/// Draws `dots` in rows called `names`.
pub fn dots(names: &[&str], dots: &[Dot]) -> Result<Plot, PlotError> {
    let ends = dots.iter().filter_map(|dot| dot.range).flat_map(|range| [range.low, range.high]);
    let x = durations(dots.iter().map(|dot| dot.value).chain(ends));
    let count = u32::try_from(names.len()).unwrap_or(1).max(1);
    // Upwards is more, and the first name is to be on top.
    let middle = |row: usize| f64::from(count) - row as f64 - 0.5;
    let labels = names.iter().enumerate().map(|(row, name)| (middle(row), (*name).to_owned()));
    let y = Axis { range: 0.0..f64::from(count), ticks: labels.collect() };
    let height = 60 + ROW * count;
    both(height, height, |svg, size| {
        let margins = Margins { top: 10, right: 28, bottom: 50, left: 118 };
        let x = if size.narrow { sparse(&x) } else { x.clone() };
        let frame = Frame::new(svg, size, margins, &x, &y)?;
        frame.x_title("time since the write was due")?;
        for dot in dots {
            let (colour, aside) = if dot.series == 0 { (FIRST, 0.17) } else { (SECOND, -0.17) };
            let at = (log(dot.value), middle(dot.row) + aside);
            if let Some(range) = dot.range {
                let (low, high) = (log(range.low), log(range.high));
                frame.line(&[(low, at.1), (high, at.1)], colour, 2)?;
                for end in [low, high] {
                    frame.line(&[(end, at.1 - 0.07), (end, at.1 + 0.07)], colour, 2)?;
                }
            }
            if dot.series == 0 {
                frame.area.draw(&Circle::new(at, 5, colour.filled()))?;
            } else {
                frame.area.draw(&TriangleMarker::new(at, 7, colour.filled()))?;
            }
        }
        frame.finish()
    })
}

/// Every other tick, where there are many.
fn sparse(axis: &Axis) -> Axis {
    let step = axis.ticks.len().div_ceil(4).max(1);
    let ticks = axis.ticks.iter().step_by(step).cloned().collect();
    Axis { range: axis.range.clone(), ticks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_drawn_and_an_interval_only_where_there_is_one() {
        let range = Some(Range { low: Nanos(4_000_000), high: Nanos(7_000_000) });
        let dot = |row, series, range| Dot { row, series, value: Nanos(5_000_000), range };
        let plot = dots(&["naive", "conventional"], &[dot(0, 0, range), dot(1, 1, None)]).unwrap();
        for drawing in [&plot.wide, &plot.narrow] {
            let drawn = |what: &str| drawing.content.matches(what).count();
            assert_eq!((drawn("<circle"), drawn("<polygon")), (1, 1), "{}", drawing.content);
            assert!(drawing.content.contains("conventional"));
            assert!(!drawing.content.contains('#'), "a colour of its own");
        }
        let bare = dots(&["naive", "conventional"], &[dot(0, 0, None), dot(1, 1, None)]).unwrap();
        let lines = |plot: &Plot| plot.wide.content.matches("<polyline").count();
        assert_eq!(lines(&plot), lines(&bare) + 3);
    }
}

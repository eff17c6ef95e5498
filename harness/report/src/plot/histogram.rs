//! Histograms of time: one filled, one as an outline over it.

use kab_verdict::distribution::Bin;
use plotters::element::Rectangle;
use plotters::style::Color;

use super::frame::{Frame, Margins};
use super::scale::{durations, linear, log};
use super::{FIRST, Plot, PlotError, SECOND, both};

/// Draws `filled` as bars and `outline` as a line over them.
pub fn histogram(filled: &[Bin], outline: &[Bin]) -> Result<Plot, PlotError> {
    let all = || filled.iter().chain(outline);
    let x = durations(all().flat_map(|bin| [bin.from, bin.to]));
    let most = all().map(|bin| bin.count).max().unwrap_or(0);
    let mut y = linear(most as f64, 4, "");
    y.range.end *= 1.05;
    y.ticks.retain(|(at, _)| at.fract() == 0.0);
    both(260, 250, |svg, size| {
        let mut x = x.clone();
        if size.narrow && x.ticks.len() > 5 {
            thin(&mut x.ticks);
        }
        let margins = Margins { top: 30, right: 28, bottom: 46, left: 62 };
        let frame = Frame::new(svg, size, margins, &x, &y)?;
        frame.y_title("operations")?;
        frame.x_title("time, logarithmic")?;
        for bin in filled.iter().filter(|bin| bin.count > 0) {
            let corners = [(log(bin.from), 0.0), (log(bin.to), bin.count as f64)];
            frame.area.draw(&Rectangle::new(corners, FIRST.mix(0.55).filled()))?;
        }
        let mut steps = Vec::new();
        for bin in outline {
            let count = bin.count as f64;
            steps.extend([(log(bin.from), count), (log(bin.to), count)]);
        }
        if let (Some(first), Some(last)) = (steps.first().copied(), steps.last().copied()) {
            steps.insert(0, (first.0, 0.0));
            steps.push((last.0, 0.0));
        }
        frame.line(&steps, SECOND, 2)?;
        frame.finish()
    })
}

/// Leaves out every other tick.
fn thin(ticks: &mut Vec<(f64, String)>) {
    let mut keep = false;
    ticks.retain(|_| {
        keep = !keep;
        keep
    });
}

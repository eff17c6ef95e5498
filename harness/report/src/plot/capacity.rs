//! The probes of a search: what each measured at its rate, and whether the
//! objective held.

use kab_evidence::capacity::ProbeResult;
use kab_verdict::Nanos;
use kab_verdict::value::{grouped, significant};
use plotters::element::{Circle, Cross, TriangleMarker};
use plotters::style::{Color, RGBColor, ShapeStyle};

use super::frame::{Frame, Margins};
use super::scale::{Axis, durations, log};
use super::{BAD, FIRST, MUTED, Plot, PlotError, both};

/// One probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Operations a second.
    pub rate: f64,
    /// What it measured.
    pub value: Nanos,
    /// What came of it.
    pub outcome: ProbeResult,
}

/// Draws `marks`: a dot held, a triangle broke, a cross says nothing. Upright
/// lines stand at the ends of the interval, `held` and `broke`.
pub fn capacity(
    marks: &[Mark],
    figure: &str,
    held: Option<f64>,
    broke: Option<f64>,
) -> Result<Plot, PlotError> {
    let y = durations(marks.iter().map(|mark| mark.value));
    let x = rates(marks.iter().map(|mark| mark.rate));
    both(340, 300, |svg, size| {
        let margins = Margins { top: 30, right: 28, bottom: 46, left: 62 };
        let frame = Frame::new(svg, size, margins, &x, &y)?;
        frame.y_title(figure)?;
        frame.x_title("operations a second")?;
        for (end, colour) in [(held, FIRST), (broke, BAD)] {
            if let Some(at) = end.map(f64::log10) {
                frame.line(&[(at, frame.y.start), (at, frame.y.end)], colour, 1)?;
            }
        }
        marks.iter().try_for_each(|mark| draw(&frame, mark))?;
        frame.finish()
    })
}

fn draw(frame: &Frame<'_>, mark: &Mark) -> Result<(), PlotError> {
    let at = (mark.rate.log10(), log(mark.value));
    let filled = |colour: RGBColor| colour.mix(0.85).filled();
    match mark.outcome {
        ProbeResult::Held => frame.area.draw(&Circle::new(at, 4, filled(FIRST)))?,
        ProbeResult::Broke => frame.area.draw(&TriangleMarker::new(at, 6, filled(BAD)))?,
        ProbeResult::Invalid => {
            frame.area.draw(&Cross::new(at, 4, ShapeStyle::from(MUTED).stroke_width(2)))?;
        }
    }
    Ok(())
}

/// A logarithmic axis of rates.
fn rates(values: impl Iterator<Item = f64>) -> Axis {
    let (low, high) =
        values.fold((f64::INFINITY, 0.0f64), |(low, high), rate| (low.min(rate), high.max(rate)));
    let (low, high) = if low <= high { (low, high) } else { (1.0, 10.0) };
    let range = low.log10() - 0.08..high.log10() + 0.08;
    let steps = (-9..10).flat_map(|decade| [1.0, 2.0, 5.0].map(|n: f64| n * 10f64.powi(decade)));
    let label = |rate: f64| match format!("{rate:.0}").parse::<u64>() {
        Ok(whole) if rate >= 1.0 => grouped(whole),
        _ => significant(rate),
    };
    let ticks = steps.map(|rate| (rate.log10(), label(rate)));
    let ticks = ticks.filter(|(at, _)| range.contains(at)).collect();
    Axis { range, ticks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_drawn_where_its_rate_is() {
        let axis = rates([50.0, 800.0].into_iter());
        let labels: Vec<_> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["50", "100", "200", "500"]);
        let mark = |rate, outcome| Mark { rate, value: Nanos(5_000_000), outcome };
        let marks = [
            mark(50.0, ProbeResult::Held),
            mark(100.0, ProbeResult::Broke),
            mark(200.0, ProbeResult::Invalid),
        ];
        let plot = capacity(&marks, "response.p99", Some(50.0), Some(100.0)).unwrap();
        let drawn = |what: &str| plot.wide.content.matches(what).count();
        assert_eq!((drawn("<circle"), drawn("<polygon")), (1, 1), "{}", plot.wide.content);
        assert!(!plot.wide.content.contains('#'), "a colour of its own");
    }
}

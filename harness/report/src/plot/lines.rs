//! Lines over the time of a cell, with the steps marked.

use kab_verdict::Nanos;
use kab_verdict::server::{Line, OverTime};
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::frame::{Frame, Margins, TEXT};
use super::scale::{Axis, durations, linear, log};
use super::{BAD, FIRST, GRID, MUTED, OPEN, Plot, PlotError, SECOND, Size, THIRD, both};

/// Colours of the lines, in order, as CSS class and as role.
const COLOURS: [(&str, RGBColor); 5] =
    [("s1", FIRST), ("s2", SECOND), ("s3", THIRD), ("open", OPEN), ("muted", MUTED)];

/// At most so many lines fit in a plot.
pub const MOST: usize = COLOURS.len();

/// The CSS class of line `i`.
pub fn line_class(i: usize) -> &'static str {
    COLOURS[i % MOST].0
}

/// What the values of a plot are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Plain numbers.
    Number,
    /// Bytes.
    Bytes,
    /// Seconds, on a logarithmic axis.
    Seconds,
}

/// Draws `lines` over the time of `cell`; `title` stands above the y axis.
pub fn lines(cell: &OverTime, lines: &[Line], unit: Unit, title: &str) -> Result<Plot, PlotError> {
    let values = || lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value));
    let most = values().fold(0.0, f64::max);
    let (y, title, divisor) = match unit {
        Unit::Seconds => (durations(values().map(Nanos::from_seconds)), title.to_owned(), 1.0),
        Unit::Number => (headroom(linear(most * 1.25, 4, "")), title.to_owned(), 1.0),
        Unit::Bytes => {
            let (name, size) = byte_unit(most);
            (headroom(linear(most / size * 1.25, 4, "")), format!("{title}, {name}"), size)
        }
    };
    let place = |value: f64| match unit {
        Unit::Seconds => log(Nanos::from_seconds(value)),
        _ => value / divisor,
    };
    let end = end(cell, lines);
    both(230, 230, |svg, size| {
        let x = linear(end, if size.narrow { 4 } else { 8 }, " s");
        let margins = Margins { top: 30, right: 28, bottom: 46, left: 62 };
        let frame = Frame::new(svg, size, margins, &x, &y)?;
        frame.y_title(&title)?;
        frame.x_title("since the first step began")?;
        background(&frame, cell, end, size)?;
        for (line, (_, colour)) in lines.iter().zip(COLOURS).rev() {
            draw(&frame, line, colour, place)?;
        }
        frame.finish()
    })
}

/// The end of the time axis, in seconds.
fn end(cell: &OverTime, lines: &[Line]) -> f64 {
    let steps = cell.steps.iter().map(|step| step.to.unwrap_or(step.from));
    let points = lines.iter().filter_map(|line| line.points.last()).map(|(at, _)| *at);
    steps.chain(points).map(Nanos::seconds).fold(1.0, f64::max)
}

/// A range that ends at a tick or above; the names of steps stand over the lines.
fn headroom(mut axis: Axis) -> Axis {
    axis.range.end = axis.ticks.last().map_or(axis.range.end, |(at, _)| at.max(axis.range.end));
    axis
}

fn byte_unit(most: f64) -> (&'static str, f64) {
    match most {
        most if most >= 4e9 => ("GiB", f64::from(1 << 30)),
        most if most >= 2e6 => ("MiB", f64::from(1 << 20)),
        _ => ("KiB", 1024.0),
    }
}

/// Steps as lines where they begin, with their names where these fit, and
/// stretches in which a server did not answer as shades.
fn background(frame: &Frame<'_>, cell: &OverTime, end: f64, size: Size) -> Result<(), PlotError> {
    let (low, high) = (frame.y.start, frame.y.end);
    for gap in &cell.gaps {
        let (from, to) = (gap.from.seconds().max(0.0), gap.to.map_or(end, Nanos::seconds));
        let corners = [(from, low), (to.min(end), high)];
        frame.area.draw(&Rectangle::new(corners, BAD.mix(0.14).filled()))?;
    }
    let pixels = f64::from(size.width) - 90.0;
    for step in &cell.steps {
        let (from, to) = (step.from.seconds(), step.to.map_or(end, Nanos::seconds));
        frame.line(&[(from, low), (from, high)], MUTED, 1)?;
        // About the width of a letter.
        let fits = (to - from) / end * pixels > step.name.len() as f64 * TEXT * 0.6 + 8.0;
        if fits {
            frame.text((from, high), (4, 2), &step.name, MUTED, HPos::Left, VPos::Top)?;
        }
    }
    let last = cell.steps.last().and_then(|step| step.to).map(Nanos::seconds);
    if let Some(last) = last.filter(|last| *last < end) {
        frame.line(&[(last, low), (last, high)], GRID, 2)?;
    }
    Ok(())
}

/// A line through the points of `line`, broken where readings are missing.
fn draw(
    frame: &Frame<'_>,
    line: &Line,
    colour: RGBColor,
    place: impl Fn(f64) -> f64,
) -> Result<(), PlotError> {
    let points: Vec<(f64, f64)> = line
        .points
        .iter()
        .filter(|(at, _)| at.0 >= 0)
        .map(|(at, value)| (at.seconds(), place(*value)))
        .collect();
    let mut steps: Vec<f64> = points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    steps.sort_by(f64::total_cmp);
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(0.0);
    for part in points.chunk_by(|a, b| b.0 - a.0 <= usual * 3.5) {
        match part {
            [alone] => frame.area.draw(&Circle::new(*alone, 2, colour.filled()))?,
            _ => frame.area.draw(&PathElement::new(part.to_vec(), colour.stroke_width(2)))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kab_verdict::server::StepSpan;

    #[test]
    fn a_step_is_named_where_its_name_fits_and_missing_readings_break_the_line() {
        let seconds = |s: i64| Nanos(s * 1_000_000_000);
        let step = |name: &str, from, to| StepSpan {
            name: name.into(),
            from: seconds(from),
            to: Some(seconds(to)),
        };
        let cell = OverTime {
            steps: vec![step("write", 0, 99), step("short", 99, 100)],
            ..OverTime::default()
        };
        let points = [0, 2, 4, 6, 60, 62, 64].map(|s| (seconds(s), 1.0)).to_vec();
        let line = Line { name: "etcd".into(), points };
        let plot = lines(&cell, &[line], Unit::Number, "processors").unwrap();
        let drawn = plot.wide.content;
        assert!(drawn.contains("write") && !drawn.contains("short"), "{drawn}");
        assert_eq!(drawn.matches("var(--s1)").count(), 2, "{drawn}");
    }
}

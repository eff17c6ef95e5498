//! What happened over the time of a step.

use kab_verdict::Nanos;
use kab_verdict::timeline::{OutcomeCounts, Point};
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::{Color, RGBColor};

use super::frame::{Frame, Margins};
use super::scale::{durations, linear, log};
use super::{BAD, FIRST, MUTED, OPEN, Plot, PlotError, SECOND, THIRD, both};

/// Draws response times and, if there are any, lags by the time at which each
/// write was due. Buckets are drawn as their median, with a line to the longest.
pub fn latency(response: &[Point], lag: &[Point]) -> Result<Plot, PlotError> {
    let all = || response.iter().chain(lag);
    let y = durations(all().flat_map(|point| [point.p50, point.max]));
    let last = all().map(|point| point.at.seconds()).fold(0.0, f64::max);
    both(340, 300, |svg, size| {
        let x = linear(last, if size.narrow { 4 } else { 8 }, " s");
        let margins = Margins { top: 30, right: 28, bottom: 46, left: 62 };
        let frame = Frame::new(svg, size, margins, &x, &y)?;
        frame.y_title("time")?;
        frame.x_title("when the write was due, since the step began")?;
        for (points, colour) in [(lag, SECOND), (response, FIRST)] {
            draw(&frame, points, colour)?;
        }
        frame.finish()
    })
}

fn draw(frame: &Frame<'_>, points: &[Point], colour: RGBColor) -> Result<(), PlotError> {
    for point in points {
        let (x, y) = (point.at.seconds(), log(point.p50));
        if point.count > 1 {
            let line = vec![(x, y), (x, log(point.max))];
            frame.area.draw(&PathElement::new(line, colour.mix(0.4)))?;
        }
        frame.area.draw(&Circle::new((x, y), 2, colour.mix(0.75).filled()))?;
    }
    Ok(())
}

/// Draws operations by outcome, stacked, by the time at which they were due.
pub fn outcomes(buckets: &[OutcomeCounts], width: Nanos) -> Result<Plot, PlotError> {
    let total = |b: &OutcomeCounts| b.ok + b.failed + b.indeterminate + b.missed;
    let most = buckets.iter().map(total).max().unwrap_or(0);
    let mut y = linear(most as f64, 3, "");
    y.range.end *= 1.05;
    y.ticks.retain(|(at, _)| at.fract() == 0.0);
    let end = buckets.last().map_or(1.0, |bucket| (bucket.at.0 + width.0) as f64 / 1e9);
    both(190, 190, |svg, size| {
        let x = linear(end, if size.narrow { 4 } else { 8 }, " s");
        let margins = Margins { top: 30, right: 28, bottom: 46, left: 62 };
        let frame = Frame::new(svg, size, margins, &x, &y)?;
        frame.y_title(&format!("operations in each {width}"))?;
        frame.x_title("when they were due, since the step began")?;
        for bucket in buckets {
            let from = bucket.at.seconds();
            let (from, to) = (from + width.seconds() * 0.06, from + width.seconds() * 0.94);
            let mut below = 0.0;
            // Of the acknowledged ones, those that no subscriber heard of are apart.
            let told = bucket.ok.saturating_sub(bucket.undelivered);
            for (count, colour) in [
                (told, THIRD),
                (bucket.undelivered, SECOND),
                (bucket.indeterminate, OPEN),
                (bucket.failed, BAD),
                (bucket.missed, MUTED),
            ] {
                if count > 0 {
                    let top = below + count as f64;
                    let corners = [(from, below), (to, top)];
                    frame.area.draw(&Rectangle::new(corners, colour.filled()))?;
                    below = top;
                }
            }
        }
        frame.finish()
    })
}

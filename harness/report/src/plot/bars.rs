//! One chain of segments as a stacked bar of their means.

use kab_verdict::waterfall::Chain;
use plotters::element::Rectangle;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{Frame, Margins};
use super::scale::linear;
use super::{INK, PARTS, Plot, PlotError, both};

/// Draws the mean of each segment of `chain`, one after the other, numbered as
/// in the table beside it. A negative mean is drawn as nothing.
pub fn chain(chain: &Chain) -> Result<Plot, PlotError> {
    let means: Vec<f64> = chain
        .segments
        .iter()
        .map(|segment| segment.mean.unwrap_or_default().0.max(0) as f64 / 1e6)
        .collect();
    let whole: f64 = means.iter().sum();
    both(104, 104, |svg, size| {
        let x = linear(whole, if size.narrow { 4 } else { 8 }, " ms");
        let mut y = linear(1.0, 1, "");
        y.ticks.clear();
        let margins = Margins { top: 10, right: 24, bottom: 46, left: 24 };
        let frame = Frame::new(svg, size, margins, &x, &y)?;
        frame.x_title("mean time since the write was due")?;
        let mut from = 0.0;
        for ((mean, colour), number) in means.iter().zip(PARTS).zip(1..) {
            let to = from + mean;
            let corners = [(from, 0.1), (to, 0.9)];
            frame.area.draw(&Rectangle::new(corners, colour.filled()))?;
            // Only where the number fits.
            let room = if size.narrow { 0.05 } else { 0.025 };
            if *mean > whole * room {
                let at = (from + mean / 2.0, 0.5);
                frame.text(at, (0, 0), &number.to_string(), INK, HPos::Center, VPos::Center)?;
            }
            from = to;
        }
        frame.finish()
    })
}

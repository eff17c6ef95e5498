//! One chain of segments as a stacked bar of their means.

use kab_verdict::waterfall::Chain;
use plotters::element::Rectangle;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{Frame, Margins};
use super::scale::linear;
use super::{INK, PARTS, Plot, PlotError, both};

/// The CSS class of the colour of the segment called `name`: one colour for
/// one part of the system, in both chains.
pub fn swatch(name: &str) -> &'static str {
    SWATCHES[part(name)]
}

const SWATCHES: [&str; 7] = ["p1", "p2", "p3", "p4", "p5", "p6", "p7"];

fn part(name: &str) -> usize {
    match name {
        "queue" => 0,
        "toGateway" => 1,
        "gateway" | "toWebhook" => 2,
        "store" | "storeAndWatch" => 3,
        "webhookHop" | "webhook" => 4,
        "rules" => 5,
        _ => 6,
    }
}

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
        for ((mean, segment), number) in means.iter().zip(&chain.segments).zip(1..) {
            let colour = PARTS[part(&segment.name)];
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

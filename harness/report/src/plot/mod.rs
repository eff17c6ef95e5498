//! Plots as inline SVG that take their colours from the page.
//!
//! plotters writes fixed colours; each colour used here stands for one role,
//! and is replaced by the CSS variable of that role, so that one SVG serves
//! light, dark and print. Every plot is drawn twice, for wide and for narrow
//! screens, so that its text keeps a readable size.

mod bars;
mod capacity;
mod dots;
mod frame;
mod histogram;
mod lines;
mod overtime;
mod percentiles;
mod scale;

pub use bars::{chain, swatch};
pub use capacity::{Mark, capacity};
pub use dots::{Dot, dots};
pub use histogram::histogram;
pub use lines::{MOST, Unit, line_class, lines};
pub use overtime::{latency, outcomes};
pub use percentiles::{Whisker, percentiles};

use plotters::style::RGBColor;

/// Names a colour's role; the colour itself is replaced.
const fn role(n: u8) -> RGBColor {
    RGBColor(0xC0, 0xDE, n)
}

/// Roles of colours, with the CSS variable that each stands for.
const ROLES: [(RGBColor, &str); 15] = [
    (INK, "ink"),
    (MUTED, "muted"),
    (GRID, "grid"),
    (FIRST, "s1"),
    (SECOND, "s2"),
    (THIRD, "s3"),
    (BAD, "bad"),
    (OPEN, "open"),
    (PARTS[0], "p1"),
    (PARTS[1], "p2"),
    (PARTS[2], "p3"),
    (PARTS[3], "p4"),
    (PARTS[4], "p5"),
    (PARTS[5], "p6"),
    (PARTS[6], "p7"),
];

const INK: RGBColor = role(0);
const MUTED: RGBColor = role(1);
const GRID: RGBColor = role(2);
const FIRST: RGBColor = role(3);
const SECOND: RGBColor = role(4);
const THIRD: RGBColor = role(5);
const BAD: RGBColor = role(6);
const OPEN: RGBColor = role(7);
const PARTS: [RGBColor; 7] = [role(11), role(12), role(13), role(14), role(15), role(16), role(17)];

/// A plot for wide and for narrow screens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// For at least 640 pixels, and for paper.
    pub wide: Drawing,
    /// For less.
    pub narrow: Drawing,
}

impl Plot {
    /// Each drawing, with the CSS class that shows it where it belongs.
    pub fn drawings(&self) -> [(&'static str, &Drawing); 2] {
        [("wide", &self.wide), ("narrow", &self.narrow)]
    }
}

/// One SVG, without the element around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Width of the view box.
    pub width: u32,
    /// Height of the view box.
    pub height: u32,
    /// What is in it.
    pub content: String,
}

/// A plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("drawing a plot: {0}")]
pub struct PlotError(String);

impl<E: std::error::Error + Send + Sync> From<plotters::drawing::DrawingAreaErrorKind<E>>
    for PlotError
{
    fn from(error: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

/// How large a drawing is, and whether it is the narrow one.
#[derive(Debug, Clone, Copy)]
struct Size {
    width: u32,
    height: u32,
    narrow: bool,
}

/// Draws a plot `wide` and `narrow` pixels high.
fn both(
    wide: u32,
    narrow: u32,
    draw: impl Fn(&mut String, Size) -> Result<(), PlotError>,
) -> Result<Plot, PlotError> {
    let one = |size: Size| {
        let mut svg = String::new();
        draw(&mut svg, size)?;
        Ok::<_, PlotError>(Drawing {
            width: size.width,
            height: size.height,
            content: themed(&svg),
        })
    };
    Ok(Plot {
        wide: one(Size { width: 800, height: wide, narrow: false })?,
        narrow: one(Size { width: 360, height: narrow, narrow: true })?,
    })
}

/// The content of `svg`, with variables for colours and the page's font.
fn themed(svg: &str) -> String {
    let inner = svg.split_once(">\n").map_or(svg, |(_, rest)| rest);
    let inner = inner.trim_end().trim_end_matches("</svg>");
    let mut content =
        inner.replace(" font-family=\"sans-serif\"", "").replace(" opacity=\"1\"", "");
    for unneeded in [" stroke=\"none\"", " stroke-width=\"1\""] {
        // Circles carry both; lines need theirs.
        content = content
            .lines()
            .map(|line| {
                let plain = line.starts_with("<circle") || line.starts_with("<rect");
                if plain { line.replace(unneeded, "") } else { line.to_owned() }
            })
            .collect::<Vec<_>>()
            .join("\n");
    }
    for (RGBColor(r, g, b), name) in ROLES {
        content = content.replace(&format!("#{r:02X}{g:02X}{b:02X}"), &format!("var(--{name})"));
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_fixed_colour_is_left() {
        let curve = [kab_verdict::distribution::CurvePoint {
            quantile: 0.5,
            value: kab_verdict::Nanos(5_000_000),
        }];
        let plot = percentiles(&[("response", &curve)], &[]).unwrap();
        for drawing in [plot.wide, plot.narrow] {
            assert!(!drawing.content.contains('#'), "{}", drawing.content);
            assert!(drawing.content.contains("var(--s1)"));
            assert!(!drawing.content.contains("svg"));
        }
    }
}

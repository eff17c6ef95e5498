//! The area of a plot with its axes.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{EmptyElement, PathElement, Text};
use plotters::prelude::{Cartesian2d, DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::scale::Axis;
use super::{GRID, MUTED, PlotError, Size};

/// Size of the text, in the drawing's own pixels.
pub(super) const TEXT: f64 = 13.0;
/// plotters divides a font's size by this before it writes it.
const FONT_SCALE: f64 = 1.24;

/// A plot's data area.
pub(super) struct Frame<'a> {
    pub area: DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    pub x: Range<f64>,
    pub y: Range<f64>,
}

/// Space around the data area, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Margins {
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
    pub left: i32,
}

/// The whole drawing.
fn canvas(svg: &mut String, size: Size) -> DrawingArea<SVGBackend<'_>, Shift> {
    SVGBackend::with_string(svg, (size.width, size.height)).into_drawing_area()
}

impl<'a> Frame<'a> {
    /// Draws the axes into `svg`; data are drawn on the frame.
    pub fn new(
        svg: &'a mut String,
        size: Size,
        margins: Margins,
        x: &Axis,
        y: &Axis,
    ) -> Result<Self, PlotError> {
        let root = canvas(svg, size);
        let pixels = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let across = margins.left..pixels(size.width) - margins.right;
        // Pixels count downwards, values upwards.
        let down = pixels(size.height) - margins.bottom..margins.top;
        let coordinates = Cartesian2d::<RangedCoordf64, RangedCoordf64>::new(
            x.range.clone(),
            y.range.clone(),
            (across, down),
        );
        let frame = Self {
            area: root.apply_coord_spec(coordinates),
            x: x.range.clone(),
            y: y.range.clone(),
        };
        for (at, label) in &y.ticks {
            frame.line(&[(frame.x.start, *at), (frame.x.end, *at)], GRID, 1)?;
            frame.text((frame.x.start, *at), (-8, 0), label, MUTED, HPos::Right, VPos::Center)?;
        }
        for (at, label) in &x.ticks {
            frame.line(&[(*at, frame.y.start), (*at, frame.y.end)], GRID, 1)?;
            frame.text((*at, frame.y.start), (0, 8), label, MUTED, HPos::Center, VPos::Top)?;
        }
        Ok(frame)
    }

    /// A line through `points`.
    pub fn line(
        &self,
        points: &[(f64, f64)],
        colour: RGBColor,
        width: u32,
    ) -> Result<(), PlotError> {
        let style = ShapeStyle::from(colour).stroke_width(width);
        Ok(self.area.draw(&PathElement::new(points.to_vec(), style))?)
    }

    /// `text` beside the point `at`, moved by `by` pixels.
    pub fn text(
        &self,
        at: (f64, f64),
        by: (i32, i32),
        text: &str,
        colour: RGBColor,
        across: HPos,
        down: VPos,
    ) -> Result<(), PlotError> {
        let element =
            EmptyElement::at(at) + Text::new(text.to_owned(), by, style(colour, across, down));
        Ok(self.area.draw(&element)?)
    }

    /// What the x axis shows, below its right end.
    pub fn x_title(&self, title: &str) -> Result<(), PlotError> {
        let at = (self.x.end, self.y.start);
        self.text(at, (0, 28), title, MUTED, HPos::Right, VPos::Top)
    }

    /// What the y axis shows, above its upper end.
    pub fn y_title(&self, title: &str) -> Result<(), PlotError> {
        let at = (self.x.start, self.y.end);
        self.text(at, (0, -14), title, MUTED, HPos::Left, VPos::Bottom)
    }

    /// Ends the drawing.
    pub fn finish(self) -> Result<(), PlotError> {
        Ok(self.area.present()?)
    }
}

/// Text of one colour, anchored.
pub(super) fn style(colour: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    let font = ("sans-serif", TEXT * FONT_SCALE).into_font();
    font.color(&colour.to_rgba()).pos(Pos::new(across, down))
}

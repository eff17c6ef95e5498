//! What is wrong with a scenario, and where.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode,
};

use crate::source::Place;

/// At most so many problems are shown.
pub(crate) const SHOWN: usize = 20;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    severity: Severity,
    message: String,
    place: Place,
    label: Option<String>,
    help: Option<String>,
    also: Option<(Place, String)>,
}

impl Problem {
    /// An error at `place`.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        let (place, message) = (place.visible(), message.into());
        Self { severity: Severity::Error, message, place, label: None, help: None, also: None }
    }

    /// Lets the run go on.
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Adds a word under the caret.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to do about it, if anything is known.
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Adds under which circumstances it is one.
    pub fn when(mut self, circumstances: impl fmt::Display) -> Self {
        self.message = format!("{}, {circumstances}", self.message);
        self
    }

    /// Points to a second place of the same source.
    pub fn also(mut self, place: Place, label: impl Into<String>) -> Self {
        self.also = Some((place, label.into()));
        self
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&**self.place.source())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let here = LabeledSpan::new_primary_with_span(self.label.clone(), self.place.range());
        let also = self
            .also
            .as_ref()
            .map(|(place, label)| LabeledSpan::new_with_span(Some(label.clone()), place.range()));
        Some(Box::new([here].into_iter().chain(also)))
    }
}

/// How to draw problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With colours and box-drawing characters, for a terminal.
    Fancy,
    /// With box-drawing characters only: a terminal and `NO_COLOR`.
    Monochrome,
    /// In ASCII, for logs and files.
    Plain,
}

/// Everything that is wrong; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `problems` in the order of the text, one for each place; `Ok` if there
    /// are none.
    pub(crate) fn none_in(mut problems: Vec<Problem>) -> Result<(), Self> {
        // Stable: of several problems at one place, the first found is the cause.
        let key = |p: &Problem| {
            let range = p.place.range();
            (p.place.source().name().to_owned(), range.start, range.end)
        };
        problems.sort_by_cached_key(key);
        problems.dedup_by(|later, first| later.place == first.place);
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// All of them as text, drawn in `style`.
    pub fn render(&self, style: Style) -> String {
        let mut text = render(&self.0[..self.0.len().min(SHOWN)], style);
        if self.0.len() > SHOWN {
            text.push_str(&format!("\n(the first {SHOWN} are shown)\n"));
        }
        text.push_str(&format!("\n{self}\n"));
        text
    }
}

/// `problems` as text, drawn in `style`. For warnings; errors draw themselves.
pub fn render(problems: &[Problem], style: Style) -> String {
    let theme = match style {
        Style::Fancy => GraphicalTheme::unicode(),
        Style::Monochrome => GraphicalTheme::unicode_nocolor(),
        Style::Plain => GraphicalTheme::none(),
    };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_links(false);
    let mut text = String::new();
    for problem in problems {
        if !text.is_empty() {
            text.push('\n');
        }
        if handler.render_report(&mut text, problem).is_err() {
            text.push_str(&format!("{:?}: {problem}\n", problem.place));
        }
    }
    text
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.0.iter().map(|p| p.place.source().name()).collect();
        names.dedup();
        let problems = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "{} {problems} in {}", self.0.len(), names.join(" and "))
    }
}

impl std::error::Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

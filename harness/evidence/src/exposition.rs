//! Reads the Prometheus text format 0.0.4, as the apiserver and etcd write it.
//!
//! An apiserver's page is megabytes, of which a run keeps a small part. So a
//! page is read line by line as it arrives ([`Lines`]), a line's name is found
//! without looking at the rest ([`name`]), and only lines that are wanted are
//! parsed ([`parse`]). Nothing is copied but label values with escapes in them.
//!
//! The format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//! As in Prometheus' own parser, blanks and tabs separate tokens, labels may
//! end in a comma, and an escape is one of `\\`, `\"` and `\n`. Quoted metric
//! names, which a server writes only if asked to, are refused.

mod labels;
#[cfg(test)]
mod tests;

pub use labels::Labels;

/// One line of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Line<'a> {
    /// Nothing but blanks.
    Blank,
    /// `# HELP` or any other comment.
    Comment,
    /// `# TYPE name kind`.
    Type {
        /// The metric.
        name: &'a str,
        /// `counter`, `gauge`, `histogram`, `summary` or `untyped`.
        kind: &'a str,
    },
    /// A sample.
    Sample(Sample<'a>),
}

/// One sample of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The metric's name, with `_bucket`, `_sum` or `_count` for a part of a
    /// histogram.
    pub name: &'a str,
    /// Its labels.
    pub labels: Labels<'a>,
    /// Its value, which may be infinite or not a number.
    pub value: f64,
    /// When the server says it was taken, in milliseconds since 1970.
    pub timestamp_millis: Option<i64>,
}

/// A line is not of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It is not text.
    #[error("it is not UTF-8")]
    NotText,
    /// A metric's or label's name is missing or has letters that no name has.
    #[error("a name is missing, or has letters that names do not have")]
    Name,
    /// The labels are not `{name="value",...}`.
    #[error("the labels are not of the form {{name=\"value\",...}}")]
    Labels,
    /// The value is missing or no number.
    #[error("the value is missing or is no number")]
    Value,
    /// The timestamp is no whole number.
    #[error("the timestamp is not a whole number of milliseconds")]
    Timestamp,
    /// Something follows where the line should end.
    #[error("something follows after the line's end")]
    Trailing,
}

/// The name of the metric that `line` is a sample of; empty if it is none.
/// Says nothing on whether the rest of the line is well formed.
pub fn name(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|&byte| !is_name(byte)).unwrap_or(line.len());
    &line[..end]
}

/// Parses one line, without its newline.
///
/// # Errors
/// If the line is not of the format.
pub fn parse(line: &[u8]) -> Result<Line<'_>, BadLine> {
    let text = std::str::from_utf8(line).map_err(|_| BadLine::NotText)?;
    let text = text.trim_matches([' ', '\t', '\r']);
    if text.is_empty() {
        return Ok(Line::Blank);
    }
    match text.strip_prefix('#') {
        Some(comment) => Ok(self::comment(comment)),
        None => sample(text).map(Line::Sample),
    }
}

fn comment(text: &str) -> Line<'_> {
    let mut words = text.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("TYPE"), Some(name), Some(kind)) => Line::Type { name, kind },
        _ => Line::Comment,
    }
}

fn sample(text: &str) -> Result<Sample<'_>, BadLine> {
    let length = name(text.as_bytes()).len();
    let (name, rest) = text.split_at(length);
    // A digit may not begin a name.
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return Err(BadLine::Name);
    }
    let rest = blanks(rest);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => Labels::parse(inside)?,
        None => (Labels::default(), rest),
    };
    let mut words = rest.split([' ', '\t']).filter(|word| !word.is_empty());
    let value = words.next().ok_or(BadLine::Value)?;
    let value = value.parse().map_err(|_| BadLine::Value)?;
    let timestamp = words.next().map(str::parse).transpose();
    let timestamp_millis = timestamp.map_err(|_| BadLine::Timestamp)?;
    match words.next() {
        Some(_) => Err(BadLine::Trailing),
        None => Ok(Sample { name, labels, value, timestamp_millis }),
    }
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':'
}

/// `text` without the blanks it begins with.
fn blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// Cuts a page that arrives in pieces into lines, keeping no more of it than
/// a line that is not whole yet.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes the next piece; calls `each` for every line that is whole now.
    pub fn feed(&mut self, mut piece: &[u8], mut each: impl FnMut(&[u8])) {
        if !self.rest.is_empty() {
            let Some(end) = newline(piece) else {
                self.rest.extend_from_slice(piece);
                return;
            };
            self.rest.extend_from_slice(&piece[..end]);
            each(&self.rest);
            self.rest.clear();
            piece = &piece[end + 1..];
        }
        while let Some(end) = newline(piece) {
            each(&piece[..end]);
            piece = &piece[end + 1..];
        }
        self.rest.extend_from_slice(piece);
    }

    /// Ends the page: whether its last line was whole. A page that was cut
    /// off ends within a line, which is left out.
    #[must_use]
    pub fn whole(&self) -> bool {
        self.rest.is_empty()
    }
}

fn newline(piece: &[u8]) -> Option<usize> {
    piece.iter().position(|&byte| byte == b'\n')
}

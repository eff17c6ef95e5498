//! The labels of a sample, read again each time they are asked for: most of
//! them never are.

use std::borrow::Cow;
use std::fmt;

use super::{BadLine, blanks};

/// The labels of a sample, as they stand between the braces. They are known
/// to be well formed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Labels<'a>(&'a str);

impl<'a> Labels<'a> {
    /// Parses what follows an opening brace; the labels, and what comes after
    /// the closing brace.
    pub(super) fn parse(text: &'a str) -> Result<(Self, &'a str), BadLine> {
        let mut rest = text;
        loop {
            rest = blanks(rest);
            if let Some(after) = rest.strip_prefix('}') {
                let inside = &text[..text.len() - rest.len()];
                return Ok((Self(inside), after));
            }
            let (_, _, after) = label(rest)?;
            let after = blanks(after);
            rest = match after.strip_prefix(',') {
                Some(next) => next,
                None if after.starts_with('}') => after,
                None => return Err(BadLine::Labels),
            };
        }
    }

    /// Each label's name and value, in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (name, value, after) = label(blanks(rest)).ok()?;
            rest = blanks(after).strip_prefix(',').unwrap_or_default();
            Some((name, unescaped(value)))
        })
    }

    /// The value of the label called `name`.
    pub fn get(self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// One label's name and raw value, and what follows.
fn label(text: &str) -> Result<(&str, &str, &str), BadLine> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let end = text.bytes().position(|byte| !is_name(byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return Err(BadLine::Name);
    }
    let rest = blanks(rest).strip_prefix('=').ok_or(BadLine::Labels)?;
    let quoted = blanks(rest).strip_prefix('"').ok_or(BadLine::Labels)?;
    let end = closing(quoted.as_bytes()).ok_or(BadLine::Labels)?;
    Ok((name, &quoted[..end], &quoted[end + 1..]))
}

/// Where the closing quote is; none if there is none, or a bad escape before.
fn closing(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' if matches!(text.get(at + 1)?, b'\\' | b'"' | b'n') => at += 2,
            b'\\' => return None,
            _ => at += 1,
        }
    }
}

fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => {}
            },
            _ => text.push(letter),
        }
    }
    Cow::Owned(text)
}

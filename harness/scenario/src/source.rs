//! Texts that problems point into: a scenario file, or a `--set` argument.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A text and what to call it.
#[derive(PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// `text`, called `name` in messages.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Start of the line that `offset` is in.
    fn line_start(&self, offset: usize) -> usize {
        self.text[..offset].rfind('\n').map_or(0, |i| i + 1)
    }

    /// End of the line that `offset` is in, without its line break.
    fn line_end(&self, offset: usize) -> usize {
        self.text[offset..].find(['\n', '\r']).map_or(self.text.len(), |i| offset + i)
    }

    /// Line and column of a byte offset, both from 0, columns in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let start = self.line_start(offset);
        (self.text[..start].matches('\n').count(), self.text[start..offset].chars().count())
    }

    fn boundary(&self, offset: usize) -> usize {
        (0..=offset.min(self.text.len()))
            .rev()
            .find(|&i| self.text.is_char_boundary(i))
            .unwrap_or(0)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.name, self.text.len())
    }
}

/// Bytes of a longer line that are shown before and after what is meant.
const CLIP: usize = 100;

/// Shows whole lines, or a part of a line that is too long to read. Columns
/// are in characters; miette's own implementations count bytes.
impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let from = self.boundary(span.offset());
        let to = self.boundary(span.offset() + span.len());
        let (mut start, mut end) = (self.line_start(from), self.line_end(to));
        if end - start > 4 * CLIP {
            start = self.boundary(from.saturating_sub(CLIP)).max(start);
            end = self.boundary(to + CLIP).min(end);
        } else {
            for _ in 0..before.min(start) {
                let earlier = self.line_start(start.saturating_sub(1));
                if start - earlier <= 4 * CLIP {
                    start = earlier;
                }
            }
            for _ in 0..after {
                let next = self.text[end..].find('\n').map_or(end, |i| end + i + 1);
                let later = self.line_end(next);
                if later - next <= 4 * CLIP && next < self.text.len() {
                    end = later;
                }
            }
        }
        // Asked for no context, miette wants to know where the span itself is.
        let shown = if before == 0 { from } else { start };
        let (line, column) = self.position(shown);
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            &self.text.as_bytes()[shown..end.max(shown)],
            (shown, end.max(shown) - shown).into(),
            line,
            column,
            self.text[shown..end.max(shown)].matches('\n').count() + 1,
        )))
    }
}

/// A stretch of a source.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    source: Arc<Source>,
    range: Range<usize>,
}

impl Place {
    /// The bytes `range` of `source`; moved inside the text if it is not.
    pub fn new(source: &Arc<Source>, range: Range<usize>) -> Self {
        let (start, end) = (source.boundary(range.start), source.boundary(range.end));
        Self { source: Arc::clone(source), range: start..end.max(start) }
    }

    /// The source.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Which bytes of it.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The text of the place.
    pub fn text(&self) -> &str {
        &self.source.text[self.range.clone()]
    }

    /// Whether there is no text in it.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Something to put carets under: not too much of it, and if it is empty,
    /// the character behind or before it.
    pub fn visible(&self) -> Self {
        let (text, Range { start, end }) = (self.source.text(), self.range());
        let solid = |c: &char| !matches!(c, '\n' | '\r');
        let behind = text[end..].chars().next().filter(solid);
        let before = text[..start].chars().next_back().filter(solid);
        let range = match (self.is_empty(), behind, before) {
            (true, Some(c), _) => start..end + c.len_utf8(),
            (true, None, Some(c)) => start - c.len_utf8()..end,
            _ => start..end.min(self.source.boundary(start + CLIP)),
        };
        Self { source: Arc::clone(&self.source), range }
    }

    /// Line and column of its start, both from 1, columns in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let (line, column) = self.source.position(self.range.start);
        (line + 1, column + 1)
    }

    /// Its first line.
    pub fn first_line(&self) -> Self {
        let length = self.text().find(['\n', '\r']).unwrap_or(self.range.len());
        let range = self.range.start..self.range.start + length;
        Self { source: Arc::clone(&self.source), range }
    }

    /// The stretch `range` of it.
    pub fn within(&self, range: Range<usize>) -> Self {
        Self::new(&self.source, self.range.start + range.start..self.range.start + range.end)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

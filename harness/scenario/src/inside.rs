//! Where a stretch of a text's value stands in the file, however the text is
//! written: plain, quoted, or as a block over several lines.

use std::ops::Range;

use crate::source::Place;
use crate::tree::Node;

/// The place of the bytes `part` of `node`'s text; all of the text's first
/// line where that cannot be told, as with escapes.
pub fn place(node: &Node, part: Range<usize>) -> Place {
    let whole = || node.place.first_line();
    let Some(value) = node.text() else { return whole() };
    let written = node.place.text();
    // Folding and indentation change white space and nothing else.
    let ours = solid(value);
    let same = |inner: &str| solid(inner).iter().map(|(_, c)| c).eq(ours.iter().map(|(_, c)| c));
    let unquoted = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
    let (quotes, inner) = match (same(written), same(unquoted)) {
        (true, _) => (0, written),
        (false, true) => (1, unquoted),
        (false, false) => return whole(),
    };
    let theirs = solid(inner);
    let first = ours.partition_point(|(i, _)| *i < part.start);
    let Some((start, _)) = theirs.get(first) else {
        let end = inner.trim_end().len();
        return node.place.within(quotes + end..quotes + end);
    };
    let last = ours.partition_point(|(i, _)| *i < part.end).max(first + 1) - 1;
    let end = theirs.get(last).map_or(*start, |(i, c)| i + c.len_utf8());
    node.place.within(quotes + start..quotes + end).first_line()
}

/// The characters that are no white space, and where they are.
fn solid(text: &str) -> Vec<(usize, char)> {
    text.char_indices().filter(|(_, c)| !c.is_whitespace()).collect()
}

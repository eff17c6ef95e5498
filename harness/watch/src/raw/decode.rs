//! A watch stream's body, as far as the evidence needs it.
//!
//! The body is one JSON document a line, cut into pieces anywhere. Of a
//! document only the type, four fields of its metadata and two annotations are
//! read; everything else is skipped unparsed. Watchers of one collection
//! receive the same bytes, so a line that was decoded a moment ago for another
//! is recognised by comparison, which costs a tenth of decoding.

use std::borrow::Cow;
use std::fmt;

use kab_evidence::id::{OP_ANNOTATION, OpId};
use kab_evidence::watch::Revision;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};

/// Marks the bookmark after the initial events (KEP-3157).
pub const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// A line longer than this is no event: etcd takes no more than 1.5 MiB, and
/// an object is not much longer in JSON.
const LONGEST_LINE: usize = 16 << 20;

/// A buffer that has grown beyond this is given back when it is empty.
const SPARE: usize = 64 << 10;

/// The type of a watch event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventType {
    /// A new object, or one that was there before.
    Added,
    /// An object changed.
    Modified,
    /// An object is gone.
    Deleted,
    /// Only a resourceVersion.
    Bookmark,
    /// A `Status` instead of an object.
    Error,
}

/// One line of a watch stream.
#[derive(Debug, Deserialize)]
pub struct WatchEvent<'a> {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The object.
    #[serde(borrow)]
    pub object: Object<'a>,
}

/// An object, or a `Status`.
#[derive(Debug, Deserialize)]
pub struct Object<'a> {
    /// Its metadata.
    #[serde(borrow, default)]
    pub metadata: Metadata<'a>,
    /// Of a `Status`: the HTTP status.
    #[serde(default)]
    pub code: Option<u16>,
    /// Of a `Status`: `Expired`, `InternalError`, ...
    #[serde(borrow, default)]
    pub reason: Option<Cow<'a, str>>,
    /// Of a `Status`: in words.
    #[serde(borrow, default)]
    pub message: Option<Cow<'a, str>>,
}

/// A list, or the metadata of one.
#[derive(Debug, Deserialize)]
pub struct List<'a> {
    /// Its own metadata.
    #[serde(borrow, default)]
    pub metadata: Metadata<'a>,
    /// What is in it; none, which Go writes as `null`, if it is empty.
    #[serde(borrow, default)]
    pub items: Option<Vec<Object<'a>>>,
}

/// The part of an object's metadata that is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Its name.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// Its UID.
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
    /// Its resourceVersion, as text.
    #[serde(borrow, default)]
    pub resource_version: Cow<'a, str>,
    /// Of its annotations, those that are looked at.
    #[serde(default)]
    pub annotations: Annotations,
}

impl Metadata<'_> {
    /// Its resourceVersion; none if it has none that is a number.
    pub fn revision(&self) -> Option<Revision> {
        self.resource_version.parse().ok()
    }
}

/// The annotations that are looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Annotations {
    /// The operation that wrote the object.
    pub op: Option<OpId>,
    /// Whether it ends the initial events.
    pub initial_events_end: bool,
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Annotations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Annotations, M::Error> {
                let mut read = Annotations::default();
                while let Some(key) = map.next_key::<Key<'_>>()? {
                    match &*key.0 {
                        OP_ANNOTATION => read.op = map.next_value::<Key<'_>>()?.0.parse().ok(),
                        INITIAL_EVENTS_END => {
                            read.initial_events_end = map.next_value::<Key<'_>>()?.0 == "true";
                        }
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(read)
            }

            fn visit_unit<E>(self) -> Result<Annotations, E> {
                Ok(Annotations::default())
            }
        }
        d.deserialize_any(Read)
    }
}

/// A text that is borrowed unless it has escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A body is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum BadBody {
    /// A line is no watch event.
    #[error("not a watch event: {0}")]
    Event(#[from] serde_json::Error),
    /// It has no resourceVersion that is a number.
    #[error("a watch event without a resourceVersion that is a number")]
    Revision,
    /// A line does not end.
    #[error("a line of more than {} MiB", LONGEST_LINE >> 20)]
    Long,
}

/// Puts a stream's lines together from its pieces.
#[derive(Debug, Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    /// Calls `each` for every line that `piece` completes. Lines that are
    /// whole in it are not copied.
    ///
    /// # Errors
    /// What `each` returns, which ends it; or if a line gets too long.
    pub fn feed(
        &mut self,
        mut piece: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), BadBody>,
    ) -> Result<(), BadBody> {
        if !self.0.is_empty() {
            let Some(end) = memchr::memchr(b'\n', piece) else { return self.keep(piece) };
            self.0.extend_from_slice(&piece[..end]);
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.0);
            each(&line)?;
            if line.capacity() <= SPARE {
                self.0 = line;
                self.0.clear();
            }
        }
        while let Some(end) = memchr::memchr(b'\n', piece) {
            if end > 0 {
                each(&piece[..end])?;
            }
            piece = &piece[end + 1..];
        }
        self.keep(piece)
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), BadBody> {
        if piece.is_empty() {
            // Thousands of streams are idle at any time.
            if self.0.is_empty() && self.0.capacity() > 0 {
                self.0 = Vec::new();
            }
            return Ok(());
        }
        if self.0.len() + piece.len() > LONGEST_LINE {
            return Err(BadBody::Long);
        }
        self.0.extend_from_slice(piece);
        Ok(())
    }

    /// Whether the stream ended in the middle of a line.
    pub fn is_partial(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The lines that were decoded last, with what they came to.
#[derive(Debug)]
pub struct Recent<T> {
    lines: Vec<(Vec<u8>, T)>,
    next: usize,
}

impl<T: Copy> Recent<T> {
    /// Remembers the last `size` lines.
    pub fn new(size: usize) -> Self {
        Self { lines: Vec::with_capacity(size.max(1)), next: 0 }
    }

    /// What `line` came to, if it is one of them.
    pub fn find(&self, line: &[u8]) -> Option<T> {
        // The last one first: most likely it is that.
        let (after, before) = self.lines.split_at(self.next.min(self.lines.len()));
        let mut newest_first = after.iter().rev().chain(before.iter().rev());
        newest_first.find(|(known, _)| *known == line).map(|(_, value)| *value)
    }

    /// Remembers `line` in place of the oldest.
    pub fn keep(&mut self, line: &[u8], value: T) {
        if self.lines.len() < self.lines.capacity() {
            self.lines.push((line.to_vec(), value));
            self.next = self.lines.len() % self.lines.capacity();
            return;
        }
        if let Some((known, old)) = self.lines.get_mut(self.next) {
            known.clear();
            known.extend_from_slice(line);
            *old = value;
        }
        self.next = (self.next + 1) % self.lines.len().max(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = r#"{"type":"MODIFIED","object":{"apiVersion":"g/v1","kind":"Todo","metadata":{"annotations":{"a\"b":"x","kab.dev/op":"00000000000000070000000000000002","z":"y"},"creationTimestamp":"2026-01-01T00:00:00Z","managedFields":[{"f:metadata":{"x":[1,2]}}],"name":"milk","namespace":"n","resourceVersion":"1234","uid":"u-1"},"spec":{"name":"other","uid":"no","resourceVersion":"9"}}}"#;

    #[test]
    fn an_event_is_read_as_far_as_needed() {
        let event: WatchEvent<'_> = serde_json::from_str(LINE).unwrap();
        assert_eq!(event.kind, EventType::Modified);
        let meta = &event.object.metadata;
        assert_eq!((&*meta.name, &*meta.uid, meta.revision()), ("milk", "u-1", Some(1234)));
        assert_eq!(meta.annotations.op, Some(OpId::new(7, 1)));
        assert!(matches!(meta.uid, Cow::Borrowed(_)));
    }

    #[test]
    fn bookmarks_and_errors_are_told_apart() {
        let end = r#"{"type":"BOOKMARK","object":{"kind":"Todo","metadata":{"resourceVersion":"7","creationTimestamp":null,"annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        let event: WatchEvent<'_> = serde_json::from_str(end).unwrap();
        assert_eq!(event.kind, EventType::Bookmark);
        assert!(event.object.metadata.annotations.initial_events_end);
        let gone = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (2)","reason":"Expired","code":410}}"#;
        let event: WatchEvent<'_> = serde_json::from_str(gone).unwrap();
        assert_eq!((event.kind, event.object.code), (EventType::Error, Some(410)));
        assert_eq!(event.object.reason.as_deref(), Some("Expired"));
    }

    #[test]
    fn an_empty_list_may_have_no_items() {
        for items in ["null", "[]"] {
            let list = format!(r#"{{"metadata":{{"resourceVersion":"5"}},"items":{items}}}"#);
            let list: List<'_> = serde_json::from_str(&list).unwrap();
            assert_eq!(list.metadata.revision(), Some(5));
            assert_eq!(list.items.iter().flatten().count(), 0);
        }
    }

    #[test]
    fn what_is_no_event_is_an_error_and_no_panic() {
        for bad in ["", "{}", "[]", r#"{"type":"ADDED"}"#, r#"{"type":"X","object":{}}"#, "\u{0}"] {
            assert!(serde_json::from_str::<WatchEvent<'_>>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1 << 20];
        let all = (0..=16).try_for_each(|_| lines.feed(&piece, |_| Ok(())));
        assert!(matches!(all, Err(BadBody::Long)));
    }

    #[test]
    fn recent_lines_are_found_until_others_take_their_place() {
        let mut recent = Recent::new(2);
        assert_eq!(recent.find(b"a"), None);
        recent.keep(b"a", 1);
        recent.keep(b"b", 2);
        assert_eq!((recent.find(b"a"), recent.find(b"b")), (Some(1), Some(2)));
        recent.keep(b"c", 3);
        assert_eq!(
            (recent.find(b"a"), recent.find(b"b"), recent.find(b"c")),
            (None, Some(2), Some(3))
        );
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_where_they_are_cut(
            lines in prop::collection::vec("[a-z]{1,20}", 0..20),
            cuts in prop::collection::vec(1usize..30, 1..100),
        ) {
            let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let (mut rest, mut got) = (body.as_bytes(), Vec::new());
            let mut put = Lines::default();
            let mut cuts = cuts.into_iter().cycle();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                put.feed(piece, |line| {
                    got.push(String::from_utf8(line.to_vec()).unwrap());
                    Ok(())
                }).unwrap();
                rest = after;
            }
            prop_assert_eq!(got, lines);
            prop_assert!(!put.is_partial());
        }
    }
}

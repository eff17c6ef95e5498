//! Text to tree. A strict subset of YAML 1.2: one document, the core schema's
//! scalars, and none of what makes a file read differently from how it looks
//! (anchors, aliases, tags, merge keys, duplicate keys).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use crate::problem::Problem;
use crate::scalar;
use crate::source::{Place, Source};
use crate::suggest::quoted;
use crate::tree::{Data, Key, Node};

/// Collections may be nested this deep.
const DEPTH: usize = 64;

/// The one document in `source`; none if the problems are too grave.
pub fn parse(source: &Arc<Source>) -> (Option<Node>, Vec<Problem>) {
    parse_part(source, 0..source.text().len())
}

/// The one document in the bytes `part` of `source`.
pub fn parse_part(source: &Arc<Source>, part: Range<usize>) -> (Option<Node>, Vec<Problem>) {
    let text = &source.text()[part.clone()];
    let offsets = text.char_indices().map(|(i, _)| part.start + i).chain([part.end]).collect();
    let mut builder = Builder {
        places: Places { source: Arc::clone(source), offsets, end: part.end },
        stack: Vec::new(),
        root: None,
        problems: Vec::new(),
        documents: 0,
    };
    for event in Parser::new_from_str(text) {
        let step =
            event.map_err(|e| builder.not_yaml(&e)).and_then(|(e, span)| builder.event(e, span));
        if let Err(problem) = step {
            builder.problems.push(*problem);
            return (None, builder.problems);
        }
    }
    (builder.root, builder.problems)
}

/// Boxed: it is large, and rare.
type Stop = Box<Problem>;

/// saphyr counts characters, everything here counts bytes.
struct Places {
    source: Arc<Source>,
    offsets: Vec<usize>,
    end: usize,
}

impl Places {
    fn of(&self, characters: Range<usize>) -> Place {
        let byte = |i: usize| self.offsets.get(i).copied().unwrap_or(self.end);
        Place::new(&self.source, byte(characters.start)..byte(characters.end))
    }

    fn span(&self, span: Span) -> Place {
        self.of(span.start.index()..span.end.index())
    }
}

/// A collection that is not complete yet.
enum Open {
    List { start: Span, items: Vec<Node> },
    Map { start: Span, entries: Vec<(Key, Node)>, seen: HashMap<String, Place>, key: Option<Key> },
}

struct Builder {
    places: Places,
    stack: Vec<Open>,
    root: Option<Node>,
    problems: Vec<Problem>,
    documents: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let place = self.places.span(span);
                    let problem = Problem::new(place, "a second document begins here").help(
                        "a file holds one scenario; put the other one into a file of its own",
                    );
                    return Err(problem.into());
                }
            }
            Event::Alias(_) => {
                let place = self.places.span(span);
                self.problems.push(alias(place.clone()));
                self.add(Node { place, data: Data::Null });
            }
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.places.span(span);
                self.plain_only(&place, anchor, tag.is_some());
                self.scalar(&text, style, place);
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain_only(&self.places.span(span), anchor, tag.is_some());
                self.open(Open::List { start: span, items: Vec::new() }, span)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.plain_only(&self.places.span(span), anchor, tag.is_some());
                let (entries, seen) = (Vec::new(), HashMap::new());
                self.open(Open::Map { start: span, entries, seen, key: None }, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => {}
        }
        Ok(())
    }

    /// Anchors and tags are refused wherever they may stand.
    fn plain_only(&mut self, place: &Place, anchor: usize, tagged: bool) {
        let found = if tagged { Some('!') } else { (anchor > 0).then_some('&') };
        let Some(sign) = found else { return };
        // The parser's span begins at, or just behind, the sign.
        let text = place.source().text();
        let here = place.range().start;
        let line = text[..here].rfind('\n').map_or(0, |i| i + 1);
        let start = if text[here..].starts_with(sign) {
            here
        } else {
            text[line..here].rfind(sign).map_or(here, |i| line + i)
        };
        let end = text[start..].find(|c: char| c.is_whitespace() || ",]}".contains(c));
        let place = Place::new(place.source(), start..end.map_or(text.len(), |i| start + i));
        self.problems.push(if sign == '&' {
            Problem::new(place, "anchors are not supported")
                .help("remove it, and write the value out wherever it is meant: a scenario reads as it runs")
        } else {
            Problem::new(place, "tags are not supported")
                .help("remove it; a number in quotes is a text, without them it is a number")
        });
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place) {
        if let Some(Open::Map { key: key @ None, seen, .. }) = self.stack.last_mut() {
            if text == "<<" && style == ScalarStyle::Plain {
                self.problems.push(
                    Problem::new(place.clone(), "merge keys are not supported")
                        .help("write out the fields that are meant"),
                );
            } else if let Some(first) = seen.get(text) {
                self.problems.push(
                    Problem::new(place.clone(), format!("{} is given twice", quoted(text)))
                        .label("again here")
                        .also(first.clone(), "first here")
                        .help("remove one of the two"),
                );
            }
            *key = Some(Key { name: text.to_owned(), place });
            return;
        }
        let data = if style == ScalarStyle::Plain {
            scalar::plain(text).unwrap_or_else(|why| {
                self.problems.push(
                    Problem::new(place.clone(), why).help("if a text is meant, put it in quotes"),
                );
                Data::Null
            })
        } else {
            Data::String(text.to_owned())
        };
        self.add(Node { place, data });
    }

    fn open(&mut self, open: Open, span: Span) -> Result<(), Stop> {
        if self.stack.len() >= DEPTH {
            let place = self.places.of(span.start.index()..span.start.index() + 1);
            let problem = Problem::new(place, format!("nested deeper than {DEPTH} levels"))
                .help("no scenario needs this; is a bracket or an indentation wrong?");
            return Err(problem.into());
        }
        self.stack.push(open);
        Ok(())
    }

    fn close(&mut self, end: Span) {
        let flow = |start: Span| start.end.index() > start.start.index();
        let place = |places: &Places, start: Span| {
            let from = start.start.index();
            places.of(from..if flow(start) { end.end.index() } else { from + 1 })
        };
        match self.stack.pop() {
            Some(Open::List { start, items }) => {
                let place = place(&self.places, start);
                self.add(Node { place, data: Data::List(items) });
            }
            Some(Open::Map { start, entries, .. }) => {
                let place = match entries.first() {
                    Some((key, _)) if !flow(start) => key.place.clone(),
                    _ => place(&self.places, start),
                };
                self.add(Node { place, data: Data::Map(entries) });
            }
            None => {}
        }
    }

    /// Puts a complete value where it belongs.
    fn add(&mut self, node: Node) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, seen, key: slot, .. }) => match slot.take() {
                // Of two values under one key, the first stays.
                Some(key) if seen.contains_key(&key.name) => {}
                Some(key) => {
                    seen.insert(key.name.clone(), key.place.clone());
                    entries.push((key, node));
                }
                None => {
                    let place = node.place.first_line();
                    self.problems.push(
                        Problem::new(place.clone(), "a key must be a text")
                            .help("write `key: value`"),
                    );
                    *slot = Some(Key { name: place.text().to_owned(), place });
                }
            },
        }
    }

    /// What the parser had to say, with what usually helps.
    fn not_yaml(&self, error: &ScanError) -> Stop {
        let mut at = error.marker().index();
        let info = error.info();
        if info.contains("tab") {
            // The parser points to where the text began that the tab is in.
            let here = self.places.of(at..at).range().start;
            let rest = &self.places.source.text()[here..self.places.end];
            at += rest.chars().position(|c| c == '\t').unwrap_or(0);
        }
        if info.contains("unknown anchor") {
            let place = self.places.of(at..at);
            let text = &place.source().text()[place.range().start..];
            let len =
                text.find(|c: char| c.is_whitespace() || ",]}".contains(c)).unwrap_or(text.len());
            return alias(place.within(0..len)).into();
        }
        let ended = at + 1 >= self.places.offsets.len();
        if ended {
            // Point behind the last thing written, not at an empty last line.
            let text = &self.places.source.text()[..self.places.end];
            let written = text.trim_end().len();
            at = self.places.offsets.partition_point(|&offset| offset < written);
        }
        let place = self.places.of(at..at + usize::from(!ended));
        let place = match place.text() {
            "\t" => place,
            text if text.trim().is_empty() => self.places.of(at..at),
            _ => place,
        };
        let line = place.source().text()[..place.range().start].rsplit('\n').next().unwrap_or("");
        let ended = ended || info.contains("end of stream");
        let help = if info.contains("tab") || line.trim_start_matches(' ').starts_with('\t') {
            "YAML is indented with spaces; replace the tab"
        } else if ended {
            "the file ends here; was it cut off, or is a quote or bracket left open?"
        } else if info.contains("mapping values are not allowed") {
            "a text with `: ` in it must be quoted; or the indentation is wrong"
        } else if info.contains("unexpected character") {
            "a text that begins with this character must be quoted"
        } else {
            "check the indentation and the quotes here and in the line above"
        };
        Problem::new(place, format!("this is not YAML: {info}")).help(help).into()
    }
}

fn alias(place: Place) -> Problem {
    Problem::new(place, "aliases are not supported")
        .help("write the value out: a scenario reads as it runs")
}

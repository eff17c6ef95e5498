//! HTTP/1.1, as far as a client of an API needs it: one request at a time on a
//! kept connection; bodies by length, in chunks, or until the end.

use std::time::Duration;

use crate::message::{Event, Head, Media, Request};

/// Longest head of an answer.
const LONGEST_HEAD: usize = 64 * 1024;
/// Most headers in one.
const MOST_HEADERS: usize = 100;
/// Longest line that begins or follows a chunk.
const LONGEST_LINE: usize = 4096;

/// The server's bytes are not HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// The head cannot be read.
    #[error("the head of the answer is not HTTP/1.1")]
    Head,
    /// The head has no end in sight.
    #[error("the head of the answer is longer than {LONGEST_HEAD} bytes")]
    LongHead,
    /// A chunk's length cannot be read.
    #[error("the length of a chunk cannot be read")]
    Chunk,
    /// Bytes came that no request asked for.
    #[error("the server sent an answer to no request")]
    Unasked,
}

/// The client's side of one connection.
#[derive(Debug)]
pub struct Client {
    /// Headers of every request, as they go out.
    constant: Vec<u8>,
    /// The tag of the request that is under way.
    current: Option<u64>,
    state: State,
    /// Beginning of a head or of a chunk's line that is not whole yet.
    partial: Vec<u8>,
    /// The server will close when the answer has ended.
    closing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are to come.
    Length(u64),
    /// The line with a chunk's length is to come.
    ChunkLine,
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// The line's end after a chunk.
    ChunkEnd,
    /// Lines up to an empty one.
    Trailer,
    /// Until the connection ends.
    ToTheEnd,
}

impl Client {
    /// A client of `authority` that sends `headers` with every request.
    pub fn new<'a>(authority: &str, headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut constant = Vec::new();
        line(&mut constant, "host", authority);
        for (name, value) in headers {
            line(&mut constant, name, value);
        }
        let (state, partial) = (State::Head, Vec::new());
        Self { constant, current: None, state, partial, closing: false }
    }

    /// Whether a request can be sent now.
    pub const fn is_idle(&self) -> bool {
        self.current.is_none() && !self.closing
    }

    /// Whether a request is under way.
    pub const fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    /// Whether this connection takes no more requests.
    pub const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Appends `request` to `out`; its answer will come under `tag`. To be
    /// called when idle.
    pub fn send(&mut self, tag: u64, request: &Request<'_>, out: &mut Vec<u8>) {
        self.current = Some(tag);
        self.state = State::Head;
        out.extend_from_slice(request.method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(request.path.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        out.extend_from_slice(&self.constant);
        for (name, value) in request.headers {
            line(out, name, value);
        }
        let bodiless = request.body.is_empty() && request.method == crate::Method::Get;
        if !bodiless {
            let mut digits = [0; 20];
            line(out, "content-length", decimal(request.body.len(), &mut digits));
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(request.body);
    }

    /// The tag of the request that is under way: to be called when the
    /// connection is over.
    pub const fn abandon(&mut self) -> Option<u64> {
        self.current.take()
    }

    /// The connection has ended in order. True if that ended an answer, which
    /// then is complete.
    pub fn end(&mut self, sink: &mut impl FnMut(u64, Event<'_>)) -> bool {
        self.closing = true;
        match (self.state, self.current) {
            (State::ToTheEnd, Some(tag)) => {
                self.current = None;
                sink(tag, Event::End);
                true
            }
            _ => false,
        }
    }

    /// Takes bytes from the server.
    ///
    /// # Errors
    /// If they are not HTTP/1.1; the connection is then of no use.
    pub fn receive(
        &mut self,
        mut input: &[u8],
        sink: &mut impl FnMut(u64, Event<'_>),
    ) -> Result<(), BadAnswer> {
        while !input.is_empty() {
            let tag = self.current.ok_or(BadAnswer::Unasked)?;
            match self.state {
                State::Head => input = self.head(tag, input, sink)?,
                State::Length(left) | State::Chunk(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (data, rest) = input.split_at(take);
                    input = rest;
                    let left = left - take as u64;
                    sink(tag, Event::Data(data));
                    match (self.state, left) {
                        (State::Length(_), 0) => self.finish(tag, sink),
                        (State::Length(_), left) => self.state = State::Length(left),
                        (_, 0) => self.state = State::ChunkEnd,
                        (_, left) => self.state = State::Chunk(left),
                    }
                }
                State::ToTheEnd => {
                    sink(tag, Event::Data(input));
                    return Ok(());
                }
                State::ChunkLine | State::ChunkEnd | State::Trailer => {
                    let Some(Line { text, rest }) = self.line(input)? else { return Ok(()) };
                    input = rest;
                    let empty = text.is_empty();
                    match self.state {
                        State::ChunkLine => {
                            let size = chunk_size(&text).ok_or(BadAnswer::Chunk)?;
                            self.state =
                                if size == 0 { State::Trailer } else { State::Chunk(size) };
                        }
                        State::ChunkEnd if !empty => return Err(BadAnswer::Chunk),
                        State::ChunkEnd => self.state = State::ChunkLine,
                        _ if empty => self.finish(tag, sink),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the head, if it is whole; what is left of `input`.
    fn head<'i>(
        &mut self,
        tag: u64,
        input: &'i [u8],
        sink: &mut impl FnMut(u64, Event<'_>),
    ) -> Result<&'i [u8], BadAnswer> {
        let before = self.partial.len();
        let whole = if before == 0 {
            parse(input)?
        } else {
            self.partial.extend_from_slice(input);
            parse(&self.partial)?
        };
        let Some(parsed) = whole else {
            if before == 0 {
                self.partial.extend_from_slice(input);
            }
            return if self.partial.len() > LONGEST_HEAD {
                Err(BadAnswer::LongHead)
            } else {
                Ok(&[])
            };
        };
        self.partial.clear();
        let rest = input.get(parsed.length.saturating_sub(before)..).unwrap_or_default();
        // An interim answer: the real one follows.
        if (100..200).contains(&parsed.head.status) {
            return Ok(rest);
        }
        self.closing |= parsed.close;
        sink(tag, Event::Head(parsed.head));
        self.state = match parsed.body {
            Body::None => {
                self.finish(tag, sink);
                return Ok(rest);
            }
            Body::Length(length) => State::Length(length),
            Body::Chunked => State::ChunkLine,
            Body::ToTheEnd => {
                self.closing = true;
                State::ToTheEnd
            }
        };
        Ok(rest)
    }

    /// The next line without its end, if it is whole, and what follows it.
    fn line<'i>(&mut self, input: &'i [u8]) -> Result<Option<Line<'i>>, BadAnswer> {
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            self.partial.extend_from_slice(input);
            return if self.partial.len() > LONGEST_LINE {
                Err(BadAnswer::Chunk)
            } else {
                Ok(None)
            };
        };
        let mut text = std::mem::take(&mut self.partial);
        text.extend_from_slice(&input[..end]);
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        Ok(Some(Line { text, rest: &input[end + 1..] }))
    }

    fn finish(&mut self, tag: u64, sink: &mut impl FnMut(u64, Event<'_>)) {
        self.current = None;
        self.state = State::Head;
        sink(tag, Event::End);
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// `number` in decimal, without an allocation.
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &str {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return std::str::from_utf8(&digits[at..]).unwrap_or("0");
        }
    }
}

/// A line without its end, and what follows it.
struct Line<'i> {
    text: Vec<u8>,
    rest: &'i [u8],
}

struct Parsed {
    length: usize,
    head: Head,
    body: Body,
    close: bool,
}

#[derive(PartialEq, Eq)]
enum Body {
    None,
    Length(u64),
    Chunked,
    ToTheEnd,
}

fn parse(bytes: &[u8]) -> Result<Option<Parsed>, BadAnswer> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let length = match answer.parse(bytes).map_err(|_| BadAnswer::Head)? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(length) => length,
    };
    let status = answer.code.ok_or(BadAnswer::Head)?;
    let (mut body, mut close) = (Body::ToTheEnd, answer.version == Some(0));
    let mut retry_after = None;
    let mut media = Media::Unsaid;
    for header in answer.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let text = || std::str::from_utf8(header.value).unwrap_or_default().trim();
        if is("content-length") && body != Body::Chunked {
            body = Body::Length(text().parse().map_err(|_| BadAnswer::Head)?);
        } else if is("transfer-encoding") && text().eq_ignore_ascii_case("chunked") {
            body = Body::Chunked;
        } else if is("connection") {
            close |= text().eq_ignore_ascii_case("close");
        } else if is("content-type") {
            media = Media::of(header.value);
        } else if is("retry-after") {
            retry_after = text().parse().ok().map(Duration::from_secs);
        }
    }
    if matches!(status, 204 | 304) || body == Body::Length(0) {
        body = Body::None;
    }
    Ok(Some(Parsed { length, head: Head { status, retry_after, media }, body, close }))
}

/// The length at the beginning of a chunk's line; extensions are ignored.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next()?;
    let text = std::str::from_utf8(digits).ok()?.trim();
    let plain = !text.is_empty() && text.len() <= 15 && text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
#[path = "h1_tests.rs"]
mod tests;

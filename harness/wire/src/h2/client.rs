//! Streams, flow control and settings of one connection.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::frame::{
    self, FIRST_FRAME, FIRST_WINDOW, HEAD, Head, LARGEST_WINDOW, PREFACE, code, flag, kind, setting,
};
use super::hpack::{BadBlock, Encoder, decode};
use super::parser::{Parser, Piece};
use crate::message::{Event, Gone, Method, Request};

/// Streams assumed to be allowed until the server says how many.
const FIRST_STREAMS: u32 = 100;
/// A window is granted anew when this much of it has been used.
const REFILL: u32 = LARGEST_WINDOW / 2;
/// Longest block of headers, over all its frames.
const LONGEST_BLOCK: usize = 256 * 1024;

/// The server breaks the rules, or this client cannot follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPeer {
    /// A frame that is longer than was allowed.
    #[error("the server sent a frame longer than {FIRST_FRAME} bytes")]
    LongFrame,
    /// A frame that is not what its kind says.
    #[error("the server sent a frame that cannot be read")]
    Frame,
    /// A block of headers that cannot be read.
    #[error("the server sent headers that cannot be read")]
    Headers(#[from] BadBlock),
    /// A block of headers without end.
    #[error("the server sent more than {LONGEST_BLOCK} bytes of headers")]
    LongHeaders,
    /// Windows beyond what is allowed.
    #[error("the server granted more than flow control allows")]
    Window,
}

/// The client's side of one connection.
#[derive(Debug)]
pub struct Client {
    parser: Parser,
    encoder: Encoder,
    streams: HashMap<u32, Stream, BuildHasherDefault<ByNumber>>,
    next: u32,
    most_streams: u32,
    peer_window: u32,
    peer_frame: usize,
    /// What may still be sent on the whole connection.
    room: i64,
    /// Data read on the whole connection since its window was last granted.
    used: u32,
    /// Streams with a body that did not fit their windows.
    waiting: VecDeque<u32>,
    /// A block of headers that goes on in another frame.
    block: Option<(Head, Vec<u8>)>,
    scratch: Vec<u8>,
    going_away: bool,
}

#[derive(Debug)]
struct Stream {
    tag: u64,
    room: i64,
    used: u32,
    /// What of the body is still to be sent.
    rest: Option<(Vec<u8>, usize)>,
    answered: bool,
}

/// Stream numbers spread well enough by themselves.
#[derive(Debug, Default)]
struct ByNumber(u64);

impl Hasher for ByNumber {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u32(&mut self, number: u32) {
        // Odd numbers in a row; hashbrown wants its high bits varied.
        self.0 = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Client {
    /// A client of `authority` that sends `headers` with every request. What it
    /// says first is appended to `out`.
    pub fn new(
        authority: &str,
        headers: &[(String, String)],
        secure: bool,
        out: &mut Vec<u8>,
    ) -> Self {
        out.extend_from_slice(PREFACE);
        let mine = [
            (setting::HEADER_TABLE_SIZE, 0),
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, LARGEST_WINDOW),
        ];
        frame::settings(out, &mine);
        frame::window_update(out, 0, LARGEST_WINDOW - FIRST_WINDOW);
        Self {
            parser: Parser::default(),
            encoder: Encoder::new(authority, headers, secure),
            streams: HashMap::default(),
            next: 1,
            most_streams: FIRST_STREAMS,
            peer_window: FIRST_WINDOW,
            peer_frame: FIRST_FRAME,
            room: i64::from(FIRST_WINDOW),
            used: 0,
            waiting: VecDeque::new(),
            block: None,
            scratch: Vec::new(),
            going_away: false,
        }
    }

    /// How many more requests can be sent now.
    pub fn room(&self) -> usize {
        let open = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        if self.is_closing() {
            return 0;
        }
        usize::try_from(self.most_streams.saturating_sub(open)).unwrap_or(usize::MAX)
    }

    /// Whether this connection takes no more requests.
    pub const fn is_closing(&self) -> bool {
        self.going_away || self.next >= LARGEST_WINDOW
    }

    /// How many requests are under way.
    pub fn open(&self) -> usize {
        self.streams.len()
    }

    /// Appends `request` to `out`; its answer will come under `tag`. To be
    /// called while there is room.
    pub fn send(&mut self, tag: u64, request: &Request<'_>, out: &mut Vec<u8>) {
        let id = self.next;
        self.next += 2;
        let bodiless = request.body.is_empty();
        let length = (!bodiless || request.method != Method::Get).then_some(request.body.len());
        let start = out.len();
        frame::head(out, 0, kind::HEADERS, 0, id);
        self.encoder.encode(request.method, request.path, request.headers, length, out);
        self.seal(out, start, bodiless, id);
        let mut stream =
            Stream { tag, room: i64::from(self.peer_window), used: 0, rest: None, answered: false };
        if !bodiless {
            let sent = write_body(
                id,
                request.body,
                &mut stream.room,
                &mut self.room,
                self.peer_frame,
                out,
            );
            if sent < request.body.len() {
                stream.rest = Some((request.body[sent..].to_vec(), 0));
                self.waiting.push_back(id);
            }
        }
        self.streams.insert(id, stream);
    }

    /// Sets length and flags of the frame of headers at `start`, and splits it
    /// if it is longer than the server takes.
    fn seal(&mut self, out: &mut Vec<u8>, start: usize, ends: bool, id: u32) {
        let ends = if ends { flag::END_STREAM } else { 0 };
        let length = out.len() - start - HEAD;
        self.scratch.clear();
        if length <= self.peer_frame {
            frame::head(&mut self.scratch, length, kind::HEADERS, flag::END_HEADERS | ends, id);
            out[start..start + HEAD].copy_from_slice(&self.scratch);
            return;
        }
        let block = out.split_off(start + HEAD);
        out.truncate(start);
        let mut pieces = block.chunks(self.peer_frame).peekable();
        let (mut kind, mut flags) = (kind::HEADERS, ends);
        while let Some(piece) = pieces.next() {
            let last = if pieces.peek().is_none() { flag::END_HEADERS } else { 0 };
            frame::head(out, piece.len(), kind, flags | last, id);
            out.extend_from_slice(piece);
            (kind, flags) = (kind::CONTINUATION, 0);
        }
    }

    /// Gives up the request under `tag`; nothing more will come of it.
    pub fn cancel(&mut self, tag: u64, out: &mut Vec<u8>) {
        let found = self.streams.iter().find(|(_, stream)| stream.tag == tag);
        if let Some(id) = found.map(|(id, _)| *id) {
            self.streams.remove(&id);
            frame::reset(out, id, code::CANCEL);
        }
    }

    /// The tags of all requests under way: to be called when the connection is
    /// over.
    pub fn abandon(&mut self) -> Vec<u64> {
        self.streams.drain().map(|(_, stream)| stream.tag).collect()
    }

    /// Takes bytes from the server; what is to be said to them is appended to
    /// `out`.
    ///
    /// # Errors
    /// If they break the rules; the connection is then of no use.
    pub fn receive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        sink: &mut impl FnMut(u64, Event<'_>),
    ) -> Result<(), BadPeer> {
        let mut parser = std::mem::take(&mut self.parser);
        let fed = parser.feed(input, |piece| match piece {
            Piece::Data { stream, data, counted, ends } => {
                self.data(stream, data, counted, ends, out, sink);
                Ok(())
            }
            Piece::Frame { head, payload } => self.frame(head, payload, out, sink),
        });
        self.parser = parser;
        fed
    }

    fn data(
        &mut self,
        id: u32,
        data: &[u8],
        counted: usize,
        ends: bool,
        out: &mut Vec<u8>,
        sink: &mut impl FnMut(u64, Event<'_>),
    ) {
        let counted = u32::try_from(counted).unwrap_or(u32::MAX);
        self.used += counted;
        if self.used > REFILL {
            frame::window_update(out, 0, std::mem::take(&mut self.used));
        }
        // A stream that was given up may still be heard of.
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let tag = stream.tag;
        stream.used += counted;
        if ends {
            self.streams.remove(&id);
        } else if stream.used > REFILL {
            frame::window_update(out, id, std::mem::take(&mut stream.used));
        }
        if !data.is_empty() {
            sink(tag, Event::Data(data));
        }
        if ends {
            sink(tag, Event::End);
        }
    }

    fn frame(
        &mut self,
        head: Head,
        payload: &[u8],
        out: &mut Vec<u8>,
        sink: &mut impl FnMut(u64, Event<'_>),
    ) -> Result<(), BadPeer> {
        let goes_on = self.block.is_some();
        if goes_on != (head.kind == kind::CONTINUATION) {
            return Err(BadPeer::Frame);
        }
        match head.kind {
            kind::HEADERS if head.has(flag::END_HEADERS) => self.headers(head, payload, sink),
            kind::HEADERS => {
                self.block = Some((head, payload.to_vec()));
                Ok(())
            }
            kind::CONTINUATION => self.continuation(head, payload, sink),
            kind::RST_STREAM => {
                let code = word(payload)?;
                if let Some(stream) = self.streams.remove(&head.stream) {
                    let gone = if code == code::REFUSED_STREAM {
                        Gone::Unprocessed
                    } else {
                        Gone::Reset(code)
                    };
                    sink(stream.tag, Event::Gone(gone));
                }
                Ok(())
            }
            kind::SETTINGS if head.has(flag::ACK) => Ok(()),
            kind::SETTINGS => self.settings(payload, out),
            kind::PING if payload.len() != 8 => Err(BadPeer::Frame),
            kind::PING if head.has(flag::ACK) => Ok(()),
            kind::PING => {
                frame::pong(out, payload);
                Ok(())
            }
            kind::GOAWAY => self.go_away(payload, sink),
            kind::WINDOW_UPDATE => self.window(head.stream, word(payload)?, out),
            kind::PUSH_PROMISE => Err(BadPeer::Frame),
            // Kinds that are not known are to be ignored (section 4.1).
            _ => Ok(()),
        }
    }

    fn continuation(
        &mut self,
        head: Head,
        payload: &[u8],
        sink: &mut impl FnMut(u64, Event<'_>),
    ) -> Result<(), BadPeer> {
        let Some((first, mut block)) = self.block.take() else { return Err(BadPeer::Frame) };
        if first.stream != head.stream {
            return Err(BadPeer::Frame);
        }
        block.extend_from_slice(payload);
        if head.has(flag::END_HEADERS) {
            return self.headers(first, &block, sink);
        }
        if block.len() > LONGEST_BLOCK {
            return Err(BadPeer::LongHeaders);
        }
        self.block = Some((first, block));
        Ok(())
    }

    fn headers(
        &mut self,
        head: Head,
        block: &[u8],
        sink: &mut impl FnMut(u64, Event<'_>),
    ) -> Result<(), BadPeer> {
        let read = decode(block)?;
        let ends = head.has(flag::END_STREAM);
        let Some(stream) = self.streams.get_mut(&head.stream) else { return Ok(()) };
        let tag = stream.tag;
        match read {
            // An interim answer: the real one follows.
            Some(answer) if (100..200).contains(&answer.status) => {}
            Some(answer) if !stream.answered => {
                stream.answered = true;
                sink(tag, Event::Head(answer));
            }
            _ if stream.answered => {}
            _ => return Err(BadPeer::Frame),
        }
        if ends {
            self.streams.remove(&head.stream);
            sink(tag, Event::End);
        }
        Ok(())
    }

    fn settings(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), BadPeer> {
        let (settings, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(BadPeer::Frame);
        }
        for &[i0, i1, v0, v1, v2, v3] in settings {
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            match u16::from_be_bytes([i0, i1]) {
                setting::HEADER_TABLE_SIZE => self.encoder.limit(value),
                setting::MAX_CONCURRENT_STREAMS => self.most_streams = value,
                setting::INITIAL_WINDOW_SIZE if value > LARGEST_WINDOW => {
                    return Err(BadPeer::Window);
                }
                setting::INITIAL_WINDOW_SIZE => {
                    let change = i64::from(value) - i64::from(self.peer_window);
                    self.streams.values_mut().for_each(|stream| stream.room += change);
                    self.peer_window = value;
                }
                setting::MAX_FRAME_SIZE => {
                    self.peer_frame = usize::try_from(value).unwrap_or(FIRST_FRAME);
                    if !(FIRST_FRAME..1 << 24).contains(&self.peer_frame) {
                        return Err(BadPeer::Frame);
                    }
                }
                _ => {}
            }
        }
        frame::head(out, 0, kind::SETTINGS, flag::ACK, 0);
        self.send_waiting(out);
        Ok(())
    }

    fn go_away(
        &mut self,
        payload: &[u8],
        sink: &mut impl FnMut(u64, Event<'_>),
    ) -> Result<(), BadPeer> {
        self.going_away = true;
        let last = word(payload.get(..4).ok_or(BadPeer::Frame)?)? & LARGEST_WINDOW;
        self.streams.retain(|id, stream| {
            if *id > last {
                sink(stream.tag, Event::Gone(Gone::Unprocessed));
            }
            *id <= last
        });
        Ok(())
    }

    fn window(&mut self, id: u32, more: u32, out: &mut Vec<u8>) -> Result<(), BadPeer> {
        let more = i64::from(more & LARGEST_WINDOW);
        let room = match id {
            0 => Some(&mut self.room),
            id => self.streams.get_mut(&id).map(|stream| &mut stream.room),
        };
        if let Some(room) = room {
            *room += more;
            if *room > i64::from(LARGEST_WINDOW) {
                return Err(BadPeer::Window);
            }
            self.send_waiting(out);
        }
        Ok(())
    }

    /// Sends what the windows now allow of bodies that did not fit.
    fn send_waiting(&mut self, out: &mut Vec<u8>) {
        for _ in 0..self.waiting.len() {
            let Some(id) = self.waiting.pop_front() else { return };
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            let Some((body, at)) = &mut stream.rest else { continue };
            let rest = &body[*at..];
            *at += write_body(id, rest, &mut stream.room, &mut self.room, self.peer_frame, out);
            if *at < body.len() {
                self.waiting.push_back(id);
            } else {
                stream.rest = None;
            }
        }
    }
}

/// Appends as much of `body` as both windows allow; how much that was. The
/// frame with the last byte ends the stream.
fn write_body(
    id: u32,
    body: &[u8],
    stream: &mut i64,
    connection: &mut i64,
    frame: usize,
    out: &mut Vec<u8>,
) -> usize {
    let mut sent = 0;
    while sent < body.len() {
        let room = usize::try_from((*stream).min(*connection).max(0)).unwrap_or(0);
        let piece = (body.len() - sent).min(room).min(frame);
        if piece == 0 {
            break;
        }
        let flags = if sent + piece == body.len() { flag::END_STREAM } else { 0 };
        frame::head(out, piece, kind::DATA, flags, id);
        out.extend_from_slice(&body[sent..sent + piece]);
        sent += piece;
        let counted = i64::try_from(piece).unwrap_or(i64::MAX);
        *stream -= counted;
        *connection -= counted;
    }
    sent
}

fn word(payload: &[u8]) -> Result<u32, BadPeer> {
    payload.try_into().map(u32::from_be_bytes).map_err(|_| BadPeer::Frame)
}

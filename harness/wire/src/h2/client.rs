//! Streams, flow control and settings of one connection.

mod flow;
mod incoming;
mod stream;

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use super::frame::{
    self, FIRST_FRAME, FIRST_WINDOW, HEAD, Head, LARGEST_WINDOW, PREFACE, code, flag, kind, setting,
};
use super::hpack::{BadBlock, Encoder};
use super::parser::{Parser, Piece};
use crate::message::{Event, Method, Request};

use flow::write_body;
use stream::{ByNumber, Stream};

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
}

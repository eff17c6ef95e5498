//! Bytes to frames. Data is handed on as it comes; all other frames are small
//! and handed on whole.

use super::client::BadPeer;
use super::frame::{FIRST_FRAME, HEAD, Head, flag, kind};

/// Where in the stream of frames the bytes stand.
#[derive(Debug, Default)]
pub(super) struct Parser {
    head: [u8; HEAD],
    head_length: usize,
    frame: Option<Head>,
    /// Bytes of the frame's payload that have been handed on or kept.
    done: usize,
    payload: Vec<u8>,
}

/// A frame, or part of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Part of a frame of data. `counted` bytes count for flow control; `last`
    /// says that the frame is complete, and whether the stream ends with it.
    Data { stream: u32, data: &'a [u8], counted: usize, ends: bool },
    /// A whole frame of another kind, without padding.
    Frame { head: Head, payload: &'a [u8] },
}

impl Parser {
    /// Takes `input`, and hands on every piece.
    pub(super) fn feed(
        &mut self,
        mut input: &[u8],
        mut each: impl FnMut(Piece<'_>) -> Result<(), BadPeer>,
    ) -> Result<(), BadPeer> {
        loop {
            let Some(head) = self.frame else {
                let take = (HEAD - self.head_length).min(input.len());
                let (bytes, rest) = input.split_at(take);
                self.head[self.head_length..self.head_length + take].copy_from_slice(bytes);
                self.head_length += take;
                input = rest;
                if self.head_length < HEAD {
                    return Ok(());
                }
                let head = Head::read(self.head);
                if head.length > FIRST_FRAME {
                    return Err(BadPeer::LongFrame);
                }
                (self.frame, self.head_length, self.done) = (Some(head), 0, 0);
                continue;
            };
            let left = head.length - self.done;
            if input.is_empty() && left > 0 {
                return Ok(());
            }
            let (bytes, rest) = input.split_at(left.min(input.len()));
            input = rest;
            self.done += bytes.len();
            let whole = self.done == head.length;
            if head.kind == kind::DATA && !head.has(flag::PADDED) {
                let ends = whole && head.has(flag::END_STREAM);
                if whole {
                    self.frame = None;
                }
                each(Piece::Data { stream: head.stream, data: bytes, counted: bytes.len(), ends })?;
            } else if whole && self.payload.is_empty() {
                self.frame = None;
                hand_on(head, bytes, &mut each)?;
            } else {
                self.payload.extend_from_slice(bytes);
                if whole {
                    self.frame = None;
                    let payload = std::mem::take(&mut self.payload);
                    hand_on(head, &payload, &mut each)?;
                }
            }
        }
    }
}

fn hand_on(
    head: Head,
    payload: &[u8],
    each: &mut impl FnMut(Piece<'_>) -> Result<(), BadPeer>,
) -> Result<(), BadPeer> {
    let padded = matches!(head.kind, kind::DATA | kind::HEADERS) && head.has(flag::PADDED);
    let mut inner = payload;
    if padded {
        let (&pad, rest) = inner.split_first().ok_or(BadPeer::Frame)?;
        let end = rest.len().checked_sub(usize::from(pad)).ok_or(BadPeer::Frame)?;
        inner = &rest[..end];
    }
    if head.kind == kind::DATA {
        let (stream, ends) = (head.stream, head.has(flag::END_STREAM));
        return each(Piece::Data { stream, data: inner, counted: payload.len(), ends });
    }
    if head.kind == kind::HEADERS && head.has(flag::PRIORITY) {
        inner = inner.get(5..).ok_or(BadPeer::Frame)?;
    }
    each(Piece::Frame { head, payload: inner })
}

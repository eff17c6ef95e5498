//! What the server says in frames other than those of data.

use super::super::frame::{self, FIRST_FRAME, Head, LARGEST_WINDOW, code, flag, kind, setting};
use super::super::hpack::decode;
use super::{BadPeer, Client, LONGEST_BLOCK};
use crate::message::{Event, Gone};

impl Client {
    pub(super) fn frame(
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
}

fn word(payload: &[u8]) -> Result<u32, BadPeer> {
    payload.try_into().map(u32::from_be_bytes).map_err(|_| BadPeer::Frame)
}

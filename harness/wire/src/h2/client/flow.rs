//! Flow control: how much of which body may be sent now.

use super::super::frame::{self, LARGEST_WINDOW, flag, kind};
use super::{BadPeer, Client};

impl Client {
    /// The server grants `more`, of the whole connection or of stream `id`.
    pub(super) fn window(&mut self, id: u32, more: u32, out: &mut Vec<u8>) -> Result<(), BadPeer> {
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
    pub(super) fn send_waiting(&mut self, out: &mut Vec<u8>) {
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
pub(super) fn write_body(
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

//! A socket, perhaps TLS, and the protocol spoken over it.

mod broken;
mod read;

use kab_evidence::clock::Mono;

use crate::message::{Event, Request};
use crate::peer::{Peer, Protocol};
use crate::reactor::{Reactor, Ready};
use crate::socket::{Socket, Step};
use crate::tls::Tls;
use crate::{h1, h2};

pub use broken::Broken;

/// Size of the buffer that reads go into.
const READ: usize = 256 * 1024;

/// A buffer for all connections of a thread. Between two reads nothing is in it.
#[derive(Debug)]
pub struct Scratch(Vec<u8>);

impl Default for Scratch {
    fn default() -> Self {
        Self(vec![0; READ])
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Handshaking,
    Open,
    Over,
}

enum Codec {
    H1(h1::Client),
    H2(Box<h2::Client>),
}

/// One connection. Dropping it closes it.
pub struct Connection {
    socket: Socket,
    key: u64,
    state: State,
    tls: Option<Tls>,
    /// None until the handshake has settled which.
    codec: Option<Codec>,
    peer: std::rc::Rc<Peer>,
    /// Encoded, but not encrypted or written.
    plain: Vec<u8>,
    /// Bytes ever put into `plain`.
    encoded: u64,
    /// To be written, from `written` on.
    wire: Vec<u8>,
    written: usize,
    /// `encoded` when `wire` was last filled.
    covers: u64,
    /// As much of what was encoded as the kernel may have taken a byte of.
    touched: u64,
    /// Beginning of a TLS record.
    partial: Vec<u8>,
    listening_for_room: bool,
}

impl Connection {
    /// Begins to connect to `peer`; the reactor will report it under `key`.
    ///
    /// # Errors
    /// [`Broken::Connect`] or [`Broken::Handshake`] if it cannot even begin.
    pub fn open(reactor: &Reactor, key: u64, peer: &std::rc::Rc<Peer>) -> Result<Self, Broken> {
        let tls = match &peer.tls {
            Some((config, name)) => {
                Some(Tls::new(config, name, peer.offers()).map_err(Broken::Handshake)?)
            }
            None => None,
        };
        let socket = Socket::connect(peer.address).map_err(Broken::Connect)?;
        reactor.add(&socket, key, true).map_err(Broken::Connect)?;
        Ok(Self {
            socket,
            key,
            state: State::Connecting,
            tls,
            codec: None,
            peer: std::rc::Rc::clone(peer),
            plain: Vec::new(),
            encoded: 0,
            wire: Vec::new(),
            written: 0,
            covers: 0,
            touched: 0,
            partial: Vec::new(),
            listening_for_room: true,
        })
    }

    /// Whether it is connected, and requests can be made.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether it has ended or takes no more requests, and should be replaced
    /// when what is under way has ended.
    pub fn is_closing(&self) -> bool {
        match &self.codec {
            _ if self.state == State::Over => true,
            Some(Codec::H1(h1)) => h1.is_closing(),
            Some(Codec::H2(h2)) => h2.is_closing(),
            None => false,
        }
    }

    /// Whether it speaks HTTP/2; none until that is settled.
    pub fn is_http2(&self) -> Option<bool> {
        self.codec.as_ref().map(|codec| matches!(codec, Codec::H2(_)))
    }

    /// Whether no request is under way.
    pub fn is_idle(&self) -> bool {
        match &self.codec {
            Some(Codec::H1(h1)) => !h1.is_busy(),
            Some(Codec::H2(h2)) => h2.open() == 0,
            None => true,
        }
    }

    /// How many more requests can be sent now.
    pub fn room(&self) -> usize {
        match &self.codec {
            Some(Codec::H1(h1)) if self.is_open() => usize::from(h1.is_idle()),
            Some(Codec::H2(h2)) if self.is_open() => h2.room(),
            _ => 0,
        }
    }

    /// Encodes `request`, to be sent by the next [`Self::flush`]. Its answer
    /// comes under `tag`. What is returned says later, by [`Self::untouched`],
    /// whether any of it was sent.
    ///
    /// To be called only while there is [`Self::room`].
    pub fn send(&mut self, tag: u64, request: &Request<'_>) -> u64 {
        let before = self.plain.len();
        match &mut self.codec {
            Some(Codec::H1(h1)) => h1.send(tag, request, &mut self.plain),
            Some(Codec::H2(h2)) => h2.send(tag, request, &mut self.plain),
            None => {}
        }
        let mark = self.encoded;
        self.encoded += (self.plain.len() - before) as u64;
        mark
    }

    /// Whether the kernel has certainly taken no byte of the request that was
    /// sent at `mark`: then nobody can have seen it.
    pub const fn untouched(&self, mark: u64) -> bool {
        self.touched <= mark
    }

    /// Gives up the request under `tag`. Over HTTP/1.1 this is the end of the
    /// connection; whether it is.
    pub fn cancel(&mut self, tag: u64) -> bool {
        match &mut self.codec {
            Some(Codec::H2(h2)) => {
                let before = self.plain.len();
                h2.cancel(tag, &mut self.plain);
                self.encoded += (self.plain.len() - before) as u64;
                false
            }
            _ => {
                self.state = State::Over;
                true
            }
        }
    }

    /// The tags of all that was under way, when the connection is over.
    pub fn abandon(&mut self) -> Vec<u64> {
        self.state = State::Over;
        match &mut self.codec {
            Some(Codec::H1(h1)) => h1.abandon().into_iter().collect(),
            Some(Codec::H2(h2)) => h2.abandon(),
            None => Vec::new(),
        }
    }

    /// Writes what is encoded, as far as the kernel takes it now.
    ///
    /// # Errors
    /// If the connection is over.
    pub fn flush(&mut self, reactor: &Reactor) -> Result<(), Broken> {
        if matches!(self.state, State::Connecting | State::Over) {
            return Ok(());
        }
        if self.state == State::Open && !self.plain.is_empty() {
            match &mut self.tls {
                Some(tls) => tls.encrypt(&self.plain, &mut self.wire)?,
                None if self.wire.is_empty() => std::mem::swap(&mut self.wire, &mut self.plain),
                None => self.wire.extend_from_slice(&self.plain),
            }
            self.plain.clear();
            self.covers = self.encoded;
        }
        while self.written < self.wire.len() {
            match self.socket.write(&self.wire[self.written..]).map_err(Broken::Io)? {
                Step::Bytes(bytes) => {
                    self.written += bytes;
                    self.touched = self.covers;
                }
                Step::Later => break,
            }
        }
        let all = self.written == self.wire.len();
        if all {
            self.wire.clear();
            self.written = 0;
        }
        if self.listening_for_room == all {
            self.listening_for_room = !all;
            reactor.modify(&self.socket, self.key, !all).map_err(Broken::Io)?;
        }
        Ok(())
    }

    /// Does what `ready` says can be done. Everything that was read is handed
    /// to `sink` with the instant at which the kernel handed it over.
    ///
    /// # Errors
    /// If the connection is over. What is under way then is told by
    /// [`Self::abandon`].
    pub fn ready(
        &mut self,
        reactor: &Reactor,
        ready: Ready,
        scratch: &mut Scratch,
        mut sink: impl FnMut(Mono, u64, Event<'_>),
    ) -> Result<(), Broken> {
        if self.state == State::Connecting {
            if !ready.writable {
                return Ok(());
            }
            self.socket.connected().map_err(Broken::Connect)?;
            self.state = State::Handshaking;
            match &mut self.tls {
                Some(tls) => {
                    tls.receive::<rustls::Error>(&mut [], &mut self.wire, |_| Ok(()))
                        .map_err(Broken::Handshake)?;
                }
                None => self.speak(self.peer.protocol == Protocol::Http2),
            }
        }
        if ready.readable {
            self.read(scratch, &mut sink)?;
        }
        self.flush(reactor)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Connection");
        shown.field("key", &self.key).field("state", &self.state).finish_non_exhaustive()
    }
}

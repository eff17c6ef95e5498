//! From the socket to the codec.

use kab_evidence::clock::Mono;

use super::{Broken, Codec, Connection, Scratch, State};
use crate::message::Event;
use crate::peer::Protocol;
use crate::socket::Step;
use crate::{h1, h2};

impl Connection {
    /// Reads until nothing is left.
    pub(super) fn read(
        &mut self,
        scratch: &mut Scratch,
        sink: &mut impl FnMut(Mono, u64, Event<'_>),
    ) -> Result<(), Broken> {
        loop {
            let kept = self.partial.len();
            let buffer = &mut scratch.0;
            buffer[..kept].copy_from_slice(&self.partial);
            let read = match self.socket.read(&mut buffer[kept..]).map_err(Broken::Io)? {
                Step::Later => return Ok(()),
                Step::Bytes(0) => return Err(self.ended(sink)),
                Step::Bytes(read) => read,
            };
            let at = Mono::now();
            let room = buffer.len() - kept;
            let closed = self.take(at, &mut buffer[..kept + read], sink)?;
            if closed {
                return Err(self.ended(sink));
            }
            // A short read has emptied the socket.
            if read < room {
                return Ok(());
            }
        }
    }

    /// Takes what was read; whether the other side has ended the connection.
    fn take(
        &mut self,
        at: Mono,
        input: &mut [u8],
        sink: &mut impl FnMut(Mono, u64, Event<'_>),
    ) -> Result<bool, Broken> {
        let Some(mut tls) = self.tls.take() else {
            self.decode(at, input, sink)?;
            return Ok(false);
        };
        let mut wire = std::mem::take(&mut self.wire);
        let was_handshaking = self.state == State::Handshaking;
        let mut plain = |bytes: &[u8], this: &mut Self| this.decode(at, bytes, sink);
        let received = {
            // Early bytes of HTTP/2 may come with the end of the handshake,
            // before this side has seen which protocol was chosen.
            let this = &mut *self;
            let mut early = Vec::new();
            let received = tls.receive::<Broken>(input, &mut wire, |bytes| {
                if this.codec.is_some() {
                    plain(bytes, this)
                } else {
                    early.extend_from_slice(bytes);
                    Ok(())
                }
            });
            if let Ok(received) = &received
                && received.open
                && this.codec.is_none()
            {
                let h2 = tls.chose_h2() || this.peer.protocol == Protocol::Http2;
                this.speak(h2);
            }
            match received {
                Ok(received) if !early.is_empty() && this.codec.is_some() => {
                    plain(&early, this).map(|()| received)
                }
                other => other,
            }
        };
        self.wire = wire;
        self.tls = Some(tls);
        let received = received.map_err(|error| match error {
            Broken::Tls(error) if was_handshaking => Broken::Handshake(error),
            other => other,
        })?;
        self.partial.clear();
        self.partial.extend_from_slice(&input[received.consumed..]);
        if self.partial.is_empty() && self.partial.capacity() > 4096 {
            self.partial = Vec::new();
        }
        Ok(received.closed)
    }

    fn decode(
        &mut self,
        at: Mono,
        input: &[u8],
        sink: &mut impl FnMut(Mono, u64, Event<'_>),
    ) -> Result<(), Broken> {
        let mut sink = |tag, event: Event<'_>| sink(at, tag, event);
        match &mut self.codec {
            Some(Codec::H1(h1)) => Ok(h1.receive(input, &mut sink)?),
            Some(Codec::H2(h2)) => {
                let before = self.plain.len();
                let received = h2.receive(input, &mut self.plain, &mut sink);
                self.encoded += (self.plain.len() - before) as u64;
                Ok(received?)
            }
            None => Ok(()),
        }
    }

    /// Begins to speak HTTP.
    pub(super) fn speak(&mut self, http2: bool) {
        self.state = State::Open;
        let peer = &self.peer;
        self.codec = Some(if http2 {
            let secure = peer.tls.is_some();
            let h2 = h2::Client::new(&peer.authority, &peer.headers, secure, &mut self.plain);
            self.encoded += self.plain.len() as u64;
            Codec::H2(Box::new(h2))
        } else {
            let headers = peer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            Codec::H1(h1::Client::new(&peer.authority, headers))
        });
    }

    /// The other side has ended it in order, which may complete an answer.
    fn ended(&mut self, sink: &mut impl FnMut(Mono, u64, Event<'_>)) -> Broken {
        let at = Mono::now();
        if let Some(Codec::H1(h1)) = &mut self.codec {
            h1.end(&mut |tag, event| sink(at, tag, event));
        }
        match self.state {
            State::Handshaking => Broken::Handshake(rustls::Error::General(
                "the server closed the connection".to_owned(),
            )),
            _ => Broken::Closed,
        }
    }
}

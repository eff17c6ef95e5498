//! TLS without buffers of its own: records are decrypted where they were read,
//! so that thousands of connections share one buffer.

use std::sync::Arc;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus,
};
use rustls::{ClientConfig, Error};

/// Room for what TLS adds to a record of at most 16 KiB, generously.
const RECORD: usize = 16 * 1024;
const OVERHEAD: usize = 128;

/// One side of a TLS connection.
pub(crate) struct Tls(Box<UnbufferedClientConnection>);

/// What reading came to.
pub(crate) struct Received {
    /// Bytes at the front of the input that are done with.
    pub consumed: usize,
    /// The handshake is over: application data may be sent.
    pub open: bool,
    /// The other side has ended the connection in order.
    pub closed: bool,
}

impl Tls {
    pub(crate) fn new(
        config: &Arc<ClientConfig>,
        name: &ServerName<'static>,
        offers: Vec<Vec<u8>>,
    ) -> Result<Self, Error> {
        let config = Arc::clone(config);
        let conn = UnbufferedClientConnection::new_with_alpn(config, name.clone(), offers)?;
        Ok(Self(Box::new(conn)))
    }

    /// Whether the handshake has settled on HTTP/2.
    pub(crate) fn chose_h2(&self) -> bool {
        self.0.alpn_protocol() == Some(b"h2")
    }

    /// Decrypts what is whole in `input`, hands it to `plain`, and appends to
    /// `out` what TLS itself has to say.
    pub(crate) fn receive<E: From<Error>>(
        &mut self,
        input: &mut [u8],
        out: &mut Vec<u8>,
        mut plain: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Received, E> {
        let mut received = Received { consumed: 0, open: false, closed: false };
        loop {
            let rest = input.get_mut(received.consumed..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state } = self.0.process_tls_records(rest);
            let mut more = true;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain(record.payload)?;
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(out, &mut data);
                }
                // It is in `out`, which is sent before anything else.
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::WriteTraffic(_) => {
                    received.open = true;
                    more = false;
                }
                ConnectionState::PeerClosed | ConnectionState::Closed => {
                    received.closed = true;
                    more = false;
                }
                _ => more = false,
            }
            received.consumed += discard;
            if !more {
                return Ok(received);
            }
        }
    }

    /// Encrypts `plain` and appends it to `out`.
    pub(crate) fn encrypt(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let mut nothing = [0_u8; 0];
        loop {
            let UnbufferedStatus { state, .. } = self.0.process_tls_records(&mut nothing);
            match state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let room = plain.len() + (plain.len() / RECORD + 1) * OVERHEAD;
                    let start = out.len();
                    out.resize(start + room, 0);
                    let written = traffic.encrypt(plain, &mut out[start..]);
                    out.truncate(start + written.as_ref().copied().unwrap_or(0));
                    return match written {
                        Ok(_) => Ok(()),
                        Err(EncryptError::EncryptExhausted) => Err(Error::EncryptError),
                        Err(error) => Err(Error::General(error.to_string())),
                    };
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(out, &mut data);
                }
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                other => return Err(Error::General(format!("cannot send in state {other:?}"))),
            }
        }
    }
}

/// Appends to `out` what TLS itself has to say.
fn append(out: &mut Vec<u8>, data: &mut EncodeTlsData<'_, ClientConnectionData>) {
    let start = out.len();
    let mut room = 1024;
    loop {
        out.resize(start + room, 0);
        match data.encode(&mut out[start..]) {
            Ok(written) => return out.truncate(start + written),
            // Encoded already: nothing is left to append.
            Err(EncodeError::AlreadyEncoded) => return out.truncate(start),
            Err(EncodeError::InsufficientSize(needs)) => room = needs.required_size.max(room + 1),
        }
    }
}

//! Whom to talk to, and how.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// The protocol to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1, keep-alive, one request at a time on a connection.
    Http1,
    /// HTTP/2; without TLS, known beforehand (RFC 9113, section 3.3).
    Http2,
    /// HTTP/2 if the server offers it in the TLS handshake, else HTTP/1.1;
    /// without TLS, HTTP/1.1.
    Auto,
}

/// A server, and what all requests to it have in common.
#[derive(Clone)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// `host:port`, for the `Host` header or `:authority`.
    pub authority: String,
    /// How to secure the connection; none for plain TCP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// What to speak.
    pub protocol: Protocol,
    /// Headers of every request: `authorization`, `accept`, `user-agent`.
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Peer {
    /// A server on plain TCP.
    pub fn plain(address: SocketAddr, protocol: Protocol) -> Self {
        let authority = address.to_string();
        Self { address, authority, tls: None, protocol, headers: Vec::new() }
    }

    /// The same server over TLS, by the address as its name.
    #[must_use]
    pub fn with_tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some((config, ServerName::IpAddress(self.address.ip().into())));
        self
    }

    /// The same server, with one more header in every request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What is offered in the TLS handshake (ALPN).
    pub(crate) fn offers(&self) -> Vec<Vec<u8>> {
        let (h1, h2) = (b"http/1.1".to_vec(), b"h2".to_vec());
        match self.protocol {
            Protocol::Http1 => vec![h1],
            Protocol::Http2 => vec![h2],
            Protocol::Auto => vec![h2, h1],
        }
    }
}

impl fmt::Debug for Peer {
    /// Without the headers: they may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Peer");
        shown.field("address", &self.address).field("protocol", &self.protocol);
        shown.field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

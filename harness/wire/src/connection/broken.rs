//! Why a connection is over.

use std::io;

use crate::{h1, h2};

/// Why a connection is over. What was under way on it has no answer, or not
/// all of it.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It never came to be: nothing can have been seen of any request.
    #[error("connecting: {0}")]
    Connect(io::Error),
    /// The handshake failed: nothing can have been seen of any request.
    #[error("the TLS handshake: {0}")]
    Handshake(rustls::Error),
    /// The operating system says so.
    #[error("{0}")]
    Io(io::Error),
    /// TLS.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// The other side ended it.
    #[error("the server closed the connection")]
    Closed,
    /// The other side does not speak HTTP/1.1.
    #[error(transparent)]
    Http1(#[from] h1::BadAnswer),
    /// The other side does not speak HTTP/2.
    #[error(transparent)]
    Http2(#[from] h2::BadPeer),
}

impl From<rustls::Error> for Broken {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error)
    }
}

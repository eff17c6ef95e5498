//! HTTP/2 (RFC 9113), as far as a client of an API needs it.
//!
//! | module | idea |
//! |---|---|
//! | `frame` | frames: their heads, and the ones that a client sends |
//! | [`hpack`] | headers: constant ones once, and of an answer only what is looked at |
//! | `huffman` | the code of the headers' texts |
//! | `parser` | bytes to frames, data handed on as it comes |
//! | [`client`] | streams, flow control, settings |

pub mod client;
mod frame;
pub mod hpack;
mod huffman;
mod parser;

pub use client::{BadPeer, Client};

//! HTTP for measuring: one thread, no runtime.
//!
//! A load generator and thousands of watchers have the same needs: to know the
//! nanosecond at which bytes left and came, to spend next to nothing on each,
//! and to say of a request that failed whether the server can have seen it.
//! Here one thread waits for its sockets and its next instant in one system
//! call, and everything between the socket and the caller is a plain function
//! over bytes, so that it can be tested without a network.
//!
//! | module | idea |
//! |---|---|
//! | [`reactor`] | sockets and an exact timer, awaited together |
//! | [`peer`] | whom to talk to, and how |
//! | [`connection`] | a socket, perhaps TLS, and the protocol spoken over it |
//! | [`message`] | what is asked, and what comes back |
//! | `tls` | records to bytes and back, with the buffers of the caller |
//! | [`h1`] | HTTP/1.1, one request at a time |
//! | [`h2`] | HTTP/2, many at a time |
//!
//! Why not hyper: it is made for a runtime of tasks. Measured against the same
//! server, its client takes several times the CPU of this one for each request
//! (see `benches/`), and with it kab would measure itself.

pub mod connection;
pub mod h1;
pub mod h2;
pub mod message;
pub mod peer;
pub mod reactor;
mod socket;
mod tls;

pub use connection::{Broken, Connection, Scratch};
pub use message::{Event, Gone, Head, Media, Method, Request};
pub use peer::{Peer, Protocol};
pub use reactor::{Reactor, Ready, Waker};

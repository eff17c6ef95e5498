//! What is asked of a server, and what comes back.

use std::time::Duration;

/// A request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Read.
    Get,
    /// Make new.
    Post,
    /// Replace.
    Put,
    /// Change in part.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// As it is written on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, to be encoded at once. Names of headers are in lower case, and
/// neither they nor the values hold a line's end: whoever makes one from
/// foreign text checks it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What is to be done.
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// Headers beyond those that every request to the peer has.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; empty for none.
    pub body: &'a [u8],
}

/// The head of an answer, as far as it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// `Retry-After`, if it names seconds.
    pub retry_after: Option<Duration>,
}

/// Part of the answer to one request, in the order: head, data, end. Instead of
/// what would come next, `Gone` may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The head was read.
    Head(Head),
    /// A piece of the body, never empty.
    Data(&'a [u8]),
    /// The answer is complete.
    End,
    /// There will be no answer, or no more of it, though the connection goes on.
    Gone(Gone),
}

/// Why an answer ended early on a connection that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The server says that it has not looked at the request: `REFUSED_STREAM`,
    /// or a `GOAWAY` that names an earlier one as the last (RFC 9113, sections
    /// 6.8 and 8.7).
    Unprocessed,
    /// The server broke it off, with this error code of HTTP/2 (RFC 9113,
    /// section 7).
    Reset(u32),
}

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
    /// How the body is written, as `Content-Type` says.
    pub media: Media,
}

/// How a body is written, as far as an apiserver offers it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Media {
    /// Nothing is said of it.
    #[default]
    Unsaid,
    /// `application/json`
    Json,
    /// `application/cbor`, or a sequence of it (`application/cbor-seq`)
    Cbor,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
    /// Anything else.
    Other,
}

impl Media {
    /// That of a `Content-Type`, whose parameters (`;stream=watch`) are left
    /// out.
    pub fn of(value: &[u8]) -> Self {
        let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
        let is = |name: &str| value[..end].trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        if is("application/json") {
            Self::Json
        } else if is("application/vnd.kubernetes.protobuf") {
            Self::Protobuf
        } else if is("application/cbor") || is("application/cbor-seq") {
            Self::Cbor
        } else {
            Self::Other
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_told_apart_and_parameters_left_out() {
        for (value, media) in [
            ("application/json", Media::Json),
            ("Application/JSON ; charset=utf-8", Media::Json),
            ("application/json;stream=watch", Media::Json),
            ("application/cbor", Media::Cbor),
            ("application/cbor-seq", Media::Cbor),
            ("application/vnd.kubernetes.protobuf;stream=watch", Media::Protobuf),
            ("application/merge-patch+json", Media::Other),
            ("text/plain; charset=utf-8", Media::Other),
            ("application/jsonx", Media::Other),
            (";application/json", Media::Other),
            ("", Media::Other),
        ] {
            assert_eq!(Media::of(value.as_bytes()), media, "{value}");
        }
    }
}

//! What is answered: objects as a custom resource's endpoint gives them, made
//! once, with only the name, the UID and the resourceVersion filled in.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};

use super::config::Objects;
use super::watch::Stream;

/// The kind of object, as in the reference system.
const KIND: &str = r#""apiVersion":"kab.dev/v1","kind":"Todo""#;

/// The body of an answer.
pub(super) enum Answer {
    /// Known whole.
    Whole(VecDeque<Bytes>),
    /// Events, as they come.
    Watch(Box<Stream>),
}

impl From<Vec<u8>> for Answer {
    fn from(body: Vec<u8>) -> Self {
        Self::Whole(VecDeque::from([Bytes::from(body)]))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(rest) => Poll::Ready(rest.pop_front().map(|data| Ok(Frame::data(data)))),
            Self::Watch(stream) => {
                stream.poll_next(cx).map(|data| data.map(|data| Ok(Frame::data(data))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(rest) if rest.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(rest) => {
                SizeHint::with_exact(rest.iter().map(|part| part.len() as u64).sum())
            }
            Self::Watch(_) => SizeHint::new(),
        }
    }
}

/// Makes objects, each with a UID and a resourceVersion of its own.
#[derive(Debug)]
pub(super) struct Maker {
    /// What makes an object as large as it is to be.
    padding: String,
    listed: Bytes,
    /// UIDs of two servers differ.
    server: u32,
    made: AtomicU64,
}

impl Maker {
    pub(super) fn new(objects: &Objects, server: u32) -> Self {
        let mut maker =
            Self { padding: String::new(), listed: Bytes::new(), server, made: AtomicU64::new(0) };
        let bare = maker.object("listed-00000000", 0, 0).len();
        maker.padding = "x".repeat(objects.bytes.saturating_sub(bare));
        let mut listed = Vec::new();
        for n in 0..objects.listed {
            if n > 0 {
                listed.push(b',');
            }
            listed.extend(maker.object(&format!("listed-{n:08}"), u64::from(n), 1));
        }
        listed.extend_from_slice(b"]}");
        maker.listed = listed.into();
        maker
    }

    /// An object as JSON. `id` says what the reference system's gateway says in
    /// its own answers, so that one server can stand in for either.
    pub(super) fn object(&self, name: &str, number: u64, rv: u64) -> Vec<u8> {
        let server = self.server;
        let uid = format!("{server:08x}-0000-4000-8000-{:012x}", number & 0xffff_ffff_ffff);
        let padding = &self.padding;
        format!(
            "{{{KIND},\"metadata\":{{\"name\":\"{name}\",\"namespace\":\"kab\",\"uid\":\"{uid}\",\
             \"resourceVersion\":\"{rv}\"}},\"id\":\"{uid}\",\"spec\":{{\"message\":\"{padding}\"}}}}"
        )
        .into_bytes()
    }

    /// The answer to a write, or to a GET, of the object called `name`.
    pub(super) fn one(&self, status: StatusCode, name: &str, rv: u64) -> Response<Answer> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        json(status, self.object(name, number, rv).into())
    }

    /// The LIST as of `rv`. Its objects are always the same ones.
    pub(super) fn list(&self, rv: u64) -> Response<Answer> {
        let head = format!(
            "{{\"apiVersion\":\"kab.dev/v1\",\"kind\":\"TodoList\",\"metadata\":\
             {{\"resourceVersion\":\"{rv}\"}},\"items\":["
        );
        let parts = VecDeque::from([Bytes::from(head), self.listed.clone()]);
        json(StatusCode::OK, Answer::Whole(parts))
    }

    /// The watch event of the object called `name`, with its line's end.
    pub(super) fn event(&self, name: &str, number: u64, rv: u64) -> Vec<u8> {
        let object = self.object(name, number, rv);
        let mut line = Vec::with_capacity(object.len() + 40);
        line.extend_from_slice(br#"{"type":"MODIFIED","object":"#);
        line.extend(object);
        line.extend_from_slice(b"}\n");
        line
    }
}

/// A bookmark at `rv`.
pub(super) fn bookmark(rv: u64) -> Vec<u8> {
    format!(
        "{{\"type\":\"BOOKMARK\",\"object\":{{{KIND},\"metadata\":{{\"resourceVersion\":\"{rv}\"}}}}}}\n"
    )
    .into_bytes()
}

/// What a watcher is told that asks for more than is kept.
pub(super) fn expired() -> Vec<u8> {
    let status = failure(410, "Expired", "too old resource version");
    [br#"{"type":"ERROR","object":"#.as_slice(), &status, b"}\n"].concat()
}

/// The answer to a request that is refused.
pub(super) fn refused(status: u16) -> Response<Answer> {
    let reason = if status == 429 { "TooManyRequests" } else { "ServiceUnavailable" };
    let body = failure(status, reason, "refused by the script");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = json(status, body.into());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A `Status`, as an apiserver says why it does not do a thing.
fn failure(code: u16, reason: &str, message: &str) -> Vec<u8> {
    format!(
        "{{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{{}},\"status\":\"Failure\",\
         \"message\":\"{message}\",\"reason\":\"{reason}\",\"code\":{code}}}"
    )
    .into_bytes()
}

/// A response of JSON.
pub(super) fn json(status: StatusCode, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_json_of_the_size_asked_for() {
        for bytes in [1024, 4096] {
            let maker = Maker::new(&Objects { listed: 3, bytes }, 7);
            let object = maker.object("listed-00000001", 1, 5);
            assert_eq!(object.len(), bytes);
            let object: serde_json::Value = serde_json::from_slice(&object).unwrap();
            assert_eq!(object["metadata"]["resourceVersion"], "5");
            assert_eq!(object["metadata"]["uid"], object["id"]);
        }
        let small = Maker::new(&Objects { listed: 0, bytes: 1 }, 7).object("a", 1, 1);
        assert!(serde_json::from_slice::<serde_json::Value>(&small).is_ok());
    }

    #[test]
    fn lists_events_and_failures_are_json() {
        let maker = Maker::new(&Objects { listed: 3, bytes: 500 }, 7);
        let Answer::Whole(parts) = maker.list(9).into_body() else { panic!("a list is whole") };
        let list: serde_json::Value =
            serde_json::from_slice(&parts.into_iter().flatten().collect::<Vec<_>>()).unwrap();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(3));
        for line in [maker.event("a", 1, 2), bookmark(3), expired()] {
            let event: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert!(event["type"].is_string() && event["object"].is_object());
            assert_eq!(line.last(), Some(&b'\n'));
        }
    }
}

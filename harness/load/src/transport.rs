//! The load's own HTTP client: pooled HTTP/1.1 to one plain-HTTP address.
//!
//! It never retries an operation, and it tells apart what a ledger must tell
//! apart: what certainly was not applied, and what perhaps was.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper::body::Body;
use kab_evidence::id::{OpId, TRACEPARENT};
use kab_evidence::ledger::Outcome;

use crate::connection::{Broken, Connection, LONGEST_BODY, Reply, Written};

/// Longest excerpt of an answer that is kept to explain an outcome.
const LONGEST_DETAIL: usize = 200;

/// Where operations are sent, and how answers are to be read.
#[derive(Debug, Clone)]
pub struct Target {
    /// The gateway's address.
    pub address: SocketAddr,
    /// The path that creates are POSTed to: `/api/todo`.
    pub path: String,
    /// What a status means for the write: only the system under test can say
    /// which of its refusals cannot follow a write.
    pub classify: fn(u16) -> Outcome,
}

/// The path of a [`Target`] is not one.
#[derive(Debug, thiserror::Error)]
#[error("addressing the gateway: {path:?} is not a path such as /api/todo: {source}")]
pub struct BadPath {
    path: String,
    source: http::uri::InvalidUri,
}

/// How a request ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub outcome: Outcome,
    /// One of `http-NNN`, `connect-refused`, `connect-failed`,
    /// `connect-timeout`, `not-sent`, `connection-lost`, `deadline`.
    pub class: Cow<'static, str>,
    /// The body of the response; empty if there was none.
    pub body: Bytes,
    /// Bytes of the request's body, if it was sent at all.
    pub bytes_out: u64,
    pub detail: Option<String>,
}

/// A pool of connections to one target.
pub(crate) struct Transport {
    address: SocketAddr,
    uri: Uri,
    host: HeaderValue,
    classify: fn(u16) -> Outcome,
    /// Connections between two requests, the last used last: it is the least
    /// likely to have been closed.
    idle: Mutex<Vec<Connection>>,
}

/// Why there is no reply.
enum Fault {
    /// There is no connection.
    Connect(io::Error),
    /// There was one, and it broke.
    Lost { error: hyper::Error, status: Option<u16> },
}

/// How far a request came: the counter of the connection it was given to, and
/// where that stood.
#[derive(Default)]
struct Progress(Option<(Written, u64)>);

impl Progress {
    fn connected(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the kernel has taken a byte of the request. If not, nobody can
    /// have seen it.
    fn sent(&self) -> bool {
        self.0.as_ref().is_some_and(|(written, before)| written.bytes() > *before)
    }
}

impl Transport {
    pub(crate) fn new(target: &Target) -> Result<Self, BadPath> {
        let bad = |source| BadPath { path: target.path.clone(), source };
        // A socket address is made of characters that a header may hold.
        let host = HeaderValue::try_from(target.address.to_string())
            .unwrap_or(HeaderValue::from_static("localhost"));
        Ok(Self {
            address: target.address,
            uri: target.path.parse().map_err(bad)?,
            host,
            classify: target.classify,
            idle: Mutex::default(),
        })
    }

    /// The request of operation `op`, to be made ahead of its time.
    pub(crate) fn create(&self, op: OpId, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::post(self.uri.clone()).body(Full::new(body)).unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(traceparent) = HeaderValue::try_from(op.traceparent()) {
            headers.insert(TRACEPARENT, traceparent);
        }
        request
    }

    /// Sends `request` once and reads the answer, `deadline` at most for both
    /// and for connecting.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>, deadline: Duration) -> Answer {
        let size = request.body().size_hint().exact().unwrap_or(0);
        let mut progress = Progress::default();
        let ended = tokio::time::timeout(deadline, self.exchange(request, &mut progress)).await;
        let answer = match ended {
            Ok(Ok(reply)) => self.judge(reply),
            Ok(Err(Fault::Connect(error))) => unconnected(&error),
            Ok(Err(Fault::Lost { error, status })) => lost(&error, status, progress.sent()),
            Err(_) => late(&progress),
        };
        Answer { bytes_out: if progress.sent() { size } else { 0 }, ..answer }
    }

    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        progress: &mut Progress,
    ) -> Result<Reply, Fault> {
        loop {
            let (mut connection, fresh) = match self.checkout().await {
                Some(idle) => (idle, false),
                None => (Connection::open(self.address).await.map_err(Fault::Connect)?, true),
            };
            let written = connection.written();
            let before = written.bytes();
            progress.0 = Some((written, before));
            match connection.exchange(request).await {
                Ok(reply) => {
                    if !reply.cut {
                        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                    }
                    return Ok(reply);
                }
                // Closed while idle, and not a byte was sent: taking another
                // connection is no retry.
                Err(Broken::Unsent(back)) if !fresh => request = *back,
                Err(Broken::Unsent(_)) => {
                    let error = io::Error::other("closed as soon as it was made");
                    return Err(Fault::Connect(error));
                }
                Err(Broken::Lost { error, status }) => return Err(Fault::Lost { error, status }),
            }
        }
    }

    /// An idle connection that the other side has not closed, if there is one.
    async fn checkout(&self) -> Option<Connection> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = idle?;
            if connection.is_usable().await {
                return Some(connection);
            }
        }
    }

    fn judge(&self, reply: Reply) -> Answer {
        let outcome = (self.classify)(reply.status);
        let detail = (outcome != Outcome::Ok)
            .then(|| excerpt(&reply.body))
            .or_else(|| reply.cut.then(|| format!("body not read beyond {LONGEST_BODY} bytes")));
        Answer { outcome, class: http_class(reply.status), body: reply.body, bytes_out: 0, detail }
    }
}

fn http_class(status: u16) -> Cow<'static, str> {
    match status {
        // The usual ones cost no allocation.
        200 => "http-200".into(),
        201 => "http-201".into(),
        status => format!("http-{status}").into(),
    }
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * LONGEST_DETAIL)]);
    text.chars().take(LONGEST_DETAIL).collect()
}

fn without_reply(outcome: Outcome, class: &'static str, detail: String) -> Answer {
    Answer { outcome, class: class.into(), body: Bytes::new(), bytes_out: 0, detail: Some(detail) }
}

fn unconnected(error: &io::Error) -> Answer {
    let class = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect-refused",
        _ => "connect-failed",
    };
    without_reply(Outcome::Failed, class, error.to_string())
}

fn lost(error: &hyper::Error, status: Option<u16>, sent: bool) -> Answer {
    let cause = std::error::Error::source(error).map(|e| format!(": {e}")).unwrap_or_default();
    let after = status.map(|s| format!(", after status {s}")).unwrap_or_default();
    let detail = format!("{error}{cause}{after}");
    if sent {
        without_reply(Outcome::Indeterminate, "connection-lost", detail)
    } else {
        without_reply(Outcome::Failed, "not-sent", detail)
    }
}

fn late(progress: &Progress) -> Answer {
    match (progress.connected(), progress.sent()) {
        (_, true) => {
            let detail = "no complete answer within the deadline".to_owned();
            without_reply(Outcome::Indeterminate, "deadline", detail)
        }
        (true, false) => {
            let detail = "connected, but the request could not be written in time".to_owned();
            without_reply(Outcome::Failed, "not-sent", detail)
        }
        (false, false) => {
            let detail = "no connection within the deadline".to_owned();
            without_reply(Outcome::Failed, "connect-timeout", detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use rustix::net::{RecvFlags, recv};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Answers one request on each connection, and when told to, closes it
    /// without a word to the client.
    fn closes_idle_connections(listener: &TcpListener, close: &mpsc::Receiver<()>) {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            if close.recv().is_err() {
                return;
            }
        }
    }

    fn transport(address: SocketAddr) -> Transport {
        let classify = |_| Outcome::Ok;
        Transport::new(&Target { address, path: "/api/todo".into(), classify }).unwrap()
    }

    /// The runtime gets no turn between the closing and the next request, so
    /// that it cannot have told of it: the socket must be asked.
    #[tokio::test]
    async fn an_idle_connection_that_was_closed_costs_no_operation() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let transport = transport(listener.local_addr().unwrap());
        let (close, told) = mpsc::channel();
        std::thread::spawn(move || closes_idle_connections(&listener, &told));
        for n in 0..20 {
            let request = transport.create(OpId::new(1, n), Bytes::from_static(b"{}"));
            let answer = transport.send(request, MINUTE).await;
            assert_eq!(answer.class, "http-201", "request {n}: {answer:?}");
            close.send(()).unwrap();
            // Until the end of the pooled connection has reached this side.
            let idle = transport.idle.lock().unwrap().pop().unwrap();
            while recv(idle.probe(), &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT).is_err()
            {
                std::thread::yield_now();
            }
            transport.idle.lock().unwrap().push(idle);
        }
        assert_eq!(transport.idle.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_target_needs_a_path() {
        let address = ([127, 0, 0, 1], 80).into();
        let target = Target { address, path: "no path\n".into(), classify: |_| Outcome::Ok };
        assert!(Transport::new(&target).is_err());
    }

    #[test]
    fn details_are_short_and_never_split_a_character() {
        assert_eq!(excerpt("é".repeat(1000).as_bytes()).chars().count(), LONGEST_DETAIL);
        assert_eq!(excerpt(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}

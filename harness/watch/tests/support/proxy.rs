//! A proxy between a watcher and a real apiserver, which does to the events of
//! a watch what no server should.
//!
//! It speaks HTTP/1.1 and HTTP/2 without TLS to the watcher, and asks the
//! apiserver as the test's own client.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use kube::client::Body;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

/// What is done to the events, counted from 0 over all streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// This event is left out.
    Drop(usize),
    /// This event is sent twice.
    Duplicate(usize),
    /// This event is sent after the one that follows it.
    Swap(usize),
    /// This event is sent after the next, and after a bookmark of that.
    PastBookmark(usize),
    /// The stream is ended after this many events; the next one begins with the
    /// last of them again.
    Repeat(usize),
    /// The stream is ended after this many events; the next one lacks its first.
    Skip(usize),
    /// The stream is ended after this many events, and goes on as it should.
    Cut(usize),
    /// The stream is ended after this many events; the next one waits to be
    /// released, and then says 410.
    Expire(usize),
    /// Streams are opened, and nothing is ever sent on them.
    Mute,
}

pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    client: kube::Client,
    fault: Fault,
    events: AtomicUsize,
    streams: AtomicUsize,
    last: Mutex<Vec<u8>>,
    reopened: Notify,
    release: Notify,
}

impl Proxy {
    pub async fn start(client: kube::Client, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            client,
            fault,
            events: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            last: Mutex::default(),
            reopened: Notify::new(),
            release: Notify::new(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { address, shared, server }
    }

    /// Waits until the watcher has asked for a second stream.
    pub async fn reopened(&self) {
        tokio::time::timeout(super::PATIENCE, self.shared.reopened.notified()).await.unwrap();
    }

    /// Lets the second stream say 410.
    pub fn release(&self) {
        self.shared.release.notify_one();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(shared, request).await) }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            // A watcher that goes away is no failure of the test.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let target = request.uri().path_and_query().unwrap().to_string();
    let watch = target.contains("watch=");
    let stream = if watch { shared.streams.fetch_add(1, SeqCst) } else { 0 };
    if stream > 0 {
        shared.reopened.notify_one();
    }
    if watch && stream == 1 && matches!(shared.fault, Fault::Expire(_)) {
        shared.release.notified().await;
        let gone = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#;
        let body = Full::new(Bytes::from(format!("{gone}\n")));
        return Response::new(body.boxed());
    }
    let mut asked = Request::get(&target);
    if let Some(accept) = request.headers().get(http::header::ACCEPT) {
        asked = asked.header(http::header::ACCEPT, accept);
    }
    let asked = asked.body(Body::empty()).unwrap();
    let (head, body) = shared.client.send(asked).await.unwrap().into_parts();
    let status = head.status;
    let body = if watch && status == 200 {
        let (out, lines) = mpsc::unbounded_channel::<Vec<u8>>();
        tokio::spawn(forward(shared, body, stream, out));
        let lines = futures::stream::unfold(lines, async |mut lines| {
            let line = lines.recv().await?;
            Some((Ok(Frame::data(Bytes::from(line))), lines))
        });
        BodyExt::boxed(StreamBody::new(Box::pin(lines)))
    } else {
        Full::new(body.collect().await.unwrap().to_bytes()).boxed()
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer
}

/// Passes the lines of a watch on, but for the fault.
async fn forward(
    shared: Arc<Shared>,
    body: Body,
    stream: usize,
    out: mpsc::UnboundedSender<Vec<u8>>,
) {
    let mut frames = body.into_data_stream();
    let (mut rest, mut held) = (Vec::new(), None::<Vec<u8>>);
    let again = shared.last.lock().unwrap().clone();
    if stream == 1 && matches!(shared.fault, Fault::Repeat(_)) {
        let _ = out.send(again);
    }
    loop {
        let piece = tokio::select! {
            () = out.closed() => return,
            piece = frames.next() => piece,
        };
        let Some(Ok(piece)) = piece else { return };
        rest.extend_from_slice(&piece);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if shared.fault == Fault::Mute {
                continue;
            }
            if !is_change(&line) {
                let _ = out.send(line);
                continue;
            }
            let n = shared.events.fetch_add(1, SeqCst);
            shared.last.lock().unwrap().clone_from(&line);
            match shared.fault {
                Fault::Drop(at) if n == at => {}
                // The first of the second stream.
                Fault::Skip(at) if n == at && stream == 1 => {}
                Fault::Duplicate(at) if n == at => {
                    let _ = (out.send(line.clone()), out.send(line));
                }
                Fault::Swap(at) | Fault::PastBookmark(at) if n == at => held = Some(line),
                _ => {
                    let bookmark = bookmark(&line);
                    let _ = out.send(line);
                    if let Some(late) = held.take() {
                        if matches!(shared.fault, Fault::PastBookmark(_)) {
                            let _ = out.send(bookmark);
                        }
                        let _ = out.send(late);
                    }
                }
            }
            let (Fault::Cut(after)
            | Fault::Repeat(after)
            | Fault::Skip(after)
            | Fault::Expire(after)) = shared.fault
            else {
                continue;
            };
            if stream == 0 && n + 1 == after {
                return;
            }
        }
    }
}

fn is_change(line: &[u8]) -> bool {
    let event: serde_json::Value = serde_json::from_slice(line).unwrap();
    ["ADDED", "MODIFIED", "DELETED"].contains(&event["type"].as_str().unwrap())
}

/// A bookmark of the revision of the event in `line`.
fn bookmark(line: &[u8]) -> Vec<u8> {
    let event: serde_json::Value = serde_json::from_slice(line).unwrap();
    let rv = &event["object"]["metadata"]["resourceVersion"];
    let bookmark = serde_json::json!({
        "type": "BOOKMARK", "object": { "kind": "Todo", "metadata": { "resourceVersion": rv } },
    });
    format!("{bookmark}\n").into_bytes()
}

//! A subscriber: the application that informers notify of changes.
//!
//! A real HTTP server. It notes when each notification had been read, writes it
//! down, answers 200, and lets others await what has been delivered. It can be
//! told to misbehave: to refuse, to say nothing, not to be there.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kab_evidence::clock::Mono;
use kab_evidence::id::{OpId, RESOURCE_VERSION, TRACEPARENT};
use kab_evidence::jsonl::{JsonlError, JsonlWriter};
use kab_evidence::span::Span;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

/// The path that informers POST notifications to.
pub const NOTIFICATIONS_PATH: &str = "/api/todonotifications";

/// A notification is two short fields; more than this is none.
const LONGEST_NOTIFICATION: usize = 64 * 1024;

/// How long requests that had begun are awaited when it stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long after a try to listen again the next one follows.
const RETRY: Duration = Duration::from_millis(10);

/// What a subscriber does with notifications.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// It takes them.
    #[default]
    Normal,
    /// It answers with this status and forgets them.
    Refuse(StatusCode),
    /// It reads them and never answers: hangs up when it behaves otherwise.
    Silent,
    /// It does not listen, and hangs up on whoever was connected.
    Down,
}

/// A subscriber could not be started or stopped properly.
#[derive(Debug, thiserror::Error)]
pub enum SubscriberError {
    /// No socket.
    #[error("listening on 127.0.0.1 for subscriber {index}: {source}")]
    Listen {
        /// Which subscriber.
        index: u32,
        /// What the operating system said.
        source: io::Error,
    },
    /// The spans could not be written.
    #[error(transparent)]
    Spans(#[from] JsonlError),
}

/// A running subscriber. Dropped without [`Self::stop`], it stops listening,
/// and what it wrote down so far is kept.
#[derive(Debug)]
pub struct Subscriber {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Told, or dropped: the server ends.
    ending: watch::Sender<bool>,
    server: JoinHandle<()>,
    /// Whether it listens.
    listens: watch::Receiver<bool>,
}

#[derive(Debug)]
struct Shared {
    index: u32,
    spans: JsonlWriter<Span>,
    /// Operations in the order of their notifications, repeated ones too: a
    /// reader goes on from where it left off.
    delivered: Mutex<Vec<OpId>>,
    arrived: Notify,
    /// What it does, and how often it was told.
    behaviour: watch::Sender<(Behaviour, u64)>,
}

impl Subscriber {
    /// Starts subscriber `index` on a free port of 127.0.0.1. Its receipts go to
    /// `subscriber-<index>.jsonl` in `spans_dir`.
    ///
    /// # Errors
    /// If there is no socket, or the file cannot be opened.
    pub async fn start(index: u32, spans_dir: &Path) -> Result<Self, SubscriberError> {
        let listen = |source| SubscriberError::Listen { index, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let spans = JsonlWriter::append_to(&spans_dir.join(format!("subscriber-{index}.jsonl")))?;
        let shared = Arc::new(Shared {
            index,
            spans,
            delivered: Mutex::default(),
            arrived: Notify::new(),
            behaviour: watch::Sender::default(),
        });
        let (ending, ended) = watch::channel(false);
        let (listening, listens) = watch::channel(true);
        let server = tokio::spawn(serve(listener, address, Arc::clone(&shared), ended, listening));
        Ok(Self { address, shared, ending, server, listens })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that an informer is to POST to.
    pub fn url(&self) -> String {
        format!("http://{}{NOTIFICATIONS_PATH}", self.address)
    }

    /// Behaves so from now on; with `time` given, normally again after it, unless
    /// it was told otherwise meanwhile. When this returns, it does: a subscriber
    /// that is down does not listen, one that is up again does.
    pub async fn behave(&self, behaviour: Behaviour, time: Option<Duration>) {
        let told = self.shared.tell(behaviour);
        let mut listens = self.listens.clone();
        let up = behaviour != Behaviour::Down;
        // An error means that the server has ended.
        let _ = listens.wait_for(|listens| *listens == up).await;
        if let Some(time) = time {
            let behaviour = self.shared.behaviour.clone();
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                recover(&behaviour, told);
            });
        }
    }

    /// How many notifications have arrived that name an operation, repeated
    /// ones counted each time.
    pub fn notifications(&self) -> usize {
        self.shared.delivered.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until a notification of each of `ops` has arrived, `at_most` so
    /// long; how many have not.
    pub async fn await_delivered(&self, ops: &[OpId], at_most: Duration) -> usize {
        let mut missing: HashSet<OpId> = ops.iter().copied().collect();
        let all_there = async {
            let mut seen = 0;
            loop {
                let arrived = self.shared.arrived.notified();
                seen = self.strike_out(&mut missing, seen);
                if missing.is_empty() {
                    break;
                }
                arrived.await;
            }
        };
        // What is still missing then is the answer.
        let _ = tokio::time::timeout(at_most, all_there).await;
        missing.len()
    }

    /// Removes from `missing` what was delivered after the first `seen`.
    fn strike_out(&self, missing: &mut HashSet<OpId>, seen: usize) -> usize {
        let delivered = self.shared.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        for op in &delivered[seen..] {
            missing.remove(op);
        }
        delivered.len()
    }

    /// Stops listening, lets requests that had begun finish, and writes out all
    /// receipts; how many there were.
    ///
    /// # Errors
    /// If a receipt could not be written.
    pub async fn stop(self) -> Result<u64, SubscriberError> {
        // Whoever is kept waiting is let go.
        self.shared.tell(Behaviour::Normal);
        let _ = self.ending.send(true);
        let _ = self.server.await;
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.spans.finish()?),
            // Unreachable: the server, which has ended, held the only others.
            Err(_) => Ok(0),
        }
    }
}

async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    ending: watch::Receiver<bool>,
    listening: watch::Sender<bool>,
) {
    let mut ended = ending.clone();
    let mut behaviour = shared.behaviour.subscribe();
    let mut connections = JoinSet::new();
    let mut open = Some(listener);
    loop {
        let Some(listener) = &open else {
            // Down, until it is told otherwise.
            tokio::select! {
                biased;
                () = told(&mut ended) => break,
                up = listen_again(&mut behaviour, address) => open = Some(up),
            }
            listening.send_replace(true);
            continue;
        };
        tokio::select! {
            biased;
            () = told(&mut ended) => break,
            () = down(&mut behaviour) => {
                open = None;
                connections.shutdown().await;
                listening.send_replace(false);
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(answer(stream, Arc::clone(&shared), ending.clone()));
                }
                // Out of file descriptors, or the peer was gone: the next may do.
                Err(_) => tokio::time::sleep(RETRY).await,
            },
        }
    }
    drop(open);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, all).await.is_err() {
        connections.shutdown().await;
    }
}

/// Waits until the subscriber is to be down.
async fn down(behaviour: &mut watch::Receiver<(Behaviour, u64)>) {
    // The sender lives as long as the server.
    let _ = behaviour.wait_for(|(now, _)| *now == Behaviour::Down).await;
}

/// Waits until the subscriber is to be up again, and listens where it did.
async fn listen_again(
    behaviour: &mut watch::Receiver<(Behaviour, u64)>,
    address: SocketAddr,
) -> TcpListener {
    let _ = behaviour.wait_for(|(now, _)| *now != Behaviour::Down).await;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            // Somebody else has the port for a moment.
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

/// Waits until the subscriber is to end.
async fn told(ending: &mut watch::Receiver<bool>) {
    // An error means that it was dropped, which ends it just as well.
    let _ = ending.wait_for(|ending| *ending).await;
}

async fn answer(stream: TcpStream, shared: Arc<Shared>, mut ended: watch::Receiver<bool>) {
    // Without it an answer may wait 40 ms; the socket works either way.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { shared.receive(request).await }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = told(&mut ended) => connection.as_mut().graceful_shutdown(),
    }
    // A connection that breaks has its notifications missing: that is evidence
    // enough, and the informer's spans tell the other side of it.
    let _ = connection.await;
}

/// Said nothing for as long as it was to: the connection is cut.
#[derive(Debug, thiserror::Error)]
#[error("the subscriber says nothing")]
struct Silence;

/// A notification, as informers send it. An id may be missing or empty: that an
/// informer does not know what it announces is for the oracles to find.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    #[serde(default)]
    todo_id: Option<String>,
}

/// Has it behave normally again, unless it was told something since it was
/// `told` so often.
fn recover(behaviour: &watch::Sender<(Behaviour, u64)>, told: u64) {
    behaviour.send_if_modified(|(now, times)| {
        let same = *times == told;
        if same {
            *now = Behaviour::Normal;
        }
        same
    });
}

impl Shared {
    /// Tells it how to behave; how often it was told then.
    fn tell(&self, behaviour: Behaviour) -> u64 {
        self.behaviour.send_modify(|(now, told)| {
            *now = behaviour;
            *told += 1;
        });
        self.behaviour.borrow().1
    }

    async fn receive(&self, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Silence> {
        let behaviour = self.behaviour.borrow().0;
        match behaviour {
            Behaviour::Normal | Behaviour::Down => Ok(self.take(request).await),
            Behaviour::Refuse(with) => {
                // Read, as an application would before it finds that it cannot.
                let _ = Limited::new(request.into_body(), LONGEST_NOTIFICATION).collect().await;
                Ok(status(with))
            }
            Behaviour::Silent => {
                let mut behaviour = self.behaviour.subscribe();
                let _ = behaviour.wait_for(|(now, _)| *now != Behaviour::Silent).await;
                Err(Silence)
            }
        }
    }

    async fn take(&self, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        if request.uri().path() != NOTIFICATIONS_PATH {
            return status(StatusCode::NOT_FOUND);
        }
        if request.method() != Method::POST {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LONGEST_NOTIFICATION).collect().await else {
            return status(StatusCode::BAD_REQUEST);
        };
        let received = Mono::now();
        let Ok(notification) = serde_json::from_slice::<Notification>(&body.to_bytes()) else {
            return status(StatusCode::BAD_REQUEST);
        };
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let op = header(TRACEPARENT).and_then(OpId::from_traceparent);
        self.spans.append(Span::Delivery {
            op,
            subscriber: self.index,
            uid: notification.todo_id.unwrap_or_default(),
            rv: header(RESOURCE_VERSION).map(str::to_owned),
            received,
        });
        if let Some(op) = op {
            self.delivered.lock().unwrap_or_else(PoisonError::into_inner).push(op);
            self.arrived.notify_waiters();
        }
        status(StatusCode::OK)
    }
}

fn status(status: StatusCode) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    response
}

//! The apiserver's own spans, taken in while it runs.
//!
//! The apiserver sends them by OTLP over gRPC, some time after they ended. They
//! are written down as they come, on the run's clock; what belongs to which
//! operation is found out afterwards (`kab_evidence::join`).
//!
//! Their times are calendar times. The distance between the two clocks is
//! measured anew with each message, so that it is wrong only by what they moved
//! against each other since the message before.

mod grpc;
mod proto;
mod spans;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kab_evidence::clock::WallOffset;
use kab_evidence::id::OpId;
use kab_evidence::jsonl::{JsonlError, JsonlWriter};
use kab_evidence::record::TracingRecord;
use kab_evidence::span::Span;
use kab_lab::local::{Client, Local};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use grpc::{Answer, INVALID_ARGUMENT, Refused};

/// How long the last spans are waited for. They come after half a second.
const FAREWELL: Duration = Duration::from_secs(10);

/// Spans could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// No socket.
    #[error("listening on 127.0.0.1 for the apiserver's spans: {0}")]
    Listen(#[source] io::Error),
    /// They could not be written.
    #[error(transparent)]
    Spans(#[from] JsonlError),
}

/// Takes in spans, until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Told, or dropped: connections end.
    ending: watch::Sender<bool>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    spans: JsonlWriter<Span>,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug)]
struct State {
    record: TracingRecord,
    first: WallOffset,
    last: WallOffset,
    /// Traces that somebody waits for, until they come.
    wanted: HashSet<OpId>,
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1; spans go to `apiserver.jsonl` in
    /// `spans_dir`.
    ///
    /// # Errors
    /// If there is no socket, or the file cannot be opened.
    pub async fn start(spans_dir: &Path) -> Result<Self, OtlpError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(OtlpError::Listen)?;
        let address = listener.local_addr().map_err(OtlpError::Listen)?;
        let spans = JsonlWriter::append_to(&spans_dir.join("apiserver.jsonl"))?;
        let first = WallOffset::measure();
        let record = TracingRecord { clock_error: first.error, ..TracingRecord::default() };
        let state = State { record, first, last: first, wanted: HashSet::new() };
        let state = Mutex::new(state);
        let shared = Arc::new(Shared { spans, state, arrived: Notify::new() });
        let (ending, closed) = watch::channel(false);
        let server = tokio::spawn(serve(listener, Arc::clone(&shared), closed));
        Ok(Self { address, shared, ending, server })
    }

    /// Where spans are to be sent.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for a span of `trace`, `at_most` so long; whether it came. To be
    /// asked for before it can come.
    async fn await_trace(&self, trace: OpId, at_most: Duration) -> bool {
        let came = async {
            loop {
                let arrived = self.shared.arrived.notified();
                if !self.shared.lock().wanted.contains(&trace) {
                    break;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(at_most, came).await.is_ok()
    }

    /// Makes sure that `local`'s apiserver has nothing left to send, and ends.
    /// Spans are sent in the order in which they ended; so once that of a last
    /// request has come, all before it have.
    pub async fn finish(
        self,
        local: &Local,
        nonce: u64,
    ) -> (TracingRecord, Result<(), JsonlError>) {
        let last = OpId::new(!nonce, 0);
        self.shared.lock().wanted.insert(last);
        let asked = match (
            Client::new(local.server(), local.admin()),
            HeaderValue::from_str(&last.traceparent()),
        ) {
            (Ok(client), Ok(traceparent)) => {
                client.get_traced("/version", traceparent).await.is_ok()
            }
            _ => false,
        };
        let complete = asked && self.await_trace(last, FAREWELL).await;
        self.end(complete).await
    }

    async fn end(mut self, complete: bool) -> (TracingRecord, Result<(), JsonlError>) {
        self.ending.send_replace(true);
        self.server.abort();
        // Aborted: that it says so is no news.
        let _ = (&mut self.server).await;
        let mut record = {
            let mut state = self.shared.lock();
            state.read_clock();
            state.record.clock_drift = state.last.ahead.saturating_sub(state.first.ahead);
            state.record.clone()
        };
        record.complete = complete;
        // A connection may still hold the file for a moment: so not taken away.
        (record, self.shared.spans.flush())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in one message.
    fn export(&self, message: Result<bytes::Bytes, Refused>) -> Result<(), Refused> {
        let found = message.and_then(|message| {
            spans::spans(&message).map_err(|_| Refused(INVALID_ARGUMENT, "not spans"))
        });
        let mut state = self.lock();
        state.record.exports += 1;
        let found = found.inspect_err(|Refused(status, why)| {
            state.record.refused += 1;
            tracing::warn!(status, why, "spans of the apiserver refused");
        })?;
        let clock = state.read_clock();
        state.record.spans += found.len() as u64;
        for span in found {
            state.wanted.remove(&OpId::from_bytes(span.trace));
            self.spans.append(span.on(clock));
        }
        drop(state);
        self.arrived.notify_waiters();
        Ok(())
    }
}

impl State {
    /// Measures the distance of the clocks, and how far it has moved.
    fn read_clock(&mut self) -> WallOffset {
        let now = WallOffset::measure();
        let error = now.ahead.abs_diff(self.last.ahead).saturating_add(now.error);
        self.record.clock_error = self.record.clock_error.max(error);
        self.last = now;
        now
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, closed: watch::Receiver<bool>) {
    loop {
        // What a failed accept says of one connection is no matter of the next.
        if let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(connection(stream, Arc::clone(&shared), closed.clone()));
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, mut closed: watch::Receiver<bool>) {
    let service = service_fn(move |request| call(Arc::clone(&shared), request));
    let builder = http2::Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // The receiver is gone.
        _ = closed.changed() => {}
        served = serving => {
            if let Err(error) = served {
                tracing::debug!(%error, "a connection with spans ended");
            }
        }
    }
}

async fn call(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Answer, std::convert::Infallible> {
    let message = grpc::message(request).await;
    Ok(grpc::answer(shared.export(message)))
}

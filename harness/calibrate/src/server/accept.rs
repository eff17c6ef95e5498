//! Connections: taken, served, and cut when the script says that the server
//! is gone.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use kab_evidence::clock::Mono;
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::ServerError;
use super::evidence::{Absence, Witness};
use super::script::nanos;
use super::serve::Server;

/// Receive windows of HTTP/2, in bytes: never what a client waits for.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 26;

/// Takes connections, for ever.
pub(super) async fn listen(server: &Arc<Server>) -> Result<(), ServerError> {
    let mut down: Vec<(Mono, Mono)> = server
        .config
        .script
        .down
        .iter()
        .map(|window| {
            let from = server.origin.plus(window.at.duration());
            (from, Mono::from_nanos(from.nanos().saturating_add(nanos(window.lasts))))
        })
        .collect();
    down.sort();
    let first = server.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut listener = first.map_or_else(|| bind(server), Ok)?;
    for (from, until) in down {
        let left = tokio::select! {
            ended = take(server, listener) => return ended,
            left = instant(server, from) => left,
        };
        // With the future that took them, all connections are cut by now, and
        // the socket that listened is closed. Their tasks let go of them when
        // they have their turn.
        while server.connections.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        let closed = Mono::now();
        server.timer.wait_until(until).await;
        let back = Mono::now();
        listener = bind(server)?;
        server.notebook.note(Witness::Gone(Absence { left, closed, back }));
    }
    take(server, listener).await
}

/// Waits for `at`, and says when it was over.
async fn instant(server: &Server, at: Mono) -> Mono {
    server.timer.wait_until(at).await;
    Mono::now()
}

/// Counts a connection for as long as it is there.
struct Counted<'a>(&'a AtomicU64);

impl<'a> Counted<'a> {
    fn new(all: &'a AtomicU64) -> Self {
        all.fetch_add(1, Ordering::Release);
        Self(all)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

fn bind(server: &Server) -> Result<StdListener, ServerError> {
    let address = server.ready.address;
    StdListener::bind(address).map_err(ServerError::io(format!("listening on {address} again")))
}

/// Takes connections and serves them, until dropped.
async fn take(server: &Arc<Server>, listener: StdListener) -> Result<(), ServerError> {
    let listening = |error| ServerError::io("listening")(error);
    listener.set_nonblocking(true).map_err(listening)?;
    let listener = TcpListener::from_std(listener).map_err(listening)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let server = Arc::clone(server);
                    connections.spawn(async move {
                        if let Err(error) = connection(&server, stream).await {
                            tracing::debug!(%error, "a connection ended");
                        }
                    });
                }
                // No file descriptor is free, for example: others go on.
                Err(error) => {
                    tracing::error!(%error, "accepting a connection");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(server: &Arc<Server>, stream: TcpStream) -> io::Result<()> {
    // Let go of after the stream, which the rest of this has.
    let _counted = Counted::new(&server.connections);
    stream.set_nodelay(true)?;
    if server.config.script.reset.is_some() || !server.config.script.down.is_empty() {
        // Closing is then a reset.
        set_socket_linger(&stream, Some(Duration::ZERO))?;
    }
    match &server.tls {
        Some(acceptor) => speak(server, acceptor.accept(stream).await?).await,
        None => speak(server, stream).await,
    }
}

/// Speaks HTTP on a connection, in the version that the client begins with.
async fn speak<S>(server: &Arc<Server>, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().keep_alive(true).pipeline_flush(true).auto_date_header(false);
    builder
        .http2()
        .auto_date_header(false)
        .max_concurrent_streams(server.config.max_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // Clients that give up are no attack here.
        .max_pending_accept_reset_streams(1 << 20)
        .max_local_error_reset_streams(None);
    let service = service_fn(|request| {
        let server = Arc::clone(server);
        async move { server.answer(request).await }
    });
    builder.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

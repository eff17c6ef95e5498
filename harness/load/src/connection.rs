//! One HTTP/1.1 connection, driven by whoever uses it.
//!
//! hyper wants its connection polled beside the request. Here the task of the
//! operation does both, so that a request costs no hand-over between tasks, and
//! a connection that nobody uses costs nothing.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{Fuse, FusedFuture};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use rustix::net::{RecvFlags, recv};
use tokio::net::TcpStream;

/// Most of a response body that is kept. What is longer is cut off, and its
/// connection is not used again.
pub(crate) const LONGEST_BODY: usize = 1 << 20;

/// A connection that carries one request at a time.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    /// The same socket, to look at without reading from it.
    probe: OwnedFd,
    written: Written,
}

/// Boxed: it is large, and moves with the connection from one operation to the
/// next.
type Driver = Fuse<Pin<Box<http1::Connection<Wire, Full<Bytes>>>>>;

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub body: Bytes,
    /// Whether there was more than [`LONGEST_BODY`].
    pub cut: bool,
}

/// Why nothing came back, or not all of it.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The connection was closed before it took the request: here it is again.
    Unsent(Box<Request<Full<Bytes>>>),
    /// It broke at some time after it took the request. Whether it had reached
    /// the kernel, [`Written`] knows.
    Lost { error: hyper::Error, status: Option<u16> },
}

/// How many bytes of requests the kernel has taken from this connection. As
/// long as it has taken none, the other side cannot have seen the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<AtomicU64>);

impl Written {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connection {
    /// Connects; nothing of HTTP is sent yet.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let probe = stream.as_fd().try_clone_to_owned()?;
        let written = Written::default();
        let wire = Wire { stream: TokioIo::new(stream), written: written.clone() };
        let (sender, driver) =
            http1::Builder::new().handshake(wire).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Box::pin(driver).fuse(), probe, written })
    }

    pub(crate) fn written(&self) -> Written {
        self.written.clone()
    }

    /// Whether an idle connection can take a request, as far as this side can
    /// know now. The socket itself is asked, since the runtime may not have
    /// heard of its end yet.
    pub(crate) async fn is_usable(&mut self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let quiet = matches!(recv(&self.probe, &mut [0_u8; 1], flags), Err(e) if e == rustix::io::Errno::AGAIN);
        if !quiet {
            // Closed, broken, or sending what nobody asked for.
            return false;
        }
        poll_fn(|cx| {
            let _ = self.driver.poll_unpin(cx);
            Poll::Ready(())
        })
        .await;
        !self.driver.is_terminated() && self.sender.is_ready()
    }

    #[cfg(test)]
    pub(crate) fn probe(&self) -> &OwnedFd {
        &self.probe
    }

    /// Sends `request` and reads the whole answer.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, Broken> {
        let answer = self.sender.try_send_request(request);
        let work = async {
            match answer.await {
                Ok(response) => read(response).await,
                Err(mut unsent) => Err(match unsent.take_message() {
                    Some(request) => Broken::Unsent(Box::new(request)),
                    None => Broken::Lost { error: unsent.into_error(), status: None },
                }),
            }
        };
        drive(&mut self.driver, work).await
    }
}

/// Polls `work`, and the connection that it waits for.
async fn drive<T>(driver: &mut Driver, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        // The connection first: what it reads, `work` waits for. How it ended,
        // `work` is told as well.
        let _ = driver.poll_unpin(cx);
        work.as_mut().poll(cx)
    })
    .await
}

async fn read(response: Response<Incoming>) -> Result<Reply, Broken> {
    let status = response.status().as_u16();
    let mut rest = response.into_body();
    let mut body = Bytes::new();
    while let Some(frame) = rest.frame().await {
        let frame = frame.map_err(|error| Broken::Lost { error, status: Some(status) })?;
        let Ok(data) = frame.into_data() else { continue };
        if body.len() + data.len() > LONGEST_BODY {
            return Ok(Reply { status, body, cut: true });
        }
        // Almost always the only piece, and then not copied.
        body = if body.is_empty() { data } else { [body, data].concat().into() };
    }
    Ok(Reply { status, body, cut: false })
}

/// A TCP stream that counts what it wrote.
struct Wire {
    stream: TokioIo<TcpStream>,
    written: Written,
}

impl Wire {
    fn count(&self, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = wrote {
            self.written.0.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        wrote
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count(wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.count(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

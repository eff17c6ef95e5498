//! A server of hyper's, and a client that waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use kab_evidence::clock::Mono;
use kab_wire::{Broken, Connection, Event, Media, Peer, Protocol, Reactor, Request, Scratch};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

type Body = BoxBody<Bytes, std::io::Error>;

/// A server that ends with this.
pub struct Server {
    address: SocketAddr,
    trust: Option<Arc<ClientConfig>>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    pub fn start(secure: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, trust) = secure.then(tls).unzip();
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, acceptor.clone()));
            }
        });
        Self { address, trust, _runtime: runtime }
    }

    pub fn peer(&self, protocol: Protocol) -> Peer {
        let peer = Peer::plain(self.address, protocol).with_header("x-constant", "constant");
        match &self.trust {
            Some(config) => peer.with_tls(Arc::clone(config)),
            None => peer,
        }
    }
}

fn tls() -> (TlsAcceptor, Arc<ClientConfig>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), Arc::new(client))
}

async fn serve(stream: TcpStream, acceptor: Option<TlsAcceptor>) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(64).initial_stream_window_size(20_000);
    let service = service_fn(answer);
    let _ = match acceptor {
        Some(acceptor) => {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            builder.serve_connection(TokioIo::new(stream), service).await
        }
        None => builder.serve_connection(TokioIo::new(stream), service).await,
    };
}

async fn answer(request: http::Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).map_or("", |value| value.to_str().unwrap());
    let path = head.uri.path().to_owned();
    let mut response = Response::builder();
    if !header("x-type").is_empty() {
        response = response.header("content-type", header("x-type"));
    }
    let said = match path.as_str() {
        "/echo" => {
            response = response.status(StatusCode::CREATED);
            let front = format!("{path} {} {} ", header("x-extra"), header("x-constant"));
            let body = body.collect().await.unwrap().to_bytes();
            [front.as_bytes(), &body].concat()
        }
        "/method" => head.method.as_str().as_bytes().to_vec(),
        "/ticks" => {
            let ticks = futures_like(|n| Some(Ok(Frame::data(Bytes::from(format!("{n}\n"))))));
            return Ok(response.body(ticks).unwrap());
        }
        "/break" => {
            let broken = |n| {
                Some(match n {
                    0 => Ok(Frame::data(Bytes::from_static(b"begun"))),
                    _ => Err(std::io::Error::other("broken off")),
                })
            };
            return Ok(response.body(futures_like(broken)).unwrap());
        }
        other => {
            let status: u16 = other.strip_prefix("/status/").unwrap().parse().unwrap();
            if status == 429 {
                response = response.header("retry-after", "7");
            }
            response = response.status(status);
            Vec::new()
        }
    };
    Ok(response.body(Full::new(Bytes::from(said)).map_err(|never| match never {}).boxed()).unwrap())
}

/// A body of the frames that `make` makes, with a turn for others in between.
fn futures_like(
    make: impl Fn(u64) -> Option<Result<Frame<Bytes>, std::io::Error>> + Send + Sync + 'static,
) -> Body {
    struct Frames<F>(F, u64, bool);
    impl<F: Fn(u64) -> Option<Result<Frame<Bytes>, std::io::Error>> + Unpin> futures::Stream
        for Frames<F>
    {
        type Item = Result<Frame<Bytes>, std::io::Error>;

        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            self.2 = !self.2;
            if self.2 {
                cx.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            self.1 += 1;
            std::task::Poll::Ready((self.0)(self.1 - 1))
        }
    }
    let make = Box::new(make);
    BodyExt::boxed(StreamBody::new(Frames(make, 0, false)))
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<u64>,
    pub media: Media,
    pub body: Vec<u8>,
    pub first: Mono,
    pub last: Mono,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// One connection, and what it takes to wait for it.
pub struct Client {
    pub reactor: Reactor,
    pub connection: Connection,
    scratch: Scratch,
}

impl Client {
    /// Begins to connect.
    pub fn begin(peer: &Peer) -> Self {
        let reactor = Reactor::new().unwrap();
        let connection = Connection::open(&reactor, 5, &Rc::new(peer.clone())).unwrap();
        Self { reactor, connection, scratch: Scratch::default() }
    }

    /// Connects.
    pub fn connect(peer: &Peer) -> Self {
        let mut client = Self::begin(peer);
        while !client.connection.is_open() {
            client.turn(|_, _, _| ()).unwrap();
        }
        client
    }

    fn turn(&mut self, mut sink: impl FnMut(Mono, u64, Event<'_>)) -> Result<(), Broken> {
        self.connection.flush(&self.reactor)?;
        let mut ready = Vec::new();
        self.reactor.wait(None, &mut ready).unwrap();
        for ready in ready {
            assert_eq!(ready.key, 5);
            self.connection.ready(&self.reactor, ready, &mut self.scratch, &mut sink)?;
        }
        Ok(())
    }

    /// Waits until `done` says so of an event.
    pub fn until(&mut self, mut done: impl FnMut(u64, Event<'_>) -> bool) {
        let mut over = false;
        while !over {
            self.turn(|_, tag, event| over |= done(tag, event)).unwrap();
        }
    }

    /// Waits until the connection is over.
    pub fn until_broken(&mut self) -> Broken {
        loop {
            if let Err(broken) = self.turn(|_, _, _| ()) {
                return broken;
            }
        }
    }

    /// Waits until `count` answers are whole.
    pub fn until_all(&mut self, count: usize) -> HashMap<u64, Answer> {
        let mut answers: HashMap<u64, Answer> = HashMap::new();
        let mut ended = 0;
        while ended < count {
            self.turn(|at, tag, event| match event {
                Event::Head(head) => {
                    let retry_after = head.retry_after.map(|d| d.as_secs());
                    let body = Vec::new();
                    let (status, media) = (head.status, head.media);
                    let answer = Answer { status, retry_after, media, body, first: at, last: at };
                    assert!(answers.insert(tag, answer).is_none());
                }
                // Of a stream that had begun before, only the rest is seen.
                Event::Data(data) => {
                    if let Some(answer) = answers.get_mut(&tag) {
                        answer.body.extend_from_slice(data);
                    }
                }
                Event::End => {
                    answers.get_mut(&tag).unwrap().last = at;
                    ended += 1;
                }
                Event::Gone(gone) => panic!("{tag}: {gone:?}"),
            })
            .unwrap();
        }
        answers
    }

    /// One request, and its answer.
    pub fn call(&mut self, tag: u64, request: &Request<'_>) -> Answer {
        assert!(self.connection.room() > 0);
        self.connection.send(tag, request);
        self.until_all(1).remove(&tag).unwrap()
    }

    /// The same, and `each` sees the tag of every event meanwhile.
    pub fn call_watching(&mut self, tag: u64, request: &Request<'_>, each: impl Fn(u64)) -> Answer {
        self.connection.send(tag, request);
        let answers = self.until_all(1);
        answers.keys().for_each(|tag| each(*tag));
        answers.into_values().next().unwrap()
    }
}

/// A body that differs everywhere.
pub fn large(size: usize) -> Vec<u8> {
    (0..size).map(|n| b'a' + u8::try_from(n * n % 26).unwrap()).collect()
}

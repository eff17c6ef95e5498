//! One request, from having been read to its answer.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use kab_evidence::clock::Mono;
use kab_evidence::id::{OpId, TRACEPARENT};
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, Maker, json, refused};
use super::config::ServerConfig;
use super::evidence::{Notebook, Seen, Witness};
use super::script::{Fate, Play};
use super::timer::Timer;
use super::watch::{Ask, Feed};
use super::{CutOff, Ready, ServerError, tls};

/// What all connections share.
pub(super) struct Server {
    pub config: ServerConfig,
    pub ready: Ready,
    /// The origin of the script's times.
    pub origin: Mono,
    pub tls: Option<TlsAcceptor>,
    pub timer: Timer,
    pub feed: Arc<Feed>,
    pub notebook: Arc<Notebook>,
    pub maker: Maker,
    /// The first socket that listens.
    pub listener: Mutex<Option<TcpListener>>,
    /// Connections that are there.
    pub connections: AtomicU64,
    play: Mutex<Play>,
    /// Whether anything is written when the server ends.
    keeps_evidence: bool,
}

impl Server {
    /// Listens, and is ready.
    pub(super) fn start(config: ServerConfig) -> Result<Arc<Self>, ServerError> {
        let (tls, ca) = match config.tls.then(tls::acceptor).transpose()? {
            Some((acceptor, ca)) => (Some(acceptor), Some(ca)),
            None => (None, None),
        };
        let listening = || format!("listening on {}", config.address);
        let listener = TcpListener::bind(config.address).map_err(ServerError::io(listening()))?;
        let address = listener.local_addr().map_err(ServerError::io(listening()))?;
        let timer = Timer::start().map_err(ServerError::io("making a timer"))?;
        let at = Mono::now();
        let origin = config.origin.unwrap_or(at);
        let notebook = Arc::new(Notebook::default());
        notebook.note(Witness::Began { origin });
        let identity = RandomState::new().hash_one(std::process::id()) >> 32;
        Ok(Arc::new(Self {
            ready: Ready { address, ca, at },
            origin,
            tls,
            timer,
            feed: Arc::new(Feed::new(config.watch.kept, Arc::clone(&notebook))),
            notebook,
            maker: Maker::new(&config.objects, u32::try_from(identity).unwrap_or(0)),
            listener: Mutex::new(Some(listener)),
            connections: AtomicU64::new(0),
            play: Mutex::new(Play::new(config.script.clone(), origin)),
            keeps_evidence: config.evidence.is_some(),
            config,
        }))
    }

    /// Whether there is a connection, or a watch.
    pub(super) fn is_used(&self) -> bool {
        self.connections.load(Ordering::Acquire) > 0 || self.feed.open_streams() > 0
    }

    /// Waits for `at`, or, if the server stands still then, for the end of
    /// that.
    pub(super) async fn wait_until(&self, at: Mono) {
        let at = self.play.lock().unwrap_or_else(PoisonError::into_inner).finish(at, 0);
        self.timer.wait_until(at).await;
    }

    /// Answers a request, as the script says.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, CutOff> {
        let (head, mut body) = request.into_parts();
        while !body.is_end_stream() {
            match body.frame().await {
                Some(Ok(_)) => {}
                // Nobody is there to be answered.
                Some(Err(_)) => return Err(CutOff),
                None => break,
            }
        }
        let received = Mono::now();
        let header = head.headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        let op = header.and_then(OpId::from_traceparent);
        let query = head.uri.query().unwrap_or_default();
        if head.method == Method::GET
            && let Some(ask) = Ask::of(query, op)
        {
            let stream = self.feed.open(ask);
            return Ok(json(StatusCode::OK, Answer::Watch(Box::new(stream))));
        }
        let note = |seen| self.notebook.note(Witness::Request(seen));
        let seen = Seen { op, received, answered: None, status: None };
        let place = self.keeps_evidence.then(|| note(seen));
        let (fate, due) = self.play.lock().unwrap_or_else(PoisonError::into_inner).arrive(received);
        if due > received {
            self.timer.wait_until(due).await;
        }
        let response = match fate {
            Fate::Answered => Some(self.granted(&head.method, head.uri.path())),
            Fate::Refused(status) => Some(refused(status)),
            Fate::Reset => None,
        };
        if let Some(place) = place {
            let status = response.as_ref().map(|response| response.status().as_u16());
            self.notebook.answered(place, Mono::now(), status);
        }
        response.ok_or(CutOff)
    }

    /// What an endpoint of a custom resource answers.
    fn granted(&self, method: &Method, path: &str) -> Response<Answer> {
        let last = path.rsplit('/').next().unwrap_or_default();
        match *method {
            Method::POST => self.maker.one(StatusCode::CREATED, "created", self.feed.next_rv()),
            Method::PUT | Method::PATCH | Method::DELETE => {
                self.maker.one(StatusCode::OK, last, self.feed.next_rv())
            }
            // The collection is named in the plural, as every resource is; an
            // object's name has a digit in it.
            _ if last.bytes().any(|b| b.is_ascii_digit()) => {
                self.maker.one(StatusCode::OK, last, self.feed.rv())
            }
            _ => self.maker.list(self.feed.rv()),
        }
    }
}

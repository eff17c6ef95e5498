//! A load, run on a thread of its own: every operation is started when its time
//! has come, whatever became of those before it.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::OpRecord;
use kab_wire::{Peer, Protocol, Reactor, Waker};
use tokio::sync::oneshot;

use crate::arrivals::Arrivals;
use crate::engine::{Engine, Orders};
use crate::summary::LoadSummary;
use crate::work::Work;

/// Connections over HTTP/2 that a load has unless it says otherwise: more than
/// one, because a server may serve one connection on one processor only.
const HTTP2_CONNECTIONS: u32 = 4;

/// A load.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// What the operations are.
    pub work: Work,
    /// When each is due.
    pub arrivals: Arrivals,
    /// When the arrivals begin. A few milliseconds ahead, so that the first
    /// operation is not late; the same for all who share a load.
    pub start: Mono,
    /// Most operations in flight; one that is due beyond them is not sent, and
    /// counted as missed.
    pub max_in_flight: u32,
    /// Most connections of each identity. If none is said: over HTTP/1.1 as
    /// many as operations in flight, over HTTP/2 four.
    pub connections: Option<u32>,
    /// How the generator waits for the next instant.
    pub waiting: Waiting,
    /// Whether the first operation that is not acknowledged ends the load.
    pub must_succeed: bool,
}

/// How the generator waits for the next instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Waiting {
    /// In the kernel, by its timer: some ten microseconds late, and next to no
    /// CPU.
    #[default]
    Timer,
    /// In the kernel until shortly before, then without sleeping.
    Hybrid,
    /// Without sleeping: as exact as it gets, for a whole processor.
    Spin,
}

impl Waiting {
    /// How long before the instant [`Self::Hybrid`] stops sleeping.
    pub(crate) const MARGIN: Duration = Duration::from_micros(100);
}

impl LoadSpec {
    /// How many connections identity `index` may have.
    pub(crate) fn connections_of(&self, index: usize) -> usize {
        let http2 = self.work.peers.get(index).is_some_and(speaks_http2);
        let usual = if http2 { HTTP2_CONNECTIONS } else { self.max_in_flight };
        usize::try_from(self.connections.unwrap_or(usual)).unwrap_or(usize::MAX)
    }

    /// Whether connections are opened before the first operation needs one:
    /// where there are few of them, and a handshake would be in its time.
    pub(crate) fn opens_ahead(&self, peer: &Peer) -> bool {
        speaks_http2(peer) || self.connections.is_some()
    }
}

fn speaks_http2(peer: &Peer) -> bool {
    match peer.protocol {
        Protocol::Http1 => false,
        Protocol::Http2 => true,
        Protocol::Auto => peer.tls.is_some(),
    }
}

/// A load could not be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No thread, or nothing to wait with.
    #[error(
        "starting the generator's thread: {0}; check the limits of threads and open files \
         (ulimit -u, ulimit -n)"
    )]
    Start(io::Error),
    /// The kernel refused to wait.
    #[error("waiting for the load's connections: {0}")]
    Wait(io::Error),
    /// The thread is gone without having said anything.
    #[error("the generator's thread ended without a result; this is a defect of kab")]
    Lost,
}

/// Runs the load of `spec` to its end, or until `stop` is ready.
///
/// Every operation that comes due is in `ledger` exactly once when this
/// returns, and also if the future is dropped. When stopped, it sends nothing
/// more, and awaits what is in flight, its deadline at most.
///
/// Of the instants in the ledger, `sent` is when the request was handed to the
/// transport: before a connection is found or, if none is idle, made. So
/// `sent` − `intended` is the generator's own delay and nothing else, while the
/// time to connect is part of the service time, as any client would feel it.
/// `done` is when the last byte of the answer was read, or when it was clear
/// that there will be none.
///
/// # Errors
/// If it cannot begin. That operations fail is no error.
pub async fn run_load(
    spec: &LoadSpec,
    ledger: &Arc<JsonlWriter<OpRecord>>,
    stop: impl Future<Output = ()>,
) -> Result<LoadSummary, LoadError> {
    let (mut running, mut result) = Running::start(spec.clone(), Arc::clone(ledger))?;
    let mut stop = pin!(stop);
    let mut stopped = false;
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut result => break ended,
            () = &mut stop, if !stopped => {
                stopped = true;
                running.order(Orders::FINISH);
            }
        }
    };
    running.join();
    ended.map_err(|_| LoadError::Lost)?
}

/// A generator at work. Dropped, it writes down what is in flight, and ends.
struct Running {
    orders: Arc<Orders>,
    waker: Waker,
    thread: Option<thread::JoinHandle<()>>,
}

type Outcome = Result<LoadSummary, LoadError>;

impl Running {
    fn start(
        spec: LoadSpec,
        ledger: Arc<JsonlWriter<OpRecord>>,
    ) -> Result<(Self, oneshot::Receiver<Outcome>), LoadError> {
        let orders = Arc::new(Orders::default());
        let its = Arc::clone(&orders);
        let (started, waker) = std::sync::mpsc::channel();
        let (tell, result) = oneshot::channel();
        let thread = thread::Builder::new().name("load".into()).spawn(move || {
            // Made here, because it makes this thread's timers exact.
            let reactor = match Reactor::new() {
                Ok(reactor) => reactor,
                Err(error) => {
                    let _ = tell.send(Err(LoadError::Start(error)));
                    return;
                }
            };
            let _ = started.send(reactor.waker());
            let ended = Engine::new(&spec, &ledger, &its, reactor).run();
            // Let go of before it is told, for whoever wants to close it then.
            drop(ledger);
            let _ = tell.send(ended.map_err(LoadError::Wait));
        });
        let thread = Some(thread.map_err(LoadError::Start)?);
        match waker.recv() {
            Ok(waker) => Ok((Self { orders, waker, thread }, result)),
            Err(_) => {
                Err(result.blocking_recv().ok().and_then(Result::err).unwrap_or(LoadError::Lost))
            }
        }
    }

    fn order(&self, order: u8) {
        self.orders.give(order);
        self.waker.wake();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic has been told by the hook; the result is missing then.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.order(Orders::ABANDON);
            self.join();
        }
    }
}

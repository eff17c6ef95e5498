#![allow(dead_code, reason = "each test file uses a part of it")]
//! A gateway of the tests' own, which misbehaves as it is told.

pub mod scripted;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::{self, JsonlWriter};
use kab_evidence::ledger::{OpRecord, Outcome};
use kab_load::{
    Arrivals, Deadlines, Gateway, Identities, LoadSpec, Mix, Schedule, Todos, Waiting, Work,
};
use kab_wire::{Peer, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the server does with a request that it has read.
#[derive(Clone)]
pub enum Manner {
    /// Answers with this status and body.
    Answers(u16, String),
    /// Answers, and closes without having said so.
    AnswersAndCloses,
    /// Promises a hundred bytes, sends nine, closes.
    BreaksOff,
    /// Closes without an answer.
    HangsUp,
    /// Never says anything.
    Silent,
    /// Says more and more.
    NeverEnds,
    /// Answers once the gate is open.
    Gated(watch::Receiver<bool>),
    /// Answers nothing for this long from the given request on.
    Stalls { at: usize, lasts: Duration },
}

#[derive(Clone)]
pub struct Request {
    pub traceparent: String,
    pub body: Vec<u8>,
}

pub struct Server {
    pub address: SocketAddr,
    pub state: Arc<State>,
}

pub struct State {
    manner: Manner,
    pub connections: Mutex<usize>,
    requests: watch::Sender<Vec<Request>>,
    /// Beginning and end of the stall; held while it lasts.
    pub stall: tokio::sync::Mutex<Option<(Mono, Mono)>>,
}

impl Server {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            manner,
            connections: Mutex::default(),
            requests: watch::Sender::new(Vec::new()),
            stall: tokio::sync::Mutex::default(),
        });
        let its = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *its.connections.lock().unwrap() += 1;
                tokio::spawn(Arc::clone(&its).serve(stream));
            }
        });
        Self { address, state }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.borrow().clone()
    }

    /// Waits until so many requests have been read.
    pub fn has_read(&self, count: usize) -> impl Future<Output = ()> + use<> {
        let mut requests = self.state.requests.subscribe();
        async move {
            requests.wait_for(|requests| requests.len() >= count).await.unwrap();
        }
    }
}

impl State {
    async fn serve(self: Arc<Self>, mut stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).unwrap();
        let mut buffer = Vec::new();
        loop {
            let request = read(&mut stream, &mut buffer).await?;
            let mut number = 0;
            self.requests.send_modify(|requests| {
                requests.push(request);
                number = requests.len();
            });
            match &self.manner {
                Manner::Answers(status, body) => answer(&mut stream, *status, body).await?,
                Manner::AnswersAndCloses => return answer(&mut stream, 201, "{}").await,
                Manner::BreaksOff => {
                    let part = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"id\":\"a\"";
                    return stream.write_all(part).await.ok();
                }
                Manner::HangsUp => return None,
                Manner::Silent => std::future::pending().await,
                Manner::NeverEnds => {
                    stream.write_all(b"HTTP/1.1 201 Created\r\n\r\n").await.ok()?;
                    while stream.write_all(b"and so on, ").await.is_ok() {}
                    return None;
                }
                Manner::Gated(gate) => {
                    gate.clone().wait_for(|open| *open).await.ok()?;
                    answer(&mut stream, 201, r#"{"id":"gated"}"#).await?;
                }
                Manner::Stalls { at, lasts } => {
                    {
                        let mut stall = self.stall.lock().await;
                        if number == *at {
                            let start = Mono::now();
                            tokio::time::sleep(*lasts).await;
                            *stall = Some((start, Mono::now()));
                        }
                    }
                    answer(&mut stream, 201, r#"{"id":"stalled"}"#).await?;
                }
            }
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, body: &str) -> Option<()> {
    let length = body.len();
    let text = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.ok()
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let header = |name: &str| {
                let lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
            };
            let length: usize = header("content-length").unwrap().parse().unwrap();
            if buffer.len() >= end + 4 + length {
                assert!(head.starts_with("POST /api/todo HTTP/1.1\r\n"), "{head}");
                assert_eq!(header("content-type").unwrap(), "application/json");
                let body = buffer[end + 4..end + 4 + length].to_vec();
                let traceparent = header("traceparent").unwrap();
                buffer.drain(..end + 4 + length);
                return Some(Request { traceparent, body });
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// 2xx is ok, 4xx certainly not applied, the rest perhaps.
pub fn classify(status: u16) -> Outcome {
    match status {
        200..300 => Outcome::Ok,
        400..500 => Outcome::Failed,
        _ => Outcome::Indeterminate,
    }
}

pub fn work(address: SocketAddr) -> Work {
    Work {
        step: "write".to_owned(),
        mix: Mix::creates(),
        todos: Todos::new("write", 7, 100).unwrap(),
        existing: None,
        deadlines: Deadlines::all(Duration::from_secs(60)),
        identities: Identities::ONE,
        peers: vec![Peer::plain(address, Protocol::Http1)],
        dialect: Arc::new(Gateway { path: "/api/todo".to_owned(), classify }),
        nonce: 0xfeed,
        first_sequence: 1000,
    }
}

/// `count` operations, at `rate` a second from now on.
pub fn load(address: SocketAddr, rate: f64, count: u32) -> LoadSpec {
    let duration = Duration::from_secs_f64(f64::from(count) / rate);
    LoadSpec {
        work: work(address),
        arrivals: Arrivals::Open(Schedule::constant(rate, duration).unwrap()),
        start: Mono::now(),
        max_in_flight: 10_000,
        connections: None,
        waiting: Waiting::Timer,
        must_succeed: false,
    }
}

/// The schedule of `spec`, which has one.
pub fn schedule(spec: &LoadSpec) -> &Schedule {
    let Arrivals::Open(schedule) = &spec.arrivals else { panic!("no schedule: {spec:?}") };
    schedule
}

/// A ledger on disk, read again once it is finished.
pub struct Ledger {
    pub writer: Arc<JsonlWriter<OpRecord>>,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Ledger {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ops.jsonl");
        Self { writer: Arc::new(JsonlWriter::append_to(&path).unwrap()), path, _dir: dir }
    }

    /// How many lines have been written yet.
    pub fn lines_so_far(&self) -> usize {
        std::fs::read(&self.path).unwrap().iter().filter(|&&byte| byte == b'\n').count()
    }

    /// Its lines, of which no two are of the same operation.
    pub fn finish(self) -> Vec<OpRecord> {
        // Whoever wrote is done by now.
        Arc::into_inner(self.writer).unwrap().finish().unwrap();
        let records: Vec<OpRecord> = lines(&self.path);
        let ops: BTreeSet<_> = records.iter().map(|record| record.op).collect();
        assert_eq!(ops.len(), records.len(), "an operation is in the ledger twice");
        records
    }
}

pub fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Vec<T> {
    let lines = jsonl::read(path).unwrap();
    assert!(!lines.truncated);
    lines.values
}

/// The first `reached` operations of `spec`, each once, at the instants that
/// the schedule wanted; and none sent before its time.
pub fn assert_on_schedule(spec: &LoadSpec, reached: u64, records: &[OpRecord]) {
    let mut records: Vec<_> = records.iter().collect();
    records.sort_by_key(|record| record.intended);
    assert_eq!(records.len() as u64, reached);
    for (record, (index, due)) in records.iter().zip(schedule(spec).from(spec.start)) {
        assert_eq!(record.op, spec.work.op(index));
        assert_eq!(record.intended, due);
        assert_eq!(record.key.as_deref(), Some(&*spec.work.todos.code(index)));
        assert!(record.sent.is_none_or(|sent| sent >= due), "{record:?}");
        assert!(record.done.is_none_or(|done| Some(done) >= record.sent), "{record:?}");
    }
}

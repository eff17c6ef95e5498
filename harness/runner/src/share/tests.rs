//! Loads shared by workers that are tasks of this process, joined to the
//! coordinator by streams in memory, against a server that takes everything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kab_evidence::jsonl::{self, JsonlWriter};
use kab_evidence::ledger::{OpRecord, Outcome};
use kab_load::crew::{News, read};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

/// Answers every request with 201, and counts them.
#[derive(Default)]
struct Server {
    taken: AtomicU64,
    news: Notify,
}

impl Server {
    async fn start() -> (Arc<Self>, SocketAddr) {
        let (server, listener) = (Arc::new(Self::default()), TcpListener::bind("127.0.0.1:0"));
        let listener = listener.await.unwrap();
        let address = listener.local_addr().unwrap();
        let its = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&its).serve(stream));
            }
        });
        (server, address)
    }

    async fn serve(self: Arc<Self>, stream: tokio::net::TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            if line.is_empty() {
                return;
            }
            stream.read_exact(&mut vec![0; length]).await.unwrap();
            self.taken.fetch_add(1, Ordering::Relaxed);
            self.news.notify_waiters();
            let answer = "HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\n{\"id\":\"u\"}";
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// Waits until it has taken so many requests.
    async fn took(&self, wanted: u64) {
        loop {
            let news = self.news.notified();
            if self.taken.load(Ordering::Relaxed) >= wanted {
                return;
            }
            news.await;
        }
    }
}

fn job(address: SocketAddr, dir: &Path, seconds: f64) -> Job {
    Job {
        step: "write".into(),
        load: serde_json::from_value(json!({
            "rate": "200/s", "duration": format!("{seconds}s"), "maxInFlight": 50,
        }))
        .unwrap(),
        seed: 7,
        nonce: 9,
        first_sequence: 1_000,
        reach: Reach::Gateway { address, one_status: true },
        existing: None,
        ledger: dir.join("ops-write-{}.jsonl"),
    }
}

/// A worker as a task.
fn worker() -> (Link, JoinHandle<Result<(), WorkerError>>) {
    let (orders, its_orders) = duplex(1 << 16);
    let (its_news, news) = duplex(1 << 16);
    let task = tokio::spawn(async move { work(BufReader::new(its_orders), its_news).await });
    (Link { news: lines(news), orders: Box::new(orders) }, task)
}

fn lines(from: DuplexStream) -> futures::stream::BoxStream<'static, String> {
    let lines = BufReader::new(from).lines();
    stream::unfold(lines, |mut lines| async move {
        lines.next_line().await.ok().flatten().map(|line| (line, lines))
    })
    .boxed()
}

fn ledgers(dir: &Path) -> Vec<OpRecord> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        jsonl::for_each(&file.unwrap().path(), |record: OpRecord| all.push(record)).unwrap();
    }
    all.sort_by_key(|record| record.op);
    all
}

#[tokio::test]
async fn three_workers_send_what_one_would_have_sent() {
    let (_server, address) = Server::start().await;
    let (together, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut seen = Vec::new();
    for (dir, of) in [(&together, 3), (&alone, 1)] {
        let (links, tasks): (Vec<_>, Vec<_>) = (0..of).map(|_| worker()).unzip();
        let shared = coordinate(&job(address, dir.path(), 0.5), links, pending()).await;
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert!(shared.merged.lost.is_empty(), "{:?}", shared.merged.lost);
        let report = shared.merged.report;
        assert_eq!((report.scheduled, report.reached, report.ok), (100, 100, 100));
        assert_eq!((report.acked.count(), report.lateness.count()), (100, 100));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), of);
        let start = shared.start.unwrap();
        // Ids, names, and instants from the start on.
        let ops = ledgers(dir.path()).into_iter();
        seen.push(ops.map(|op| (op.op, op.key, op.intended.since(start))).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_worker_that_dies_is_noticed_and_what_it_owed_is_accounted_for() {
    let (server, address) = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let job = job(address, dir.path(), 1.0);
    let (links, mut tasks): (Vec<_>, Vec<_>) = (0..2).map(|_| worker()).unzip();
    let dies = async {
        server.took(20).await;
        // Its streams end with it, as those of a killed process.
        tasks[1].abort();
    };
    let (shared, ()) = tokio::join!(coordinate(&job, links, pending()), dies);
    tasks.remove(0).await.unwrap().unwrap();
    let lost = &shared.merged.lost;
    assert_eq!((lost.len(), lost[0].worker, lost[0].scheduled), (1, 1, 100));
    let mut report = shared.merged.report;
    assert_eq!((report.scheduled, report.ok), (100, 100), "the other one goes on");

    let start = shared.start.unwrap();
    let spec = job.spec(1, 2, start).await.unwrap();
    let (at, own) = (shared.lost_at[1].unwrap(), job.ledger_of(1));
    let main = JsonlWriter::append_to(&dir.path().join("ops.jsonl")).unwrap();
    report.merge(&account::account(&spec, 2, &own, at, &main).unwrap());
    main.finish().unwrap();
    assert_eq!((report.scheduled, report.reached), (200, 200));
    assert!(report.missed > 0, "{report:?}");
    assert_eq!(report.ok + report.failed + report.indeterminate + report.missed, 200);
    // Every operation of the schedule is in a ledger, once.
    let ops = ledgers(dir.path());
    let numbers: Vec<_> = ops.iter().map(|op| op.op.number()).collect();
    assert_eq!(numbers, (1_000..1_200).collect::<Vec<_>>());
    let never_sent = |op: &&OpRecord| op.outcome == Outcome::Missed;
    assert!(ops.iter().filter(never_sent).all(|op| op.intended > at && op.class == "worker-lost"));
    let counted = ops.iter().filter(never_sent).count() as u64;
    assert_eq!(counted, report.missed);
    let mut by_class = BTreeMap::new();
    ops.iter().for_each(|op| *by_class.entry(op.class.clone()).or_insert(0) += 1);
    assert_eq!(by_class, report.classes);
}

#[tokio::test]
async fn a_stop_is_heard_by_all() {
    let (server, address) = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (links, tasks): (Vec<_>, Vec<_>) = (0..2).map(|_| worker()).unzip();
    let job = job(address, dir.path(), 3_600.0);
    let shared = coordinate(&job, links, server.took(10)).await;
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let report = shared.merged.report;
    assert!(shared.merged.lost.is_empty() && report.reached < report.scheduled, "{report:?}");
    assert_eq!(ledgers(dir.path()).len() as u64, report.reached);
    assert_eq!(report.ok, report.reached, "what was in flight was awaited");
}

#[tokio::test]
async fn a_worker_whose_coordinator_is_gone_stops() {
    let (server, address) = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (links, mut tasks): (Vec<_>, Vec<_>) = (0..1).map(|_| worker()).unzip();
    let job = job(address, dir.path(), 3_600.0);
    tokio::select! {
        _ = coordinate(&job, links, pending()) => panic!("it cannot be over"),
        () = server.took(3) => {}
    }
    // It ends, by itself.
    let _ = tasks.remove(0).await.unwrap();
    assert!(ledgers(dir.path()).len() >= 3);
}

#[tokio::test]
async fn a_worker_that_cannot_do_it_says_so_and_the_load_is_off() {
    let dir = tempfile::tempdir().unwrap();
    let (links, tasks): (Vec<_>, Vec<_>) = (0..2).map(|_| worker()).unzip();
    let mut job = job("127.0.0.1:9".parse().unwrap(), dir.path(), 1.0);
    job.reach = Reach::Apiserver { namespace: "n".into(), kubeconfigs: vec!["nonsense".into()] };
    let shared = coordinate(&job, links, pending()).await;
    assert!(shared.start.is_none());
    let why = &shared.merged.lost[0].why;
    assert!(why.contains("of the load's account 0"), "{why}");
    for task in tasks {
        assert!(task.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn orders_of_another_version_are_refused() {
    let (mut orders, its_orders) = duplex(1 << 16);
    let (its_news, news) = duplex(1 << 16);
    let task = tokio::spawn(async move { work(BufReader::new(its_orders), its_news).await });
    orders.write_all(b"{\"protocol\":2,\"message\":\"assign\"}\n").await.unwrap();
    let line = lines(news).next().await.unwrap();
    let News::Failed { reason } = read(&line).unwrap() else { panic!("{line}") };
    assert!(reason.contains("version 2"), "{reason}");
    assert!(matches!(task.await.unwrap(), Err(WorkerError::Protocol(_))));
}

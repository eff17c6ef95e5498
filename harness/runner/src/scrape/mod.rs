//! Asks the apiserver and etcd for their own metrics, throughout a cell.
//!
//! On a thread of its own, so that reading a page of megabytes makes nobody
//! late. A server that does not answer is written down as such, and asked
//! again: a gap is evidence. What asking costs is written down as well.
//!
//! An answer is one moment of the server: it gathers all values before it
//! writes the first. They are dated when the head of the answer was read.

mod page;
mod table;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kab_evidence::clock::{Mono, thread_cpu};
use kab_evidence::exposition::Lines;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::series::{Sample, UP};
use kab_lab::local::{Client, ClientError, Local};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use page::{Changes, Page, Wanted};
use table::{APISERVER, ETCD};

/// How often every server is asked.
const PERIOD: Duration = Duration::from_secs(2);

/// How long whoever asks for a scrape waits for it. A server may take longer,
/// and is waited for behind their back.
const BOUNDARY: Duration = Duration::from_secs(1);

/// A scraper under way. Dropping it ends it.
#[derive(Debug)]
pub struct Scraper {
    requests: mpsc::Sender<oneshot::Sender<()>>,
    stop: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<()>,
    thread: Option<thread::JoinHandle<()>>,
}

/// A server that is scraped.
#[derive(Debug)]
struct Target {
    of: &'static str,
    client: Client,
    wanted: Wanted,
    changes: Changes,
    up: bool,
    bad: bool,
}

/// Where what is found goes.
pub struct Sink {
    /// The series.
    pub series: Arc<JsonlWriter<Sample>>,
    /// Told in a sentence when a server stops answering.
    pub warn: Box<dyn Fn(String) + Send>,
}

impl Scraper {
    /// Starts to scrape the servers of `local`; none if there is no control plane.
    ///
    /// # Errors
    /// If a client or the thread cannot be made.
    pub fn start(local: Option<&Local>, sink: Sink) -> Result<Self, ScrapeError> {
        let Some(local) = local else { return Self::start_with(Vec::new(), sink) };
        let targets = vec![
            Target::new("kube-apiserver", Client::new(local.server(), local.admin())?, APISERVER),
            Target::new("etcd", Client::new(local.etcd_url(), local.etcd_client())?, ETCD),
        ];
        Self::start_with(targets, sink)
    }

    fn start_with(targets: Vec<Target>, sink: Sink) -> Result<Self, ScrapeError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (requests, requested) = mpsc::channel(4);
        let (stop, stopped) = oneshot::channel();
        let (ending, ended) = oneshot::channel();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    // Asked to, or forgotten.
                    _ = stopped => {}
                    () = scrape_on(targets, &sink, requested) => {}
                }
            });
            // Before the word is given, so that whoever hears it is the last
            // who holds the series.
            drop(sink);
            let _ = ending.send(());
        };
        let thread = thread::Builder::new().name("scraper".into()).spawn(work)?;
        Ok(Self { requests, stop: Some(stop), ended, thread: Some(thread) })
    }

    /// Has every server scraped now, and waits until it is, but no longer
    /// than a second.
    pub async fn now(&self) {
        let done = async {
            let (done, heard) = oneshot::channel();
            if self.requests.send(done).await.is_ok() {
                let _ = heard.await;
            }
        };
        let _ = tokio::time::timeout(BOUNDARY, done).await;
    }

    /// Ends it, whatever is under way.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        let _ = (&mut self.ended).await;
        if let Some(thread) = self.thread.take() {
            // It has nothing left to do.
            let _ = thread.join();
        }
    }
}

/// Scrapes every period, and whenever asked.
async fn scrape_on(
    mut targets: Vec<Target>,
    sink: &Sink,
    mut requested: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            biased;
            Some(asked) = requested.recv() => Some(asked),
            _ = ticks.tick() => None,
        };
        futures::future::join_all(targets.iter_mut().map(|target| target.scrape(sink))).await;
        let cpu = thread_cpu().as_secs_f64();
        sink.series.append(Sample::new(Mono::now(), "kab", "scrape_cpu_seconds_total", cpu));
        ticks.reset();
        if let Some(asked) = asked {
            let _ = asked.send(());
        }
    }
}

impl Target {
    fn new(of: &'static str, client: Client, table: &'static [table::Kept]) -> Self {
        let changes = Changes::default();
        Self { of, client, wanted: Wanted::new(table), changes, up: true, bad: false }
    }

    /// Asks once, and writes down what came of it.
    async fn scrape(&mut self, sink: &Sink) {
        let asked = Mono::now();
        let mut page = Page::new(&self.wanted);
        let (mut lines, mut bytes, mut answered) = (Lines::default(), 0u64, None);
        let status = self
            .client
            .get_in_pieces("/metrics", |at, piece| {
                answered = Some(at);
                bytes += piece.len() as u64;
                lines.feed(piece, |line| page.line(line));
            })
            .await;
        let problem = match status {
            Err(error) => Some(error.to_string()),
            Ok(status) if !status.is_success() => Some(format!("it answered {status}")),
            Ok(_) if !lines.whole() => Some("its answer was cut off".to_owned()),
            Ok(_) if page.is_empty() => Some("its answer has none of the metrics".to_owned()),
            Ok(_) => None,
        };
        let at = answered.unwrap_or(asked);
        let put = |metric: &str, value: f64| {
            sink.series.append(Sample::new(at, self.of, metric, value));
        };
        let took = Mono::now().since(asked);
        put("scrape_duration_seconds", took.as_secs_f64());
        match problem {
            None => {
                put("scrape_bytes", float(bytes));
                put(UP, 1.0);
                if let Some((lines, why)) = page.bad {
                    put("scrape_bad_lines", float(lines));
                    if !std::mem::replace(&mut self.bad, true) {
                        (sink.warn)(format!(
                            "{lines} lines of the metrics of {} could not be read: {why}",
                            self.of
                        ));
                    }
                }
                self.changes
                    .of(page, at, self.of)
                    .into_iter()
                    .for_each(|sample| sink.series.append(sample));
                self.up = true;
            }
            Some(problem) => {
                put(UP, 0.0);
                if std::mem::replace(&mut self.up, false) {
                    (sink.warn)(format!(
                        "The metrics of {} could not be read; its series have a gap from here: {problem}",
                        self.of
                    ));
                }
                // Whoever answers next may be another process.
                self.changes.forget();
            }
        }
    }
}

/// Bytes stay far below 2^53, where this is exact.
#[allow(clippy::cast_precision_loss)]
const fn float(n: u64) -> f64 {
    n as f64
}

/// The scraper could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// A client of a server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Its thread.
    #[error("starting the thread that reads the servers' metrics: {0}")]
    Thread(#[from] std::io::Error),
}

//! One worker: takes its part of a load, and says what came of it. It knows
//! nothing but a stream of orders and one for its news.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use kab_evidence::clock::origin;
use kab_evidence::jsonl::{JsonlError, JsonlWriter};
use kab_load::crew::{News, Order, ProtocolError, Report, read, write};
use kab_load::{LoadError, run_load};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, Lines};

use super::job::{Job, JobError};

/// The first order is the job; whoever connects and says nothing for so long
/// has no part in it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker could not do its part.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The stream broke.
    #[error("talking to the coordinator: {0}")]
    Stream(#[from] std::io::Error),
    /// An order makes no sense.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// An order came when another was due.
    #[error("the coordinator sent {got} where {wanted} was due")]
    OutOfTurn {
        /// What came.
        got: String,
        /// What was due.
        wanted: &'static str,
    },
    /// The coordinator is gone, or told the worker to stop, before the start.
    #[error("the coordinator called the load off")]
    CalledOff,
    /// The job.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] JsonlError),
    /// The generator.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A message cannot be written.
    #[error("writing a message: {0}")]
    Message(#[from] serde_json::Error),
}

/// Does the part of a load that `orders` tell, and says so in `news`. Returns
/// when its report was written, or when the coordinator is gone.
///
/// # Errors
/// If it could not; the coordinator has been told, if it could be.
pub async fn work(
    orders: impl AsyncBufRead + Unpin,
    mut news: impl AsyncWrite + Unpin,
) -> Result<(), WorkerError> {
    let mut orders = orders.lines();
    let done = part(&mut orders, &mut news).await;
    let last = match &done {
        Ok(report) => News::Done { report: Box::new(report.clone()) },
        Err(error) => News::Failed { reason: error.to_string() },
    };
    let told = tell(&mut news, &last).await;
    // What was done is worth more than that nobody hears of it.
    done?;
    told?;
    // Whoever started it ends it: an end of its own would look like a death.
    while orders.next_line().await?.is_some() {}
    Ok(())
}

async fn part(
    orders: &mut Lines<impl AsyncBufRead + Unpin>,
    news: &mut (impl AsyncWrite + Unpin),
) -> Result<Report, WorkerError> {
    let first = tokio::time::timeout(PATIENCE, next(orders)).await;
    let (worker, of, job) = match first.unwrap_or(Ok(None))? {
        Some(Order::Assign { worker, of, job }) => (worker, of, job),
        Some(other) => return Err(out_of_turn(&other, "a job")),
        None => return Err(WorkerError::CalledOff),
    };
    // Everything but the start is prepared before it says that it is ready.
    let mut spec = job.spec(worker, of, kab_evidence::clock::Mono::from_nanos(0)).await?;
    let ledger = Arc::new(JsonlWriter::append_to(&job.ledger_of(worker))?);
    let scheduled = spec.arrivals.count().unwrap_or(0);
    tell(news, &News::Ready { clock: origin(), scheduled }).await?;
    spec.start = match next(orders).await? {
        Some(Order::Start { at }) => at,
        Some(Order::Stop) | None => return Err(WorkerError::CalledOff),
        Some(other) => return Err(out_of_turn(&other, "the start")),
    };
    let summary = run_load(&spec, &ledger, stopped(orders)).await?;
    let lines = Arc::into_inner(ledger).map_or(Ok(0), JsonlWriter::finish)?;
    Ok(Report::of(&summary, job.first_sequence, of, lines))
}

/// Waits until the worker is to stop: told to, or the coordinator is gone.
async fn stopped(orders: &mut Lines<impl AsyncBufRead + Unpin>) {
    match next(orders).await {
        Ok(Some(Order::Stop) | None) | Err(_) => {}
        Ok(Some(_)) => pending().await,
    }
}

async fn next(
    orders: &mut Lines<impl AsyncBufRead + Unpin>,
) -> Result<Option<Order<Job>>, WorkerError> {
    Ok(orders.next_line().await?.map(|line| read(&line)).transpose()?)
}

async fn tell(to: &mut (impl AsyncWrite + Unpin), news: &News) -> Result<(), WorkerError> {
    to.write_all(write(news)?.as_bytes()).await?;
    Ok(to.flush().await?)
}

fn out_of_turn(got: &Order<Job>, wanted: &'static str) -> WorkerError {
    let got = match got {
        Order::Assign { .. } => "a job",
        Order::Start { .. } => "a start",
        Order::Stop => "a stop",
    };
    WorkerError::OutOfTurn { got: got.to_owned(), wanted }
}

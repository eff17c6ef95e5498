//! A load shared by child processes of kab; see [`kab_load::crew`] for what
//! passes between them.
//!
//! | module | idea |
//! |---|---|
//! | `job` | the load, in values that can be sent anywhere |
//! | `worker` | one worker: a stream of orders in, a stream of news out |
//! | `coordinate` | the coordinator's side of all streams |
//! | `account` | what a worker that was lost owed |

mod account;
mod coordinate;
mod job;
#[cfg(test)]
mod tests;
mod worker;

use std::time::Duration;

use futures::stream::{self, StreamExt};
use kab_evidence::jsonl::JsonlError;
use kab_lab::process::{Child, ChildSpec, ProcessError};
use kab_load::crew::{Lost, Report};

pub use job::{Existing, Job, JobError, Reach, dialect, gateway, gateway_peer};
pub use worker::{WorkerError, work};

use crate::cell::Cell;
use coordinate::{Link, Shared, coordinate};

/// How long a worker whose report is there may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// A load could not be shared.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// A worker did not start.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A worker has no streams.
    #[error("talking to {name}: {source}")]
    Streams {
        /// Which.
        name: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A worker was lost before the start.
    #[error("the load was called off before its start: worker {} was lost: {}", .0.worker, .0.why)]
    CalledOff(Lost),
    /// The job.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A ledger.
    #[error(transparent)]
    Ledger(#[from] JsonlError),
}

/// What a shared load came to.
#[derive(Debug)]
pub struct Outcome {
    /// All parts, those of lost workers included.
    pub report: Report,
    /// Workers that did not report: with any, the measurement is invalid.
    pub lost: Vec<Lost>,
}

/// Has `of` child processes do `job`; none if the run was stopped before it
/// began.
///
/// # Errors
/// If it could not begin. A worker that is lost later is no error here.
pub async fn share(job: &Job, of: u32, cell: &Cell<'_>) -> Result<Option<Outcome>, ShareError> {
    let mut children = Vec::new();
    let mut links = Vec::new();
    for worker in 0..of {
        let (child, link) = start(&format!("{}-worker-{worker}", job.step), cell)?;
        children.push(child);
        links.push(link);
    }
    cell.note_processes();
    cell.say(&format!("{of} workers share the load"));
    let stop = cell.stop();
    let shared = coordinate(job, links, stop.wait()).await;
    // From here on their end is asked for.
    futures::future::join_all(children.iter().map(|child| child.stop(GRACE))).await;
    let Shared { merged, start, lost_at } = shared;
    let Some(start) = start else {
        return match merged.lost.into_iter().next() {
            Some(lost) if !stop.requested() => Err(ShareError::CalledOff(lost)),
            _ => Ok(None),
        };
    };
    let mut report = merged.report;
    for lost in &merged.lost {
        let index = usize::try_from(lost.worker).unwrap_or(usize::MAX);
        let at = lost_at.get(index).copied().flatten().unwrap_or(start);
        let spec = job.spec(lost.worker, of, start).await?;
        let own = job.ledger_of(lost.worker);
        report.merge(&account::account(&spec, of, &own, at, &cell.ledger())?);
    }
    Ok(Some(Outcome { report, lost: merged.lost }))
}

/// Starts one worker, and takes its streams.
fn start(name: &str, cell: &Cell<'_>) -> Result<(Child, Link), ShareError> {
    let log = cell.folder().logs_dir().join(format!("{name}.log"));
    let spec = ChildSpec::new(name, cell.program, log).args(["worker"]).input().lines();
    let child = cell.supervisor.spawn(spec)?;
    let missing = || ShareError::Streams {
        name: name.to_owned(),
        source: std::io::Error::other("it was started without them"),
    };
    let lines = child.take_lines().ok_or_else(missing)?;
    let input = child.take_input().ok_or_else(missing)?;
    let input = tokio::process::ChildStdin::from_std(input)
        .map_err(|source| ShareError::Streams { name: name.to_owned(), source })?;
    let news =
        stream::unfold(
            lines,
            |mut lines| async move { lines.recv().await.map(|line| (line, lines)) },
        );
    Ok((child, Link { news: news.boxed(), orders: Box::new(input) }))
}

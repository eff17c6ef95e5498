//! Running watchers, of either kind.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kab_evidence::id::OpId;
use kab_evidence::jsonl::JsonlError;
use tokio::sync::oneshot;

use crate::progress::Progress;

/// Watchers could not be started, or what they saw could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The apiserver cannot be reached as the kubeconfig says.
    #[error("using the kubeconfig to reach the apiserver: {0}")]
    Config(String),
    /// A thread or its sockets could not be made.
    #[error("starting watchers: {0}; are there enough file descriptors (`ulimit -n`)?")]
    Start(io::Error),
    /// The kernel failed to wait for sockets.
    #[error("waiting for the watchers' sockets: {0}")]
    Wait(io::Error),
    /// The evidence.
    #[error(transparent)]
    Evidence(#[from] JsonlError),
    /// The thread is gone without having said anything.
    #[error("the watchers' thread ended without a result; this is a defect of kab")]
    Gone,
}

/// What watching came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events received, over all watchers.
    pub events: u64,
    /// CPU time of the thread that drove them.
    pub cpu: Duration,
    /// Lines of evidence written.
    pub lines: u64,
}

/// A group of watchers at work on a thread of their own. Dropped without
/// [`Self::stop`], they end, and what they wrote so far is kept.
#[derive(Debug)]
pub struct Watchers {
    pub(crate) progress: Arc<Progress>,
    pub(crate) stop: Stop,
    pub(crate) thread: Option<thread::JoinHandle<()>>,
    pub(crate) result: Option<oneshot::Receiver<Result<Summary, WatchError>>>,
}

/// How the thread is told to end.
pub(crate) enum Stop {
    Raw(crate::raw::Stopper),
    Runtime(Option<oneshot::Sender<()>>),
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Raw(_) => "Raw",
            Self::Runtime(_) => "Runtime",
        })
    }
}

impl Stop {
    fn tell(&mut self) {
        match self {
            Self::Raw(stopper) => stopper.stop(),
            Self::Runtime(sender) => drop(sender.take()),
        }
    }
}

impl Watchers {
    /// How far they have got.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Waits until every watcher has a stream, `at_most` so long; how many
    /// have.
    pub async fn await_opened(&self, at_most: Duration) -> u32 {
        self.progress.await_opened(at_most).await
    }

    /// Waits until every watcher has got past each of `ops`, `at_most` so long;
    /// how many pairs of operation and watcher are missing.
    pub async fn await_delivered(&self, ops: &[OpId], at_most: Duration) -> usize {
        self.progress.await_delivered(ops, at_most).await
    }

    /// Ends all streams and writes out what they received.
    ///
    /// # Errors
    /// If they had failed, or a line could not be written.
    pub async fn stop(mut self) -> Result<Summary, WatchError> {
        self.stop.tell();
        match self.result.take() {
            Some(result) => result.await.unwrap_or(Err(WatchError::Gone)),
            None => Err(WatchError::Gone),
        }
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        self.stop.tell();
        if let Some(thread) = self.thread.take() {
            // A panic has been told by the hook; the result is missing then.
            let _ = thread.join();
        }
    }
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let secs = u64::try_from(t.tv_sec).unwrap_or(0);
    Duration::new(secs, u32::try_from(t.tv_nsec).unwrap_or(0))
}

//! Child processes, none of which survives kab.
//!
//! Each child leads a process group of its own, and the kernel kills it
//! (`PR_SET_PDEATHSIG`) when the thread that forked it ends. That thread is
//! one of the supervisor's own, which lives as long as the supervisor does: so
//! the children end with kab, however kab ends. Another thread for each child
//! blocks in `waitid`, so that a death is known at once.

mod account;
mod child;
mod spawner;
mod spec;
mod tail;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, path::PathBuf};

use futures::future::join_all;
use tokio::sync::mpsc;

pub use account::Account;
pub use child::{Child, Ended, Lines};
pub use spec::ChildSpec;
pub use tail::{TAIL_LINES, log_tail};

use child::State;
use spawner::Spawner;

/// How long a drop waits for a killed child to be gone. Only a child stuck in
/// the kernel takes longer than moments.
const DROP_PATIENCE: Duration = Duration::from_secs(10);

/// A child ended although nobody asked it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// What it was.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// How it ended: `exit status 1`, `signal 9`.
    pub how: String,
    /// The last lines of its log.
    pub log_tail: Vec<String>,
}

/// Deaths, oldest first; those before the call to [`Supervisor::deaths`] too.
pub type Deaths = mpsc::UnboundedReceiver<Death>;

/// A child could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Its program could not be run.
    #[error("starting {name} ({}): {source}", program.display())]
    Spawn {
        /// What it was to be.
        name: String,
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Its log could not be opened.
    #[error("opening the log of {name} ({}): {source}", log.display())]
    Log {
        /// What it was to be.
        name: String,
        /// The log file.
        log: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A thread that children need could not be started.
    #[error(
        "starting a thread to look after child processes: {0}; is the limit of threads reached?"
    )]
    Thread(io::Error),
}

/// Starts children, tells of their deaths, and takes them with it when it is
/// dropped.
#[derive(Debug)]
pub struct Supervisor {
    spawner: Spawner,
    shared: Arc<Shared>,
}

/// What the supervisor and the threads that wait for its children share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    children: Mutex<Vec<Child>>,
    news: Mutex<News>,
}

#[derive(Debug, Default)]
struct News {
    past: Vec<Death>,
    listeners: Vec<mpsc::UnboundedSender<Death>>,
}

impl Supervisor {
    /// A supervisor without children.
    pub fn new() -> Result<Self, ProcessError> {
        let spawner = Spawner::start().map_err(ProcessError::Thread)?;
        Ok(Self { spawner, shared: Arc::default() })
    }

    /// Starts a child.
    pub fn spawn(&self, spec: ChildSpec) -> Result<Child, ProcessError> {
        let (name, program) = (spec.name.clone(), spec.program.clone());
        let log = spec.open_log()?;
        let (command, kept) = spec.command(&log)?;
        let child = self.spawner.spawn(command).map_err(|source| ProcessError::Spawn {
            name,
            program,
            source,
        })?;
        let child = State::adopt(child, spec, kept, &self.shared)?;
        tracing::debug!(name = child.name(), pid = child.pid(), "child started");
        Ok(child)
    }

    /// Every death that nobody asked for, from the supervisor's beginning on.
    pub fn deaths(&self) -> Deaths {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut news = locked(&self.shared.news);
        for death in &news.past {
            // The receiver is in this function's hands: it cannot be closed.
            let _ = sender.send(death.clone());
        }
        news.listeners.push(sender);
        receiver
    }

    /// The children that run, in the order they were started.
    pub fn children(&self) -> Vec<Child> {
        locked(&self.shared.children).clone()
    }

    /// Stops every child: SIGTERM to all at once, and SIGKILL to those that
    /// still run after `grace`.
    pub async fn stop_all(&self, grace: Duration) {
        join_all(self.children().iter().map(|child| child.stop(grace))).await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let children = self.children();
        children.iter().for_each(Child::kill);
        for child in &children {
            if child.wait_blocking(DROP_PATIENCE).is_none() {
                tracing::error!(name = child.name(), pid = child.pid(), "killed, but not gone");
            }
        }
    }
}

impl Shared {
    fn add(&self, child: Child) {
        locked(&self.children).push(child);
    }

    fn remove(&self, pid: u32) {
        locked(&self.children).retain(|child| child.pid() != pid);
    }

    fn announce(&self, death: &Death) {
        let mut news = locked(&self.news);
        news.listeners.retain(|listener| listener.send(death.clone()).is_ok());
        news.past.push(death.clone());
    }
}

/// The data behind `mutex`, even if a thread panicked while it held it: every
/// change made under these locks is a single step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

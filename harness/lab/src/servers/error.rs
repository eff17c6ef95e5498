//! Why a server could not be brought up.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::keep::KeepError;
use crate::process::{Ended, ProcessError};

/// A server could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// Its process ended before it was ready.
    #[error(
        "{name} ended with {ended} before it was ready. Its log ({}) ends with:\n  {}",
        log.display(), ended.log_tail.join("\n  ")
    )]
    Died {
        /// Which.
        name: String,
        /// How.
        ended: Ended,
        /// Its log.
        log: PathBuf,
    },
    /// It did not become ready.
    #[error(
        "{name} was not ready after {after:?}; is the machine overloaded? Its log is {}",
        log.display()
    )]
    NotReady {
        /// Which.
        name: String,
        /// How long was waited.
        after: Duration,
        /// Its log.
        log: PathBuf,
    },
    /// A data folder could not be made.
    #[error("`initdb` ended with {how}:\n  {}", log_tail.join("\n  "))]
    Initdb {
        /// How it ended.
        how: String,
        /// What it last printed.
        log_tail: Vec<String>,
    },
    /// PostgreSQL did not say what its settings are.
    #[error("asking PostgreSQL at {address} for its settings: {source}")]
    Settings {
        /// Where it listens.
        address: String,
        /// What it said.
        source: tokio_postgres::Error,
    },
    /// The URL of a PostgreSQL is none.
    #[error(
        "the URL of PostgreSQL (KAB_POSTGRES_URL) cannot be used: {0}; it has the form postgres://user:password@host:port/database"
    )]
    Url(tokio_postgres::Error),
    /// nats-server did not say what its settings are.
    #[error("asking nats-server at {address} for its settings: {why}")]
    Varz {
        /// Where its monitoring listens.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// PostgreSQL is to be started, but no program for it was looked for.
    #[error("PostgreSQL is to be started, but no program for it was looked for")]
    NoPostgres,
    /// Every port that was tried was taken by others in the meantime.
    #[error("no free port on loopback: {0}")]
    Ports(io::Error),
    /// A child could not be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// There is no room for the data.
    #[error(transparent)]
    Room(#[from] KeepError),
    /// A file could not be made.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

pub(super) fn failed(
    action: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(io::Error) -> ServersError + use<> {
    let path = path.to_owned();
    move |source| ServersError::Io { action, path, source }
}

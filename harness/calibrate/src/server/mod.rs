//! The null server: a server that costs next to nothing, misbehaves exactly as
//! scripted, and writes down what it saw.
//!
//! It speaks HTTP/1.1 and HTTP/2, plain or TLS, on one thread, and says on
//! stdout in one line when it is ready: `{"ready":{"address":"127.0.0.1:41001"}}`.
//! On SIGTERM it writes its evidence and ends.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlError;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

mod accept;
mod answer;
pub mod config;
mod events;
pub mod evidence;
pub mod script;
mod serve;
mod timer;
mod tls;
mod watch;

pub use config::ServerConfig;

/// So many turns all connections together have at the end, to let go of their
/// streams.
const TURNS: u32 = 100_000;

/// The null server could not start, or not write what it saw.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration file cannot be read.
    #[error("reading the configuration {}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The configuration file is not one of a null server.
    #[error("the configuration {} does not fit the null server: {source}", path.display())]
    BadConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The operating system refused something it cannot do without.
    #[error("{action}: {source}")]
    Io {
        /// What was attempted.
        action: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// No certificate could be made.
    #[error("making the null server's certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate could not be used.
    #[error("using the null server's certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// The evidence could not be written.
    #[error("writing what the null server saw: {0}")]
    Evidence(#[from] JsonlError),
}

impl ServerError {
    fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

/// The line that says that the server is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// What there is to know about it.
    pub ready: Ready,
}

/// What there is to know about a server that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate of its authority, as PEM; none without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// When it was ready.
    pub at: Mono,
}

/// Runs the server with the configuration at `config` until SIGTERM.
///
/// # Errors
/// If it cannot start, or its evidence cannot be written.
pub fn run(config: &Path) -> Result<(), ServerError> {
    let text = std::fs::read(config)
        .map_err(|source| ServerError::Config { path: config.to_owned(), source })?;
    let config = serde_json::from_slice(&text)
        .map_err(|source| ServerError::BadConfig { path: config.to_owned(), source })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServerError::io("starting the runtime"))?;
    runtime.block_on(run_until_told(config))
}

async fn run_until_told(config: ServerConfig) -> Result<(), ServerError> {
    let mut term =
        signal(SignalKind::terminate()).map_err(ServerError::io("listening for SIGTERM"))?;
    let evidence = config.evidence.clone();
    let server = serve::Server::start(config)?;
    say(&Readiness { ready: server.ready.clone() })
        .map_err(ServerError::io("saying on stdout that the null server is ready"))?;
    tokio::select! {
        ended = accept::listen(&server) => ended?,
        () = events::tell(&server) => {}
        _ = term.recv() => {}
    }
    let mut turns = 0;
    while turns < TURNS && server.is_used() {
        tokio::task::yield_now().await;
        turns += 1;
    }
    evidence.map_or(Ok(()), |path| server.notebook.write(&path)).map_err(Into::into)
}

fn say(readiness: &Readiness) -> io::Result<()> {
    let line = serde_json::to_string(readiness)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// A request that is to have no answer: its connection is cut instead.
#[derive(Debug)]
struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut off, as scripted")
    }
}

impl std::error::Error for CutOff {}

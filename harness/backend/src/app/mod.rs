//! The apps of the reference system, each a process of its own.
//!
//! An app reads one JSON file, serves until SIGTERM, logs to stderr, and says
//! on stdout, in one line, when it is ready:
//! `{"ready":{"address":"127.0.0.1:41001"}}`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kab_evidence::jsonl::JsonlError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use crate::client::{ClientError, install_tls_provider};
use crate::conventional::broker::BrokerError;
use crate::store::postgres::PostgresError;

mod announcement;
pub mod consumer;
pub mod gateway;
pub mod informer;
pub mod operator;
pub(crate) mod outbound;
mod reflector;
pub mod relay;
mod spans;
mod watched;
pub mod webhook;

use spans::Spans;

/// How long requests under way may still take after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);

/// Connections that may wait to be taken: as many as the kernel lets wait.
const BACKLOG: u32 = 4096;

/// An app could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no such app.
    #[error(
        "there is no app {0:?}; the apps are gateway, webhook, informer, relay, consumer and operator"
    )]
    Unknown(String),
    /// The configuration file cannot be read.
    #[error("reading the configuration {}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The configuration file is not one of this app.
    #[error("the configuration {} does not fit the app: {source}", path.display())]
    BadConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A URL in the configuration is not one.
    #[error("{url:?} in the configuration is no URL: {source}")]
    BadUrl {
        /// What it says.
        url: String,
        /// What is wrong with it.
        source: http::uri::InvalidUri,
    },
    /// The operating system refused something that the app cannot do without.
    #[error("{action}: {source}")]
    Io {
        /// What was attempted.
        action: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is no client for the apiserver.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The database.
    #[error("the database: {0}; is it running, and are user and password right?")]
    Database(tokio_postgres::Error),
    /// The store in the database.
    #[error(transparent)]
    Store(#[from] PostgresError),
    /// The spans could not be written.
    #[error("writing spans: {0}")]
    Spans(#[from] JsonlError),
    /// The informer's subscriber gave no answer. The origin dereferences the
    /// nil response and its process panics; so this one ends.
    #[error(
        "the subscriber {url} gave no answer ({cause}), and the informer does not survive that"
    )]
    SubscriberDown {
        /// Where the notification went.
        url: String,
        /// What became of it.
        cause: String,
    },
}

/// The line that says that an app is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// What there is to know about it.
    pub ready: Ready,
}

/// What there is to know about an app that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where it listens; none for an app that does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
}

/// Where an app listens unless it is told otherwise: a free loopback port.
pub(crate) fn any_loopback_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Runs the app called `name` with the configuration at `config` until SIGTERM.
///
/// # Errors
/// If it cannot start, or cannot go on; its spans are written all the same.
pub async fn run(name: &str, config: &Path) -> Result<(), AppError> {
    install_tls_provider();
    // The only error is that the caller has installed a subscriber already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(log_filter())
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    match name {
        "gateway" => recorded(name, gateway::run, read(config)?).await,
        "webhook" => recorded(name, webhook::run, read(config)?).await,
        "informer" => {
            let config: informer::InformerConfig = read(config)?;
            let process = informer::process_name(config.subscriber, config.replica);
            recorded(&process, informer::run, config).await
        }
        "relay" => recorded(name, relay::run, read(config)?).await,
        "consumer" => {
            let config: consumer::ConsumerConfig = read(config)?;
            let process = format!("consumer-{}", config.subscriber);
            recorded(&process, consumer::run, config).await
        }
        // It takes no part in any operation, so it has no spans.
        "operator" => operator::run(read(config)?).await,
        other => Err(AppError::Unknown(other.to_owned())),
    }
}

/// Warnings and errors, unless `RUST_LOG` says otherwise.
fn log_filter() -> EnvFilter {
    EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy()
}

/// Runs `app`, and writes its spans whatever becomes of it.
async fn recorded<C, F>(
    process: &str,
    app: impl FnOnce(C, Arc<Spans>) -> F,
    config: C,
) -> Result<(), AppError>
where
    F: Future<Output = Result<(), AppError>>,
{
    let spans = Arc::new(Spans::open(process)?);
    let outcome = app(config, Arc::clone(&spans)).await;
    outcome.and(spans.finish().map_err(AppError::from))
}

fn read<C: DeserializeOwned>(path: &Path) -> Result<C, AppError> {
    let config = |source| AppError::Config { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(config)?;
    let bad = |source| AppError::BadConfig { path: path.to_owned(), source };
    serde_json::from_str(&expanded(text, std::env::var("POD_NAME").ok().as_deref())).map_err(bad)
}

/// A configuration with the pod's name in place of `$(POD_NAME)`, as
/// Kubernetes writes it: all pods of a Deployment share one configuration.
fn expanded(text: String, pod: Option<&str>) -> String {
    match pod {
        Some(pod) => text.replace("$(POD_NAME)", pod),
        None => text,
    }
}

/// Binds an address to listen on. One with a port of its own may be shared:
/// the kernel deals connections out to the processes that listen there, as a
/// Service does to its pods.
fn listen(address: SocketAddr) -> std::io::Result<tokio::net::TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(address.port() != 0)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Says on stdout that this app is ready.
fn announce(address: Option<SocketAddr>) -> Result<(), AppError> {
    let said = failed("saying on stdout that the app is ready");
    let line = serde_json::to_string(&Readiness { ready: Ready { address } });
    let line = line.map_err(std::io::Error::from);
    let mut out = std::io::stdout().lock();
    line.and_then(|line| writeln!(out, "{line}")).and_then(|()| out.flush()).map_err(said)
}

/// Resolves when the process is told to end.
fn terminated() -> Result<impl Future<Output = ()> + Send + 'static, AppError> {
    let mut term = signal(SignalKind::terminate()).map_err(failed("listening for SIGTERM"))?;
    Ok(async move {
        let _ = term.recv().await;
        tracing::info!("told to end");
    })
}

fn failed(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> AppError {
    let action = action.into();
    move |source| AppError::Io { action, source }
}

/// `base` with `path` behind it.
fn endpoint(base: &str, path: &str) -> Result<http::Uri, AppError> {
    let url = format!("{}{path}", base.trim_end_matches('/'));
    url.parse().map_err(|source| AppError::BadUrl { url: url.clone(), source })
}

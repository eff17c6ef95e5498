//! kab's own part in the comparison: a process that does one task with the
//! engine, ledger and all, and prints what the engine says of it.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kab_backend::entity::{GROUP, KIND, PLURAL, VERSION};
use kab_backend::peer::{PeerError, peer};
use kab_evidence::clock::Mono;
use kab_evidence::jsonl::{JsonlError, JsonlWriter};
use kab_load::dialect::CustomResource;
use kab_load::draw::Draws;
use kab_load::workload::Existing;
use kab_load::{
    Arrivals, Closed, Deadlines, Identities, Keys, LoadError, LoadSpec, LoadSummary, Mix,
    Popularity, Schedule, ThinkTime, Todos, Until, Waiting, Work, run_load,
};
use kab_wire::{Peer, Protocol};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use crate::task::{SIZE, Task};

/// What a worker is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerConfig {
    /// Whom to ask.
    pub target: Target,
    /// What to do.
    pub task: Task,
    /// HTTP/2, or HTTP/1.1.
    pub http2: bool,
    /// Connections.
    pub connections: u32,
    /// Begins the names of entities; for gets, of those that are there.
    pub seed: u64,
    /// The ledger.
    pub ledger: PathBuf,
}

/// Whom to ask.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Target {
    /// A cluster, as an account of it.
    Cluster {
        /// The account's kubeconfig.
        kubeconfig: PathBuf,
        /// Where the entities go.
        namespace: String,
    },
    /// The null server, over TLS.
    Null {
        /// Where it listens.
        address: SocketAddr,
        /// The certificate of its authority, as PEM.
        ca: String,
        /// Where the entities would go.
        namespace: String,
    },
}

impl Target {
    async fn peer(&self, protocol: Protocol) -> Result<Peer, WorkerError> {
        match self {
            Self::Cluster { kubeconfig, .. } => Ok(peer(kubeconfig, protocol).await?),
            Self::Null { address, ca, .. } => {
                let bad = |why: &dyn std::fmt::Display| WorkerError::Task(why.to_string());
                let mut roots = rustls::RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
                    let certificate = certificate.map_err(|e| bad(&e))?;
                    roots.add(certificate).map_err(|e| bad(&e))?;
                }
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let tls = rustls::ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(|e| bad(&e))?
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                Ok(Peer::plain(*address, protocol).with_tls(Arc::new(tls)))
            }
        }
    }

    fn namespace(&self) -> &str {
        match self {
            Self::Cluster { namespace, .. } | Self::Null { namespace, .. } => namespace,
        }
    }
}

/// What the engine says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerReport {
    /// Acknowledged.
    pub ok: u64,
    /// Everything else.
    pub not_ok: u64,
    /// From the first intended start to the last acknowledgement.
    pub seconds: f64,
    /// CPU of the whole process during the task.
    pub cpu_seconds: f64,
    /// CPU of the generator's thread.
    pub generator_cpu_seconds: f64,
    /// How late it sent, 99th percentile.
    pub lateness_p99_ms: f64,
}

/// A task could not be done.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The cluster cannot be reached.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The load could not be run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The ledger could not be written.
    #[error(transparent)]
    Ledger(#[from] JsonlError),
    /// The task makes no sense.
    #[error("the task cannot be done: {0}")]
    Task(String),
}

/// Does the task of `config`.
///
/// # Errors
/// If it could not be begun, or its ledger not be kept.
pub async fn work(config: &WorkerConfig) -> Result<WorkerReport, WorkerError> {
    let protocol = if config.http2 { Protocol::Http2 } else { Protocol::Http1 };
    let bad = |why: &dyn std::fmt::Display| WorkerError::Task(why.to_string());
    let todos = Todos::new("bench", config.seed, SIZE).map_err(|e| bad(&e))?;
    let api_version = format!("{GROUP}/{VERSION}");
    let dialect = CustomResource::namespaced(&api_version, KIND, config.target.namespace(), PLURAL);
    let (arrivals, mix) = arrivals(config.task, &bad)?;
    let spec = LoadSpec {
        work: Work {
            step: "bench".to_owned(),
            mix,
            todos: todos.clone(),
            existing: Some(todos),
            deadlines: Deadlines::all(Duration::from_secs(30)),
            identities: Identities::ONE,
            peers: vec![config.target.peer(protocol).await?],
            dialect: Arc::new(dialect),
            nonce: config.seed,
            first_sequence: 0,
        },
        arrivals,
        start: Mono::now().plus(Duration::from_millis(20)),
        max_in_flight: 1_000,
        connections: Some(config.connections),
        waiting: Waiting::Timer,
        must_succeed: false,
    };
    let ledger = Arc::new(JsonlWriter::append_to(&config.ledger)?);
    let start = spec.start;
    let summary = run_load(&spec, &ledger, std::future::pending()).await?;
    let took = Mono::now().since(start);
    if let Some(ledger) = Arc::into_inner(ledger) {
        ledger.finish()?;
    }
    Ok(report(&summary, took))
}

fn arrivals(
    task: Task,
    bad: &dyn Fn(&dyn std::fmt::Display) -> WorkerError,
) -> Result<(Arrivals, Mix), WorkerError> {
    let closed = |count: u64, in_flight: u32| {
        Arrivals::closed(Closed {
            clients: NonZeroU32::new(in_flight).unwrap_or(NonZeroU32::MIN),
            think: ThinkTime::None,
            until: Until::Operations(count),
            draws: Draws::new(0, "bench"),
        })
    };
    Ok(match task {
        Task::Create { count, in_flight } => (closed(count, in_flight), Mix::creates()),
        Task::Rate { per_second, seconds } => {
            let duration = Duration::from_secs(seconds);
            let schedule = Schedule::constant(per_second, duration).map_err(|e| bad(&e))?;
            (Arrivals::Open(schedule), Mix::creates())
        }
        Task::Get { count, in_flight } | Task::NullGet { count, in_flight } => {
            let draws = Draws::new(0, "bench/keys");
            let keys = Keys::new(NonZeroU64::MIN, Popularity::Uniform, draws);
            let draws = Draws::new(0, "bench/mix");
            let gets = [(Existing::Get, 1)];
            let mix = Mix::over(keys.map_err(|e| bad(&e))?, [], gets, draws);
            (closed(count, in_flight), mix.map_err(|e| bad(&e))?)
        }
    })
}

fn report(summary: &LoadSummary, took: Duration) -> WorkerReport {
    let outcomes = summary.outcomes;
    let p99 = summary.lateness.quantile(0.99).unwrap_or_default();
    WorkerReport {
        ok: outcomes.ok,
        not_ok: outcomes.total() - outcomes.ok,
        seconds: took.as_secs_f64(),
        cpu_seconds: summary.cpu.as_secs_f64(),
        generator_cpu_seconds: summary.generator_cpu.as_secs_f64(),
        lateness_p99_ms: p99.as_secs_f64() * 1e3,
    }
}

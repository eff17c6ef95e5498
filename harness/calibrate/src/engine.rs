//! The engine on trial: kab's own, as every run uses it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::folder::CellFolder;
use kab_evidence::jsonl::JsonlWriter;
use kab_load::draw::Draws;
use kab_load::{
    Arrivals, Closed, CustomResource, Deadlines, Identities, LoadSpec, LoadSummary, Mix, Schedule,
    ThinkTime, Todos, Until, Waiting, Work, run_load,
};
use kab_wire::{Peer, Protocol};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::observed::STEP;
use crate::server::Ready;
use crate::trial::CalibrateError;

/// How long an operation may take: longer than any script holds it up.
const DEADLINE: Duration = Duration::from_secs(30);

/// Size of what is written, in bytes.
const PAYLOAD: usize = 1024;

/// How the server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/1.1 without TLS: one operation at a time on a connection.
    Http1,
    /// HTTP/2 over TLS, as an apiserver is reached.
    Http2,
}

impl Transport {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2 over TLS",
        }
    }
}

/// A load for the engine: creates of a custom resource.
#[derive(Debug, Clone)]
pub struct Load {
    /// When operations are due.
    pub arrivals: Arrivals,
    /// Most operations in flight.
    pub in_flight: u32,
    /// How the server is reached.
    pub transport: Transport,
    /// Most connections; none: as many as the engine thinks right.
    pub connections: Option<u32>,
}

impl Load {
    /// An open loop on `schedule`, with as many in flight as it may take.
    pub const fn open(schedule: Schedule, transport: Transport) -> Self {
        let arrivals = Arrivals::Open(schedule);
        Self { arrivals, in_flight: 100_000, transport, connections: None }
    }

    /// A closed loop of `clients` that think for `think`, for `lasts`.
    pub fn closed(
        clients: NonZeroU32,
        think: Duration,
        lasts: Duration,
        transport: Transport,
    ) -> Self {
        let closed = Closed {
            clients,
            think: ThinkTime::Fixed(think),
            until: Until::Elapsed(lasts),
            draws: Draws::new(1, STEP),
        };
        let arrivals = Arrivals::closed(closed);
        Self { arrivals, in_flight: clients.get(), transport, connections: None }
    }
}

/// Sends `load` to the server, from `start` on; the ledger is in `folder`.
pub(crate) async fn drive(
    load: &Load,
    server: &Ready,
    start: Mono,
    folder: &CellFolder,
) -> Result<LoadSummary, CalibrateError> {
    let failed = |error: &dyn std::error::Error| CalibrateError::Load(error.to_string());
    let ledger = Arc::new(JsonlWriter::append_to(&folder.ops_path())?);
    let spec = LoadSpec {
        work: Work {
            step: STEP.to_owned(),
            mix: Mix::creates(),
            todos: Todos::new(STEP, 1, PAYLOAD).map_err(|error| failed(&error))?,
            existing: None,
            deadlines: Deadlines::all(DEADLINE),
            identities: Identities::ONE,
            peers: vec![peer(load.transport, server)?],
            dialect: Arc::new(CustomResource::namespaced("kab.dev/v1", "Todo", "kab", "todos")),
            nonce: start.nanos(),
            first_sequence: 0,
        },
        arrivals: load.arrivals.clone(),
        start,
        max_in_flight: load.in_flight,
        connections: load.connections,
        waiting: Waiting::Timer,
        must_succeed: false,
    };
    let summary =
        run_load(&spec, &ledger, std::future::pending()).await.map_err(|error| failed(&error))?;
    if let Some(ledger) = Arc::into_inner(ledger) {
        ledger.finish()?;
    }
    Ok(summary)
}

/// The server as the engine reaches it.
fn peer(transport: Transport, server: &Ready) -> Result<Peer, CalibrateError> {
    let Some(ca) = &server.ca else {
        let protocol = match transport {
            Transport::Http1 => Protocol::Http1,
            Transport::Http2 => Protocol::Http2,
        };
        return Ok(Peer::plain(server.address, protocol));
    };
    let failed = |error: &dyn std::error::Error| CalibrateError::Load(error.to_string());
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca.as_bytes()).map_err(|error| failed(&error))?;
    roots.add(ca).map_err(|error| failed(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Peer::plain(server.address, Protocol::Auto).with_tls(Arc::new(config)))
}

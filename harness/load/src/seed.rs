//! Entities made before anything is measured: a closed loop that must succeed.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::OpRecord;

use crate::arrivals::Arrivals;
use crate::closed::{Closed, ThinkTime, Until};
use crate::draw::Draws;
use crate::generator::{LoadError, LoadSpec, Waiting, run_load};
use crate::summary::LoadSummary;
use crate::work::Work;

/// How many entities to make, and how.
#[derive(Debug, Clone)]
pub struct SeedSpec {
    /// What the operations are.
    pub work: Work,
    /// How many.
    pub count: u64,
    /// How many at a time.
    pub in_flight: NonZeroU32,
}

/// Seeding did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It could not begin.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An entity was not made.
    #[error(
        "seeding {key} through {address}: {class}{detail}; {made} entities had been made before. \
         The ledger and the logs of the gateway and the apiserver say more"
    )]
    Refused {
        /// The entity's name.
        key: String,
        /// Where it was sent.
        address: String,
        /// The outcome's class.
        class: String,
        /// What the other side said, after a colon; empty if nothing.
        detail: String,
        /// How many had been made.
        made: u64,
    },
}

/// Makes the entities of `spec` as fast as its bound allows, or until `stop` is
/// ready. An operation is due when there is room for it, so that its intended
/// start is its sending. Each that began is in `ledger` once.
///
/// # Errors
/// If one is not acknowledged; none is begun after that, and those in flight
/// are awaited.
pub async fn seed(
    spec: &SeedSpec,
    ledger: &Arc<JsonlWriter<OpRecord>>,
    stop: impl Future<Output = ()>,
) -> Result<LoadSummary, SeedError> {
    let closed = Closed {
        clients: spec.in_flight,
        think: ThinkTime::None,
        until: Until::Operations(spec.count),
        draws: Draws::new(0, "seed"),
    };
    let load = LoadSpec {
        work: spec.work.clone(),
        arrivals: Arrivals::closed(closed),
        start: Mono::now(),
        max_in_flight: spec.in_flight.get(),
        connections: None,
        waiting: Waiting::Timer,
        must_succeed: true,
    };
    let summary = run_load(&load, ledger, stop).await?;
    let Some(failure) = &summary.first_failure else { return Ok(summary) };
    let address = spec.work.peers.first().map(|peer| peer.address.to_string());
    Err(SeedError::Refused {
        key: failure.key.clone().unwrap_or_default(),
        address: address.unwrap_or_default(),
        class: failure.class.clone(),
        detail: failure.detail.as_ref().map(|said| format!(": {said}")).unwrap_or_default(),
        made: summary.outcomes.ok,
    })
}

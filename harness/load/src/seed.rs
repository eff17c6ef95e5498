//! Entities made before anything is measured: a closed loop that must succeed.

use std::future::Future;
use std::pin::pin;

use futures::stream::{FuturesUnordered, StreamExt};
use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpRecord, Outcome};

use crate::operation::{Prepared, Work};
use crate::summary::{LoadSummary, Tally};
use crate::transport::{BadPath, Transport};

/// How many entities to make, and how.
#[derive(Debug, Clone)]
pub struct SeedSpec {
    /// What the operations are.
    pub work: Work,
    /// How many.
    pub count: u64,
    /// How many at a time; at least one.
    pub in_flight: u32,
}

/// Seeding did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The target's path is not one.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// An entity was not made.
    #[error(
        "seeding {key} through {address}: {class}{detail}; {made} entities had been made before. \
         The ledger and the logs of the gateway and the apiserver say more"
    )]
    Refused {
        /// The entity's name.
        key: String,
        /// The gateway.
        address: std::net::SocketAddr,
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
    ledger: &JsonlWriter<OpRecord>,
    stop: impl Future<Output = ()>,
) -> Result<LoadSummary, SeedError> {
    let SeedSpec { work, count, in_flight: bound } = spec;
    let bound = usize::try_from((*bound).max(1)).unwrap_or(usize::MAX);
    let transport = Transport::new(&work.target)?;
    let mut stop = pin!(stop);
    let mut tally = Tally::begin(*count);
    let mut in_flight = FuturesUnordered::new();
    let mut refused = None;
    let mut coming = 0..*count;
    loop {
        while in_flight.len() < bound {
            let Some(index) = coming.next() else { break };
            let now = Mono::now();
            let operation = Prepared::new(work, &transport, ledger, index, now);
            let running = operation.run(&transport, work.deadline);
            in_flight.push(async move { (index, running.await) });
            tally.reach(now);
            tally.in_flight(in_flight.len());
        }
        let (index, ended) = tokio::select! {
            biased;
            () = &mut stop, if !coming.is_empty() => {
                coming = 0..0;
                continue;
            }
            ended = in_flight.next() => match ended {
                Some(ended) => ended,
                None => break,
            },
        };
        tally.end(&ended);
        if ended.outcome != Outcome::Ok && refused.is_none() {
            coming = 0..0;
            refused = Some((index, ended));
        }
    }
    let summary = tally.finish();
    let Some((index, ended)) = refused else { return Ok(summary) };
    Err(SeedError::Refused {
        key: work.todos.code(index),
        address: work.target.address,
        class: ended.class.into_owned(),
        detail: ended.detail.map(|detail| format!(": {detail}")).unwrap_or_default(),
        made: summary.outcomes.ok,
    })
}

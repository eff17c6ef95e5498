//! A load as a worker is told it: everything that it takes to send it, in
//! values and not in references to this process, its files or its cell.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use kab_backend::app::gateway::{TODO_PATH, classify};
use kab_backend::entity::{GROUP, KIND, PLURAL, VERSION};
use kab_backend::peer::{PeerError, peer_of};
use kab_evidence::clock::Mono;
use kab_load::{Arrivals, BuiltIn, CustomResource, Dialect, Gateway, LoadSpec, Work};
use kab_scenario::model::{Load, Payload, Protocol, Resource};
use kab_wire::Peer;
use serde::{Deserialize, Serialize};

use crate::arrivals::{BadLoad, arrivals, deadlines, identities, mix, todos};

/// How many clients are prepared at a time.
const AT_A_TIME: usize = 8;

/// A load.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// The step's name.
    pub step: String,
    /// What its scenario says.
    pub load: Load,
    /// The seed of everything random.
    pub seed: u64,
    /// The first half of every operation id.
    pub nonce: u64,
    /// Sequence number of operation 0.
    pub first_sequence: u64,
    /// Who is asked.
    pub reach: Reach,
    /// Entities that exist, if operations are about them.
    pub existing: Option<Existing>,
    /// The file that a worker appends its ledger to; the worker's index stands
    /// for `{}` in its name.
    pub ledger: PathBuf,
}

/// How the system is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Reach {
    /// Through its gateway.
    Gateway {
        /// Where it listens.
        address: SocketAddr,
        /// Whether it answers every refusal with one and the same status.
        one_status: bool,
    },
    /// At the apiserver.
    Apiserver {
        /// The entities' namespace.
        namespace: String,
        /// A kubeconfig for each identity: not its path, but what it says.
        kubeconfigs: Vec<String>,
    },
}

/// Entities that a seed step made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Existing {
    /// The step.
    pub step: String,
    /// What is in them.
    pub payload: Payload,
    /// How many.
    pub count: u64,
}

/// A job cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// What the load is.
    #[error(transparent)]
    What(#[from] BadLoad),
    /// How the system is reached.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A part that does not exist.
    #[error("taking part {worker} of a load shared by {of}: parts are counted from 0")]
    Part {
        /// Which.
        worker: u32,
        /// Of how many.
        of: u32,
    },
}

impl Job {
    /// When the operations are due: those of part `worker` of `of`.
    ///
    /// # Errors
    /// If there is no such part, or the load is none.
    pub fn arrivals(&self, worker: u32, of: u32) -> Result<Arrivals, JobError> {
        let error = JobError::Part { worker, of };
        let parts = NonZeroU32::new(of).filter(|_| worker < of);
        let Some(parts) = parts else { return Err(error) };
        Ok(match arrivals(&self.step, self.seed, &self.load.arrivals)? {
            Arrivals::Open(whole) => {
                Arrivals::Open(whole.slice(worker.into(), of.into()).map_err(BadLoad::from)?)
            }
            Arrivals::Closed { closed, .. } => {
                Arrivals::Closed { closed, slice: worker, of: parts }
            }
        })
    }

    /// Part `worker` of `of` of the load, ready to begin at `start`.
    ///
    /// # Errors
    /// If the load is none, or the system cannot be reached as the job says.
    pub async fn spec(&self, worker: u32, of: u32, start: Mono) -> Result<LoadSpec, JobError> {
        let traffic = &self.load.traffic;
        Ok(LoadSpec {
            work: self.work().await?,
            arrivals: self.arrivals(worker, of)?,
            start,
            max_in_flight: part(traffic.max_in_flight, worker, of),
            connections: traffic.connections.map(|all| part(all, worker, of)),
            waiting: crate::steps::waiting(traffic.wait),
            must_succeed: false,
        })
    }

    /// The ledger of `worker`.
    pub fn ledger_of(&self, worker: u32) -> PathBuf {
        PathBuf::from(self.ledger.to_string_lossy().replace("{}", &worker.to_string()))
    }

    /// What the operations do.
    pub async fn work(&self) -> Result<Work, JobError> {
        let (name, traffic) = (&self.step, &self.load.traffic);
        let existing = self.existing.as_ref();
        let (peers, dialect): (Vec<Peer>, Arc<dyn Dialect>) = match &self.reach {
            Reach::Gateway { address, one_status } => {
                (vec![gateway_peer(*address)], Arc::new(gateway(*one_status)))
            }
            Reach::Apiserver { namespace, kubeconfigs } => {
                (self.accounts(kubeconfigs).await?, dialect(traffic.resource, namespace))
            }
        };
        Ok(Work {
            step: name.clone(),
            mix: mix(name, self.seed, traffic, existing.map_or(0, |existing| existing.count))?,
            todos: todos(name, self.seed, &traffic.payload)?,
            existing: existing
                .map(|made| todos(&made.step, self.seed, &made.payload))
                .transpose()?,
            deadlines: deadlines(traffic),
            identities: identities(traffic),
            peers,
            dialect,
            nonce: self.nonce,
            first_sequence: self.first_sequence,
        })
    }

    async fn accounts(&self, kubeconfigs: &[String]) -> Result<Vec<Peer>, JobError> {
        let protocol = match self.load.traffic.protocol {
            Protocol::Auto => kab_wire::Protocol::Auto,
            Protocol::Http1 => kab_wire::Protocol::Http1,
            Protocol::Http2 => kab_wire::Protocol::Http2,
        };
        let accept = self.load.traffic.encoding.accept();
        let account = |(index, text): (usize, String)| async move {
            let name = format!("of the load's account {index}");
            Ok::<_, JobError>(peer_of(Path::new(&name), &text, protocol, accept).await?)
        };
        let texts = kubeconfigs.iter().cloned().enumerate();
        stream::iter(texts).map(account).buffered(AT_A_TIME).try_collect().await
    }
}

/// How the apiserver is asked about `resource` in `namespace`.
pub fn dialect(resource: Resource, namespace: &str) -> Arc<dyn Dialect> {
    match resource {
        Resource::Todo => {
            let api_version = format!("{GROUP}/{VERSION}");
            Arc::new(CustomResource::namespaced(&api_version, KIND, namespace, PLURAL))
        }
        Resource::ConfigMap => Arc::new(BuiltIn::config_maps(namespace)),
        Resource::Lease => Arc::new(BuiltIn::leases(namespace)),
    }
}

/// The interface of a gateway, with one status for all refusals or not.
pub fn gateway(one_status: bool) -> Gateway {
    let classify = match one_status {
        true => |status| classify(true, status),
        false => |status| classify(false, status),
    };
    Gateway { path: TODO_PATH.to_owned(), classify }
}

/// The gateway speaks HTTP/1.1 and knows one caller.
pub fn gateway_peer(address: SocketAddr) -> Peer {
    Peer::plain(address, kab_wire::Protocol::Http1)
}

/// The share of part `worker` of `of`: together they are `all`, and each has at
/// least one.
fn part(all: u32, worker: u32, of: u32) -> u32 {
    let of = of.max(1);
    (all / of + u32::from(worker < all % of)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        for (all, of) in [(500, 1), (500, 3), (7, 4), (4, 4)] {
            assert_eq!((0..of).map(|worker| part(all, worker, of)).sum::<u32>(), all);
        }
        assert_eq!(part(1, 3, 4), 1, "nobody is left without");
    }
}

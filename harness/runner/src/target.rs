//! Who is asked: the gateway, or the apiserver itself, and by whom.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use kab_backend::entity::{GROUP, KIND, PLURAL, VERSION};
use kab_backend::naive::Deployed;
use kab_backend::peer::accepting;
use kab_load::{
    BuiltIn, CustomResource, Deadlines, Dialect, Gateway, Identities, Mix, Todos, Work,
};
use kab_scenario::model::{Encoding, Protocol, Resource, Seed, Traffic, Via};
use kab_wire::Peer;

use crate::arrivals::{deadlines, identities, mix, todos};
use crate::cell::Cell;
use crate::steps::StepError;

/// How many accounts are made at a time.
const AT_A_TIME: usize = 8;

/// Ids set aside for a load of which nobody knows how many operations it has.
const UNCOUNTED: u64 = 1 << 40;

/// The work of load step `name`.
pub async fn work(
    name: &str,
    traffic: &Traffic,
    count: Option<u64>,
    cell: &mut Cell<'_>,
) -> Result<Work, StepError> {
    let seeded = traffic.keys.as_ref().and_then(|keys| cell.seeded.get(&keys.of).cloned());
    let (existing, entities) = seeded.unzip();
    let (peers, dialect): (Vec<Peer>, Arc<dyn Dialect>) = match traffic.via {
        Via::Gateway => (vec![gateway_peer(cell)], Arc::new(gateway())),
        Via::Apiserver => {
            let accept = traffic.encoding.accept();
            let peers = accounts(traffic.identities, traffic.protocol, accept, cell).await?;
            (peers, dialect(traffic.resource, cell))
        }
    };
    Ok(Work {
        step: name.to_owned(),
        mix: mix(name, cell.seed, traffic, entities.unwrap_or(0))?,
        todos: todos(name, cell.seed, &traffic.payload)?,
        existing,
        deadlines: deadlines(traffic),
        identities: identities(traffic),
        peers,
        dialect,
        nonce: cell.nonce,
        first_sequence: cell.set_aside(count.unwrap_or(UNCOUNTED)),
    })
}

/// The work of seed step `name`: creates through the gateway, or, of what the
/// gateway does not know, through the apiserver.
pub async fn seeding(
    name: &str,
    step: &Seed,
    deadline: std::time::Duration,
    cell: &mut Cell<'_>,
) -> Result<Work, StepError> {
    let (count, resource) = (step.count, step.resource);
    let todos: Todos = todos(name, cell.seed, &step.payload)?;
    cell.seeded.insert(name.to_owned(), (todos.clone(), count));
    let (peers, dialect): (Vec<Peer>, Arc<dyn Dialect>) = match resource {
        Resource::Todo => (vec![gateway_peer(cell)], Arc::new(gateway())),
        Resource::ConfigMap | Resource::Lease => {
            let accept = Encoding::Json.accept();
            (accounts(1, Protocol::Auto, accept, cell).await?, dialect(resource, cell))
        }
    };
    Ok(Work {
        step: name.to_owned(),
        mix: Mix::creates(),
        todos,
        existing: None,
        deadlines: Deadlines::all(deadline),
        identities: Identities::ONE,
        peers,
        dialect,
        nonce: cell.nonce,
        first_sequence: cell.set_aside(count),
    })
}

fn gateway() -> Gateway {
    Gateway { path: Deployed::CREATE_PATH.to_owned(), classify: Deployed::classify }
}

/// The gateway speaks HTTP/1.1 and knows one caller.
fn gateway_peer(cell: &Cell<'_>) -> Peer {
    Peer::plain(cell.system.gateway(), kab_wire::Protocol::Http1)
}

/// How the apiserver is asked about `resource`.
fn dialect(resource: Resource, cell: &Cell<'_>) -> Arc<dyn Dialect> {
    let namespace = cell.system.namespace();
    match resource {
        Resource::Todo => {
            let api_version = format!("{GROUP}/{VERSION}");
            Arc::new(CustomResource::namespaced(&api_version, KIND, namespace, PLURAL))
        }
        Resource::ConfigMap => Arc::new(BuiltIn::config_maps(namespace)),
        Resource::Lease => Arc::new(BuiltIn::leases(namespace)),
    }
}

/// The apiserver, as each of the load's service accounts reaches it, asked for
/// answers of the media types `accept`.
async fn accounts(
    identities: u16,
    protocol: Protocol,
    accept: &str,
    cell: &Cell<'_>,
) -> Result<Vec<Peer>, StepError> {
    let protocol = match protocol {
        Protocol::Auto => kab_wire::Protocol::Auto,
        Protocol::Http1 => kab_wire::Protocol::Http1,
        Protocol::Http2 => kab_wire::Protocol::Http2,
    };
    let account = |index: u16| async move {
        let kubeconfig = cell.system.load_account(index).await?;
        Ok::<_, StepError>(accepting(&kubeconfig, protocol, accept).await?)
    };
    stream::iter(0..identities.max(1)).map(account).buffered(AT_A_TIME).try_collect().await
}

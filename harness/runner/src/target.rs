//! Who is asked: the gateway, or the apiserver itself, and by whom.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use kab_backend::entity::{GROUP, KIND, PLURAL, VERSION};
use kab_backend::naive::Deployed;
use kab_backend::peer::peer;
use kab_load::{CustomResource, Deadlines, Dialect, Gateway, Identities, Mix, Todos, Work};
use kab_scenario::model::{Operation, Payload, Protocol, Traffic, Via};
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
    // The apiserver refuses a PUT without the version that was read before.
    let update = traffic.mix.get(&Operation::Update).is_some_and(|weight| *weight > 0);
    if update {
        return Err(StepError::NotYet { step: name.to_owned(), what: "mix.update" });
    }
    let seeded = traffic.keys.as_ref().and_then(|keys| cell.seeded.get(&keys.of).cloned());
    let (existing, entities) = seeded.unzip();
    let (peers, dialect): (Vec<Peer>, Arc<dyn Dialect>) = match traffic.via {
        Via::Gateway => (vec![gateway_peer(cell)], Arc::new(gateway())),
        Via::Apiserver => (accounts(traffic, cell).await?, Arc::new(custom_resource(cell))),
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

/// The work of seed step `name`: `count` creates through the gateway.
pub fn seeding(
    name: &str,
    payload: &Payload,
    deadline: std::time::Duration,
    count: u64,
    cell: &mut Cell<'_>,
) -> Result<Work, StepError> {
    let todos: Todos = todos(name, cell.seed, payload)?;
    cell.seeded.insert(name.to_owned(), (todos.clone(), count));
    Ok(Work {
        step: name.to_owned(),
        mix: Mix::creates(),
        todos,
        existing: None,
        deadlines: Deadlines::all(deadline),
        identities: Identities::ONE,
        peers: vec![gateway_peer(cell)],
        dialect: Arc::new(gateway()),
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

fn custom_resource(cell: &Cell<'_>) -> CustomResource {
    let api_version = format!("{GROUP}/{VERSION}");
    CustomResource::namespaced(&api_version, KIND, cell.system.namespace(), PLURAL)
}

/// The apiserver, as each of the load's service accounts reaches it.
async fn accounts(traffic: &Traffic, cell: &Cell<'_>) -> Result<Vec<Peer>, StepError> {
    let protocol = match traffic.protocol {
        Protocol::Auto => kab_wire::Protocol::Auto,
        Protocol::Http1 => kab_wire::Protocol::Http1,
        Protocol::Http2 => kab_wire::Protocol::Http2,
    };
    let account = |index: u16| async move {
        let kubeconfig = cell.system.load_account(index).await?;
        Ok::<_, StepError>(peer(&kubeconfig, protocol).await?)
    };
    stream::iter(0..traffic.identities.max(1)).map(account).buffered(AT_A_TIME).try_collect().await
}

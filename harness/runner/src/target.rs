//! Who is asked: the gateway, or the apiserver itself, and by whom.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use kab_backend::defect::Defect;
use kab_backend::peer::peer;
use kab_load::{Deadlines, Dialect, Identities, Mix, Todos, Work};
use kab_scenario::model::{Load, Resource, Seed, Via};
use kab_wire::Peer;

use crate::arrivals::todos;
use crate::cell::Cell;
use crate::share::{Existing, Job, Reach, dialect, gateway, gateway_peer};
use crate::steps::StepError;

/// How many accounts are made at a time.
const AT_A_TIME: usize = 8;

/// Ids set aside for a load of which nobody knows how many operations it has.
const UNCOUNTED: u64 = 1 << 40;

/// The load of step `name` with `count` operations, in values that can be sent
/// to a worker.
pub async fn job(
    name: &str,
    load: &Load,
    count: Option<u64>,
    cell: &mut Cell<'_>,
) -> Result<Job, StepError> {
    let traffic = &load.traffic;
    let reach = match traffic.via {
        Via::Gateway => {
            Reach::Gateway { address: cell.system.gateway(), one_status: one_status(cell) }
        }
        Via::Apiserver => Reach::Apiserver {
            namespace: cell.system.namespace().to_owned(),
            kubeconfigs: kubeconfigs(traffic.identities, cell).await?,
        },
    };
    let made = |keys: &kab_scenario::model::Keys| {
        let (payload, count) = cell.seeded.get(&keys.of)?.clone();
        Some(Existing { step: keys.of.clone(), payload, count })
    };
    Ok(Job {
        step: name.to_owned(),
        load: load.clone(),
        seed: cell.seed,
        nonce: cell.nonce,
        reach,
        existing: traffic.keys.as_ref().and_then(made),
        ledger: cell.folder.ops_part_path(&format!("{name}-{{}}")),
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
    cell.seeded.insert(name.to_owned(), (step.payload.clone(), count));
    let (peers, dialect): (Vec<Peer>, Arc<dyn Dialect>) = match resource {
        Resource::Todo => {
            let gateway = gateway(one_status(cell));
            (vec![gateway_peer(cell.system.gateway())], Arc::new(gateway))
        }
        Resource::ConfigMap | Resource::Lease => {
            let account = cell.system.load_account(0).await?;
            let peer = peer(&account, kab_wire::Protocol::Auto).await?;
            (vec![peer], dialect(resource, cell.system.namespace()))
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

/// Whether the gateway answers every refusal with one and the same status.
fn one_status(cell: &Cell<'_>) -> bool {
    cell.system.defects().has(Defect::OneStatus)
}

/// What the kubeconfig of each of the load's service accounts says.
async fn kubeconfigs(identities: u16, cell: &Cell<'_>) -> Result<Vec<String>, StepError> {
    let account = |index: u16| async move {
        let path = cell.system.load_account(index).await?;
        tokio::fs::read_to_string(&path)
            .await
            .map_err(|source| StepError::Kubeconfig { path, source })
    };
    stream::iter(0..identities.max(1)).map(account).buffered(AT_A_TIME).try_collect().await
}

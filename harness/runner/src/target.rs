//! Who is asked: the gateway, or the apiserver itself, and by whom.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use kab_load::{Deadlines, Identities, Mix, Todos, Work};
use kab_scenario::model::{Load, Operation, Payload, Traffic, Via};

use crate::arrivals::todos;
use crate::cell::Cell;
use crate::share::{Existing, Job, Reach, gateway, gateway_peer};
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
    // The apiserver refuses a PUT without the version that was read before.
    let update = traffic.mix.get(&Operation::Update).is_some_and(|weight| *weight > 0);
    if update {
        return Err(StepError::NotYet { step: name.to_owned(), what: "mix.update" });
    }
    let reach = match traffic.via {
        Via::Gateway => Reach::Gateway { address: cell.system.gateway() },
        Via::Apiserver => Reach::Apiserver {
            namespace: cell.system.namespace().to_owned(),
            kubeconfigs: kubeconfigs(traffic, cell).await?,
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

/// The work of seed step `name`: `count` creates through the gateway.
pub fn seeding(
    name: &str,
    payload: &Payload,
    deadline: std::time::Duration,
    count: u64,
    cell: &mut Cell<'_>,
) -> Result<Work, StepError> {
    let todos: Todos = todos(name, cell.seed, payload)?;
    cell.seeded.insert(name.to_owned(), (payload.clone(), count));
    Ok(Work {
        step: name.to_owned(),
        mix: Mix::creates(),
        todos,
        existing: None,
        deadlines: Deadlines::all(deadline),
        identities: Identities::ONE,
        peers: vec![gateway_peer(cell.system.gateway())],
        dialect: Arc::new(gateway()),
        nonce: cell.nonce,
        first_sequence: cell.set_aside(count),
    })
}

/// What the kubeconfig of each of the load's service accounts says.
async fn kubeconfigs(traffic: &Traffic, cell: &Cell<'_>) -> Result<Vec<String>, StepError> {
    let account = |index: u16| async move {
        let path = cell.system.load_account(index).await?;
        tokio::fs::read_to_string(&path)
            .await
            .map_err(|source| StepError::Kubeconfig { path, source })
    };
    stream::iter(0..traffic.identities.max(1)).map(account).buffered(AT_A_TIME).try_collect().await
}

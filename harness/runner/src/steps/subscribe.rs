//! `subscribe`: listen for changes until the end of the cell.

use std::time::Duration;

use kab_backend::client::config;
use kab_backend::entity::{GROUP, KIND, PLURAL, VERSION};
use kab_backend::peer::peer;
use kab_scenario::model::{Subscribe, SubscribeClient};
use kab_watch::{WatchSpec, Watchers, raw, runtime};
use kab_wire::Protocol;
use serde_json::json;

use super::{StepError, results};
use crate::cell::Cell;
use crate::recorder::StepResults;

/// How long all watchers together may take to open their streams, and so much
/// more for each.
const OPENING: Duration = Duration::from_secs(30);
const EACH: Duration = Duration::from_millis(20);

pub async fn run(
    name: &str,
    step: &Subscribe,
    cell: &mut Cell<'_>,
) -> Result<StepResults, StepError> {
    let group = match step.client {
        SubscribeClient::Informer => {
            for _ in 0..step.count {
                cell.add_subscriber(step.replicas).await?;
            }
            return Ok(results([("subscribers", json!(step.count))]));
        }
        SubscribeClient::Raw => {
            let account = cell.system.watch_account().await?;
            raw::start(&spec(name, step, cell), peer(&account, Protocol::Auto).await?)?
        }
        SubscribeClient::Runtime => {
            let account = cell.system.watch_account().await?;
            runtime::start(&spec(name, step, cell), &config(&account).await?)?
        }
    };
    let opened = opened(&group, step.count, cell).await;
    cell.watchers.push((cell.acknowledged.len(), group));
    Ok(results([
        // Nobody is notified by these.
        ("subscribers", json!(0)),
        ("watchers", json!(step.count)),
        ("opened", json!(opened)),
    ]))
}

fn spec(name: &str, step: &Subscribe, cell: &Cell<'_>) -> WatchSpec {
    WatchSpec {
        step: name.to_owned(),
        watch_dir: cell.folder().watch_dir(),
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        plural: PLURAL.to_owned(),
        kind: KIND.to_owned(),
        namespace: Some(cell.system.namespace().to_owned()),
        count: step.count,
    }
}

/// How many have a stream. That some have none is no failure of the run: what
/// they were due is accounted for.
async fn opened(group: &Watchers, count: u32, cell: &Cell<'_>) -> u32 {
    let stop = cell.stop();
    let opened = tokio::select! {
        () = stop.wait() => return group.progress().opened_watchers(),
        opened = group.await_opened(OPENING + EACH * count) => opened,
    };
    if opened < count {
        cell.warn(format!("only {opened} of {count} watchers have a stream"));
    }
    cell.say(&format!("{opened} watchers have a stream"));
    opened
}

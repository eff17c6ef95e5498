//! `check`: hold the ledger against the store.

use std::time::Duration;

use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::store::StoredEntity;
use kab_scenario::model::Check;
use serde_json::json;

use super::{StepError, results};
use crate::cell::Cell;
use crate::recorder::StepResults;

/// How long the whole listing may take. An apiserver without its etcd takes a
/// minute to say that it has none.
const PATIENCE: Duration = Duration::from_secs(20);

pub async fn run(step: &Check, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let stop = cell.stop();
    let stored = tokio::select! {
        () = stop.wait() => return Ok(StepResults::new()),
        stored = tokio::time::timeout(PATIENCE, cell.stored()) => stored,
    };
    // A dead apiserver is no reason to throw away what was gathered: without a
    // store there simply is nothing to say about it.
    let why = match stored {
        Ok(Ok(stored)) => return write_down(step, stored, cell),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer in {} s", PATIENCE.as_secs()),
    };
    cell.warn(format!("the store could not be read: {why}"));
    Ok(StepResults::new())
}

fn write_down(
    step: &Check,
    stored: Vec<StoredEntity>,
    cell: &Cell<'_>,
) -> Result<StepResults, StepError> {
    let found = stored.len();
    let file = JsonlWriter::append_to(&cell.folder().store_path())?;
    stored.into_iter().for_each(|entity| file.append(entity));
    file.finish()?;
    Ok(results([("stored", json!(step.stored)), ("entities", json!(found))]))
}

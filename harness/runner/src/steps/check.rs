//! `check`: hold the ledger against the store.

use kab_evidence::jsonl::JsonlWriter;
use kab_scenario::model::Check;
use serde_json::json;

use super::{StepError, results};
use crate::cell::Cell;
use crate::recorder::StepResults;

pub async fn run(step: &Check, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let stored = match cell.stored().await {
        Ok(stored) => stored,
        Err(error) => {
            // A dead apiserver is no reason to throw away what was gathered:
            // without a store there simply is nothing to say about it.
            cell.warn(format!("the store could not be read: {error}"));
            return Ok(StepResults::new());
        }
    };
    let found = stored.len();
    let file = JsonlWriter::append_to(&cell.folder().store_path())?;
    stored.into_iter().for_each(|entity| file.append(entity));
    file.finish()?;
    Ok(results([("stored", json!(step.stored)), ("entities", json!(found))]))
}

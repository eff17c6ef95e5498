//! `subscribe`: listen for notifications until the end of the cell.

use kab_scenario::model::Subscribe;
use serde_json::json;

use super::{StepError, results};
use crate::cell::Cell;
use crate::recorder::StepResults;

pub async fn run(step: &Subscribe, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    for _ in 0..step.count {
        cell.add_subscriber().await?;
    }
    Ok(results([("subscribers", json!(step.count))]))
}

//! `wait`: until something has come true.

use kab_scenario::model::{Condition, Wait};
use serde_json::json;

use super::{StepError, results};
use crate::cell::Cell;
use crate::recorder::StepResults;

pub async fn run(step: &Wait, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let at_most = step.at_most.duration();
    let stop = cell.stop();
    let missing = tokio::select! {
        () = stop.wait() => return Ok(StepResults::new()),
        missing = async {
            match step.until {
                Condition::Delivered => cell.undelivered(at_most).await,
                Condition::Elapsed => {
                    tokio::time::sleep(at_most).await;
                    0
                }
            }
        } => missing,
    };
    if missing > 0 {
        cell.warn(format!("{missing} notifications had not arrived after {}", step.at_most));
    }
    Ok(results([("missing", json!(missing)), ("until", json!(step.until))]))
}

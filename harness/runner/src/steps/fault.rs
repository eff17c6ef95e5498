//! `fault`: something is done to a process, or a subscriber misbehaves.

use kab_scenario::model::Fault;
use serde_json::json;

use super::{StepError, results};
use crate::cell::Cell;
use crate::recorder::StepResults;

pub async fn run(step: &Fault, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let stop = cell.stop();
    tokio::select! {
        () = stop.wait() => return Ok(StepResults::new()),
        done = act(step, cell) => done?,
    }
    let target = match step {
        Fault::Subscriber(fault) => format!("subscriber-{}", fault.index),
        _ => step.process().unwrap_or_default().to_owned(),
    };
    let what = match step {
        Fault::Subscriber(fault) => fault.behaves.name(),
        _ => step.name(),
    };
    Ok(results([("fault", json!(what)), ("target", json!(target))]))
}

async fn act(step: &Fault, cell: &mut Cell<'_>) -> Result<(), StepError> {
    match step {
        Fault::Kill(name) => cell.kill(name).await,
        Fault::Stop(name) => cell.pause(name),
        Fault::Continue(name) => cell.go_on(name),
        Fault::Restart(name) => cell.restart(name).await,
        Fault::Subscriber(fault) => cell.misbehave(fault).await,
    }
}

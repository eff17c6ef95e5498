//! `seed`: make entities before anything is measured.

use std::num::NonZeroU32;

use kab_load::{SeedSpec, seed};
use kab_scenario::model::Seed;
use serde_json::json;

use super::{StepError, results};
use crate::cell::Cell;
use crate::recorder::StepResults;
use crate::target::seeding;

/// An entity that takes longer than this to make is no seed.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

pub async fn run(name: &str, step: &Seed, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    let spec = SeedSpec {
        work: seeding(name, step, DEADLINE, cell).await?,
        count: step.count,
        in_flight: NonZeroU32::new(step.in_flight).unwrap_or(NonZeroU32::MIN),
    };
    let stop = cell.stop();
    let summary = seed(&spec, &cell.ledger(), stop.wait()).await?;
    cell.say(&format!("{} entities made", summary.outcomes.ok));
    let mut found = results([("scheduled", json!(summary.reached))]);
    if step.resource.is_todo() {
        cell.acknowledged(&summary.acked);
    } else {
        found.extend(results([("resource", json!(step.resource.name()))]));
    }
    Ok(found)
}

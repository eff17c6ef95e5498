//! The engine on trial: kab's own, as every run uses it.

use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::folder::CellFolder;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::Outcome;
use kab_load::{LoadSpec, Schedule, Target, Todos, Work, open_loop};

use crate::observed::STEP;
use crate::server::Ready;
use crate::trial::CalibrateError;

/// A load for the engine.
#[derive(Debug, Clone)]
pub struct Load {
    /// When operations are due.
    pub schedule: Schedule,
    /// Most operations in flight.
    pub in_flight: u32,
}

/// How long an operation may take: longer than any script holds it up.
const DEADLINE: Duration = Duration::from_secs(30);

/// Size of what is written, in bytes.
const PAYLOAD: usize = 200;

/// Sends `load` to the server, from `start` on; the ledger is in `folder`.
pub async fn drive(
    load: &Load,
    server: &Ready,
    start: Mono,
    folder: &CellFolder,
) -> Result<(), CalibrateError> {
    let failed = |error: &dyn std::error::Error| CalibrateError::Load(error.to_string());
    let ledger = JsonlWriter::append_to(&folder.ops_path())?;
    let spec = LoadSpec {
        work: Work {
            step: STEP.to_owned(),
            target: Target {
                address: server.address,
                path: "/api/todo".to_owned(),
                classify: |status| match status {
                    200..300 => Outcome::Ok,
                    429 | 503 => Outcome::Failed,
                    _ => Outcome::Indeterminate,
                },
            },
            todos: Todos::new(STEP, 1, PAYLOAD).map_err(|error| failed(&error))?,
            deadline: DEADLINE,
            nonce: start.nanos(),
            first_sequence: 0,
        },
        schedule: load.schedule.clone(),
        start,
        max_in_flight: load.in_flight,
    };
    open_loop(&spec, &ledger, std::future::pending()).await.map_err(|error| failed(&error))?;
    ledger.finish()?;
    Ok(())
}

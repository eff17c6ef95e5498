//! What came of a load: the engine's ledger, what kab's verdicts make of it,
//! and what the server says.

use std::path::Path;

use kab_evidence::clock::Mono;
use kab_evidence::folder::CellFolder;
use kab_evidence::jsonl::{self, JsonlError};
use kab_evidence::ledger::OpRecord;
use kab_evidence::record::{CellRecord, StepRecord, Validity};
use kab_verdict::{CellMeasurements, StepMeasurements};

use crate::machine::MachineLoad;
use crate::server::evidence::{self, Absence, Seen, Witness};

/// The name of the one step of every calibration.
pub const STEP: &str = "calibrate";

/// What came of a load.
#[derive(Debug)]
pub struct Observed {
    /// What the engine wrote down, in its order.
    pub ledger: Vec<OpRecord>,
    /// What a report would say of it.
    pub measured: StepMeasurements,
    /// Requests that the server saw.
    pub seen: Vec<Seen>,
    /// When the server was gone.
    pub absences: Vec<Absence>,
    /// When the server's script began; none if there is no evidence of it.
    pub origin: Option<Mono>,
    /// What the machine did meanwhile.
    pub machine: MachineLoad,
}

impl Observed {
    /// Reads the ledger in `folder` and the server's evidence at `server`;
    /// `scheduled` operations were to be sent.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn read(
        folder: &CellFolder,
        server: &Path,
        scheduled: u64,
        machine: MachineLoad,
    ) -> Result<Self, JsonlError> {
        let cell = cell(scheduled);
        let measured = CellMeasurements::read(folder, &cell)?;
        let ledger = jsonl::read(&folder.ops_path())?.values;
        let (mut seen, mut absences, mut origin) = (Vec::new(), Vec::new(), None);
        for line in evidence::read(server)? {
            match line {
                Witness::Request(request) => seen.push(request),
                Witness::Gone(absence) => absences.push(absence),
                Witness::Began { origin: at } => origin = Some(at),
                _ => {}
            }
        }
        let measured = measured.step(STEP).cloned().unwrap_or_default();
        Ok(Self { ledger, measured, seen, absences, origin, machine })
    }
}

/// The record of a run whose only step was this load.
fn cell(scheduled: u64) -> CellRecord {
    let now = Mono::now();
    let step = StepRecord {
        name: STEP.to_owned(),
        verb: "load".to_owned(),
        started: now,
        ended: Some(now),
        results: [("scheduled".to_owned(), scheduled.into())].into(),
    };
    CellRecord {
        id: STEP.to_owned(),
        system: "null".to_owned(),
        axes: Default::default(),
        defects: Vec::new(),
        may_die: Vec::new(),
        steps: vec![step],
        pressure: None,
        evidence: None,
        part: 0,
        lost: Vec::new(),
        tracing: None,
        validity: Validity::default(),
    }
}

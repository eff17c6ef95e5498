//! A whole run judged, from its folder alone.

use kab_evidence::event::Event;
use kab_evidence::folder::{FolderError, RunFolder};
use kab_evidence::jsonl;
use kab_evidence::record::{CellRecord, RunRecord, Validity, Verdict};
use kab_scenario::load_text;
use kab_scenario::model::Claim;

use crate::claim::judge_claim;
use crate::measure::CellMeasurements;
use crate::remarks::remarks;
use crate::resumed;
use crate::side_by_side::{SideBySide, side_by_side};
use crate::validity::{cell_doubts, died, doubt, missing_evidence, run_doubts};

/// A run, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its record, with verdicts and what speaks against them.
    pub record: RunRecord,
    /// What was measured, by cell, in the order of the record.
    pub cells: Vec<CellMeasurements>,
    /// The claims that were judged.
    pub claims: Vec<Claim>,
    /// What happened to the run itself.
    pub events: Vec<Event>,
    /// What a reader should know of this judgement, in sentences.
    pub notes: Vec<String>,
    /// The systems held against each other, by step; none where there is but one.
    pub side_by_side: Vec<SideBySide>,
}

/// A run could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// Its folder could not be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// Judges the run in `folder` by the claims of its own scenario, from its
/// evidence alone. The folder is not changed.
///
/// If the scenario cannot be read again, nothing is judged; if it is not the
/// file that was run, the run is invalid.
///
/// # Errors
/// If the run record cannot be read.
pub fn judge(folder: &RunFolder) -> Result<Judged, JudgeError> {
    let before = folder.read_record()?;
    let loaded = std::fs::read_to_string(folder.scenario_path())
        .map_err(|error| error.to_string())
        .and_then(|text| {
            load_text("scenario.yaml", text, None, &before.scenario.set)
                .map_err(|problems| problems.to_string())
        });
    match loaded {
        Ok(loaded) if loaded.sha256 == before.scenario.sha256 => {
            judge_claims(folder, &loaded.scenario.spec.claims)
        }
        Ok(loaded) => {
            let other = "scenario.yaml in the run's folder is not the file that was run.";
            judge_with(folder, &loaded.scenario.spec.claims, Some(other.to_owned()))
        }
        Err(why) => {
            let unread =
                format!("The claims cannot be judged: scenario.yaml cannot be read: {why}");
            judge_with(folder, &[], Some(unread))
        }
    }
}

/// Judges the run in `folder` by `claims`, from its evidence alone. The
/// folder is not changed. Evidence that cannot be read makes the cell invalid.
///
/// A run is judged after its state was set to complete: any other state
/// speaks against its numbers.
///
/// # Errors
/// If the run record cannot be read.
pub fn judge_claims(folder: &RunFolder, claims: &[Claim]) -> Result<Judged, JudgeError> {
    judge_with(folder, claims, None)
}

fn judge_with(
    folder: &RunFolder,
    claims: &[Claim],
    against: Option<String>,
) -> Result<Judged, JudgeError> {
    let mut record = folder.read_record()?;
    // Doubts are derived from the evidence that is there now: an earlier
    // judgement, perhaps of a folder half copied, must not stick.
    record.validity = Validity::default();
    let (events, unreadable) = match jsonl::read(&folder.events_path()) {
        Ok(lines) if lines.truncated => {
            (lines.values, Some("events.jsonl ends in the middle of a line.".to_owned()))
        }
        Ok(lines) => (lines.values, None),
        Err(error) => (Vec::new(), Some(format!("The run's events cannot be read: {error}."))),
    };
    let doubts = run_doubts(&record, &events);
    doubt(&mut record.validity, doubts.into_iter().chain(unreadable).chain(against));

    let mut cells = Vec::with_capacity(record.cells.len());
    for index in 0..record.cells.len() {
        let (mut measured, unreadable) = measure(folder, &record.cells[index]);
        let conditions = record.conditions_of(record.cells[index].part);
        if conditions.is_some_and(|known| known.host.file_system == "tmpfs") {
            measured.in_memory();
        }
        measured.died = died(&record, index, &events);
        record.cells[index].validity = Validity::default();
        let mut doubts = cell_doubts(&record, index, &measured, &events);
        doubts
            .extend(missing_evidence(&folder.cell(&record.cells[index].id), &record.cells[index]));
        doubt(&mut record.cells[index].validity, doubts.into_iter().chain(unreadable));
        cells.push(measured);
    }

    record.verdicts = claims
        .iter()
        .flat_map(|claim| cells.iter().zip(&record.cells).map(move |pair| (claim, pair)))
        .map(|(claim, (measured, cell))| {
            let doubts = [&record.validity, &cell.validity].map(|v| v.invalid_because.as_slice());
            judge_claim(claim, measured, &doubts.concat())
        })
        .collect();
    let mut notes = resumed::notes(&record);
    notes.extend(remarks(&record, &cells));
    let side_by_side = side_by_side(folder, &record, &cells);
    Ok(Judged { record, cells, claims: claims.to_vec(), events, notes, side_by_side })
}

fn measure(folder: &RunFolder, cell: &CellRecord) -> (CellMeasurements, Option<String>) {
    match CellMeasurements::read(&folder.cell(&cell.id), cell) {
        Ok(measured) => (measured, None),
        Err(error) => {
            let why = format!("The evidence cannot be read: {error}.");
            (CellMeasurements::none(cell), Some(why))
        }
    }
}

/// The exit code of a judged run: 0 if every verdict is reached and as the
/// scenario expects, 1 if one differs from what it expects, 3 if one is
/// inconclusive, if the run or a cell is invalid, or if nothing was judged.
/// A verdict that differs is the stronger news.
pub fn exit_code(record: &RunRecord) -> u8 {
    let reached = |verdict: Verdict| verdict != Verdict::Inconclusive;
    let differs = |v: &kab_evidence::record::VerdictRecord| reached(v.verdict) && !v.as_expected();
    let valid = record.validity.is_valid() && record.cells.iter().all(|c| c.validity.is_valid());
    if record.verdicts.iter().any(differs) {
        1
    } else if !valid
        || record.verdicts.is_empty()
        || !record.verdicts.iter().all(|v| reached(v.verdict))
    {
        3
    } else {
        0
    }
}

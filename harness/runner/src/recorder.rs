//! Keeps `record.json` and `events.jsonl` true while a run is under way.
//!
//! The record is replaced whole at every turn of the run, so that whatever
//! kills kab leaves one that says how far it came.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kab_evidence::clock::Mono;
use kab_evidence::event::{Event, Happening};
use kab_evidence::folder::{FolderError, RunFolder};
use kab_evidence::jsonl::{self, JsonlError, JsonlWriter};
use kab_evidence::record::{CellRecord, Conditions, RunRecord, RunState, StepRecord};

/// Writes a run's record and events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    folder: RunFolder,
    record: Arc<Mutex<RunRecord>>,
    events: Arc<JsonlWriter<Event>>,
}

impl Recorder {
    /// Begins the record of a run in `folder`.
    pub fn begin(folder: RunFolder, record: RunRecord) -> Result<Self, RecorderError> {
        folder.write_record(&record)?;
        let events = Arc::new(JsonlWriter::append_to(&folder.events_path())?);
        Ok(Self { folder, record: Arc::new(Mutex::new(record)), events })
    }

    /// Goes on with the record of a run in `folder`, whose next part begins.
    pub fn resume(folder: RunFolder, record: RunRecord) -> Result<Self, RecorderError> {
        // A kab that was killed may have left half a line.
        jsonl::mend(&folder.events_path())?;
        let recorder = Self::begin(folder, record)?;
        let part = recorder.lock().last_part();
        recorder.event(Happening::Resumed { part });
        Ok(recorder)
    }

    fn lock(&self) -> MutexGuard<'_, RunRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the events reach the disk.
    pub fn check(&self) -> Result<(), RecorderError> {
        Ok(self.events.check()?)
    }

    /// Notes the conditions of a cell of the part under way: they add to those of
    /// the cells before.
    pub fn conditions(&self, conditions: Conditions) -> Result<(), RecorderError> {
        self.update(|record| match record.resumed.last_mut() {
            Some(resumption) => {
                resumption.conditions.get_or_insert_default().take_in(conditions);
            }
            None => record.conditions.take_in(conditions),
        })
    }

    /// The folder that the run is written to.
    pub const fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Writes down what happened.
    pub fn event(&self, what: Happening) {
        self.events.append(what.now());
    }

    /// Changes the record and saves it.
    pub fn update(&self, change: impl FnOnce(&mut RunRecord)) -> Result<(), RecorderError> {
        let mut record = self.lock();
        change(&mut record);
        Ok(self.folder.write_record(&record)?)
    }

    /// Changes the record of the cell under way and saves the whole.
    pub fn update_cell(&self, change: impl FnOnce(&mut CellRecord)) -> Result<(), RecorderError> {
        self.update(|record| {
            if let Some(cell) = record.cells.last_mut() {
                change(cell);
            }
        })
    }

    /// Notes that a step began.
    pub fn step_started(&self, name: &str, verb: &str) -> Result<(), RecorderError> {
        self.event(Happening::StepStarted { step: name.to_owned() });
        self.update_cell(|cell| {
            cell.steps.push(StepRecord {
                name: name.to_owned(),
                verb: verb.to_owned(),
                started: Mono::now(),
                ended: None,
                results: std::collections::BTreeMap::new(),
            });
        })
    }

    /// Notes that the step under way ended, and what it found out.
    pub fn step_ended(&self, name: &str, results: StepResults) -> Result<(), RecorderError> {
        self.event(Happening::StepEnded { step: name.to_owned() });
        self.update_cell(|cell| {
            if let Some(step) = cell.steps.last_mut() {
                step.ended = Some(Mono::now());
                step.results.extend(results);
            }
        })
    }

    /// Ends the record, once all events are on the disk.
    pub fn end(&self, state: RunState) -> Result<(), RecorderError> {
        let flushed = self.events.flush();
        let state = match &flushed {
            Err(error) if state == RunState::Complete => {
                RunState::Failed { reason: error.to_string() }
            }
            _ => state,
        };
        self.update(|record| {
            record.state = state;
            record.ended = Some(Mono::now());
        })?;
        Ok(flushed?)
    }
}

/// What a step found out itself, by name; see [`StepRecord::results`].
pub type StepResults = std::collections::BTreeMap<String, serde_json::Value>;

/// The record could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The record itself.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The events.
    #[error(transparent)]
    Events(#[from] JsonlError),
}

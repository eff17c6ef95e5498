//! A run that did not end, gone on with: cells that were done are kept as they
//! are, and the rest is run.

use std::path::Path;

use kab_evidence::clock::ClockAnchor;
use kab_evidence::folder::{FolderError, RunFolder};
use kab_evidence::lock::RunLock;
use kab_evidence::record::{CellRecord, RunRecord, RunState};
use kab_evidence::resumption::{Resumption, SetAside};
use kab_lab::progress::Progress;
use kab_scenario::plan::{self, PlanError};
use kab_scenario::{Loaded, Plan, Problems};

use crate::recorder::Recorder;
use crate::run::{Part, Request, RunError, carry_out, draw_nonce};
use crate::stop::Stop;

/// A run that can be gone on with. As long as this lives, no other kab can.
#[derive(Debug)]
pub struct Reopened {
    /// Where it lies.
    pub folder: RunFolder,
    /// Its record, as it was found.
    pub record: RunRecord,
    /// Its scenario.
    pub loaded: Loaded,
    /// What it comes to; the same as when it was begun.
    pub plan: Plan,
    _lock: RunLock,
}

/// A run cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// Its folder cannot be read, or another kab is at it.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// There is nothing left to do.
    #[error("{0} is complete; `kab report` judges and draws it again")]
    Complete(String),
    /// Another kab may do other things under the same names.
    #[error(
        "{folder} was begun by kab {theirs}, and this is kab {ours}: its cells would not be alike. \
         Use that version, or --force, which the record will say"
    )]
    OtherVersion {
        /// The run.
        folder: String,
        /// Who began it.
        theirs: String,
        /// Who is asked to go on.
        ours: &'static str,
    },
    /// The scenario in the folder cannot be read.
    #[error("reading {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The scenario in the folder is none any more.
    #[error("{path} is not a scenario:\n{problems}")]
    BadScenario {
        /// The file.
        path: String,
        /// What is wrong with it.
        problems: Problems,
    },
    /// The scenario in the folder was changed.
    #[error(
        "{0} is not the file that was run (its SHA-256 differs); begin a new run with `kab run`"
    )]
    OtherScenario(String),
    /// The scenario cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Reopened {
    /// Opens the run in `path`. With `force`, also one that another version of
    /// kab began.
    ///
    /// # Errors
    /// If there is none, if it is complete, if another kab is at it, or if it
    /// would not be the same run.
    pub fn open(path: &Path, force: bool) -> Result<Self, ResumeError> {
        let folder = RunFolder::open(path)?;
        let lock = RunLock::take(&folder)?;
        let record = folder.read_record()?;
        let name = folder.path().display().to_string();
        if record.state == RunState::Complete {
            return Err(ResumeError::Complete(name));
        }
        let ours = env!("CARGO_PKG_VERSION");
        let versions = record.resumed.iter().map(|part| &part.kab_version);
        let other = versions.chain([&record.kab_version]).find(|version| *version != ours);
        if let Some(theirs) = other.filter(|_| !force).cloned() {
            return Err(ResumeError::OtherVersion { folder: name, theirs, ours });
        }
        let path = folder.scenario_path().display().to_string();
        let text = std::fs::read_to_string(folder.scenario_path())
            .map_err(|source| ResumeError::Unreadable { path: path.clone(), source })?;
        let loaded = kab_scenario::load_text("scenario.yaml", text, None, &record.scenario.set)
            .map_err(|problems| ResumeError::BadScenario { path: path.clone(), problems })?;
        if loaded.sha256 != record.scenario.sha256 {
            return Err(ResumeError::OtherScenario(path));
        }
        let plan = Plan::new(&loaded, record.scenario.seed)?;
        Ok(Self { folder, record, loaded, plan, _lock: lock })
    }
}

/// Runs what `reopened` lacks, to its end, or until `stop` is asked for; as
/// [`run`](crate::run()).
///
/// # Errors
/// If it could not be gone on with or kept.
pub async fn resume(
    request: &Request,
    reopened: Reopened,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<RunState, RunError> {
    let Reopened { folder, mut record, _lock, .. } = reopened;
    let nonce = draw_nonce();
    let (done, set_aside) = sort_out(&folder, &mut record, &request.plan)?;
    progress.say(&format!("{} of {} cells were done", done.len(), request.plan.cells.len()));
    for left in &set_aside {
        if let Some(place) = &left.folder {
            progress.say(&format!("{} was not done; what it left is in {place}", left.cell.id));
        }
    }
    begin_part(&mut record, &request.asked, nonce, set_aside);
    let part = Part { number: record.last_part(), nonce, done };
    let recorder = Recorder::resume(folder, record)?;
    carry_out(request, &part, &recorder, stop, progress).await
}

fn begin_part(record: &mut RunRecord, clock: &ClockAnchor, nonce: u64, set_aside: Vec<SetAside>) {
    let found = std::mem::replace(&mut record.state, RunState::Running);
    record.schema_version = kab_evidence::record::SCHEMA_VERSION;
    record.ended = None;
    // Derived from the evidence, which is about to be another.
    record.verdicts.clear();
    record.resumed.push(Resumption {
        kab_version: env!("CARGO_PKG_VERSION").to_owned(),
        clock: clock.clone(),
        nonce: format!("{nonce:016x}"),
        found,
        conditions: None,
        set_aside,
    });
}

/// Leaves the cells in `record` that are done, and says which; the others, and
/// evidence that no record speaks of, are set aside.
fn sort_out(
    folder: &RunFolder,
    record: &mut RunRecord,
    plan: &Plan,
) -> Result<(Vec<String>, Vec<SetAside>), FolderError> {
    let is_done = |cell: &CellRecord| {
        plan.cells.iter().any(|planned| planned.id == cell.id && done(cell, planned))
    };
    let (kept, left): (Vec<_>, Vec<_>) = record.cells.drain(..).partition(is_done);
    let ids: Vec<String> = kept.iter().map(|cell| cell.id.clone()).collect();
    record.cells = kept;
    // If kab is killed between here and the new record, the next one finds the
    // cell without evidence.
    let mut set_aside = Vec::with_capacity(left.len());
    for cell in left {
        set_aside.push(SetAside { folder: folder.set_aside(&cell.id)?, cell });
    }
    for planned in plan.cells.iter().filter(|planned| !ids.contains(&planned.id)) {
        folder.set_aside(&planned.id)?;
    }
    Ok((ids, set_aside))
}

/// Whether every step of `planned` ended, and the evidence was counted then.
fn done(cell: &CellRecord, planned: &plan::Cell) -> bool {
    let names = |step: &kab_evidence::record::StepRecord| step.name.clone();
    let steps = cell.steps.iter().filter(|step| step.ended.is_some()).map(names);
    cell.evidence.is_some() && steps.eq(planned.spec.steps.iter().map(|step| step.name.clone()))
}

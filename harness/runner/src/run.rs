//! A whole plan, cell by cell.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

use kab_evidence::calibration::Calibration;
use kab_evidence::clock::ClockAnchor;
use kab_evidence::folder::{FolderError, RunFolder, replace};
use kab_evidence::lock::RunLock;
use kab_evidence::record::{
    Conditions, RunRecord, RunState, SCHEMA_VERSION, ScenarioRef, Validity,
};
use kab_lab::assets::{AssetError, Assets, Finder, ServerError, ServerFinder, ServerPrograms};
use kab_lab::keep::Labs;
use kab_lab::progress::Progress;
use kab_scenario::model::System;
use kab_scenario::{Loaded, Plan};

use crate::begin::{self, BeginError};
use crate::recorder::{Recorder, RecorderError};
use crate::stop::Stop;

/// What to run, and where to.
#[derive(Debug)]
pub struct Request {
    /// The scenario, as it was loaded.
    pub loaded: Loaded,
    /// What it comes to.
    pub plan: Plan,
    /// The run folder; it must not hold a run, unless the run is resumed.
    pub out: PathBuf,
    /// The program that is every app of the system under test, by `app NAME`,
    /// and every worker, by `worker`.
    pub program: PathBuf,
    /// Where to look for the control plane's programs.
    pub finder: Finder,
    /// The place of all labs.
    pub labs: Labs,
    /// When the user asked, so that start-up counts from there.
    pub asked: ClockAnchor,
    /// The latest calibration of this kab on this machine, for the reports.
    pub calibration: Option<Calibration>,
}

/// A run could not be begun or kept. What was gathered until then is in the
/// run folder.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecorderError),
    /// The control plane's programs.
    #[error(transparent)]
    Assets(#[from] AssetError),
    /// The programs of PostgreSQL and the broker.
    #[error(transparent)]
    Servers(#[from] ServerError),
    /// The lab, or the system in it, did not come up.
    #[error(transparent)]
    Begin(#[from] BeginError),
}

/// Runs `request` to its end, or until `stop` is asked for; the state that the
/// record was left in. Steps that fail end their cell and leave the record
/// failed, which is no error here.
///
/// # Errors
/// If the run could not be begun or kept.
pub async fn run(
    request: &Request,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<RunState, RunError> {
    let folder = RunFolder::create(&request.out)?;
    let _lock = RunLock::take(&folder)?;
    // Of several kabs that want the folder, one may have been through meanwhile.
    RunFolder::create(&request.out)?;
    // The record last: with it, everything is there that a report needs.
    replace(&folder.scenario_path(), request.loaded.text.as_bytes())?;
    let part = Part { number: 0, nonce: draw_nonce(), done: Vec::new() };
    let recorder = Recorder::begin(folder, new_record(request, part.nonce))?;
    carry_out(request, &part, &recorder, stop, progress).await
}

/// A stretch of a run, from one start of kab to its end.
pub(crate) struct Part {
    /// 0, or the number of the resumption.
    pub number: u32,
    /// Marks its operation ids. Each cell adds its place in the plan, so that
    /// no id occurs twice in a run.
    pub nonce: u64,
    /// Cells that earlier parts have done, by id.
    pub done: Vec<String>,
}

pub(crate) fn draw_nonce() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Runs the cells of `part`, and closes the record.
pub(crate) async fn carry_out(
    request: &Request,
    part: &Part,
    recorder: &Recorder,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<RunState, RunError> {
    let ended = cells(request, part, recorder, stop, progress).await;
    let state = match &ended {
        Ok(state) => state.clone(),
        Err(error) => RunState::Failed { reason: error.to_string() },
    };
    let closed = recorder.end(state);
    // What went wrong first is what is to be mended.
    let ended = ended?;
    closed?;
    Ok(ended)
}

async fn cells(
    request: &Request,
    part: &Part,
    recorder: &Recorder,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<RunState, RunError> {
    let todo = |cell: &kab_scenario::plan::Cell| !part.done.contains(&cell.id);
    if !request.plan.cells.iter().any(todo) {
        return Ok(RunState::Complete);
    }
    let Some(programs) = find(request, stop, progress, todo).await? else {
        return Ok(RunState::Interrupted);
    };
    for (index, planned) in request.plan.cells.iter().enumerate().filter(|(_, cell)| todo(cell)) {
        if request.plan.cells.len() > 1 {
            progress.say(&format!(
                "cell {} of {}: {}",
                index + 1,
                request.plan.cells.len(),
                planned.id
            ));
        }
        let setting = begin::Setting {
            request,
            programs: &programs,
            part: part.number,
            nonce: part.nonce.wrapping_add(index as u64),
            recorder,
            stop,
            progress,
        };
        match begin::cell(&setting, planned).await? {
            RunState::Complete => {}
            other => return Ok(other),
        }
    }
    Ok(RunState::Complete)
}

/// The programs that the cells of a run need.
#[derive(Debug)]
pub struct Programs {
    /// The control plane's, if a cell has one.
    pub assets: Option<Assets>,
    /// Those of PostgreSQL and the broker, if a cell has them.
    pub servers: Option<ServerPrograms>,
}

/// The programs for those cells that are to be run; none if the user would not
/// wait for them.
async fn find(
    request: &Request,
    stop: &Stop,
    progress: &dyn Progress,
    todo: impl Fn(&kab_scenario::plan::Cell) -> bool,
) -> Result<Option<Programs>, RunError> {
    let cells: Vec<_> = request.plan.cells.iter().filter(|cell| todo(cell)).collect();
    let conventional = |cell: &&kab_scenario::plan::Cell| cell.system == System::Conventional;
    let plane = cells.iter().any(|cell| !conventional(cell));
    let servers = cells.iter().any(conventional);
    let controllers = cells.iter().any(|cell| cell.spec.cluster.controller_manager.is_some());
    // A download or a build takes minutes and blocks: on a thread of its own,
    // with what it says passed on, so that the user can still stop it.
    let (said, mut sayings) = tokio::sync::mpsc::unbounded_channel();
    let finder = request.finder.clone();
    let find = move || -> Result<Programs, RunError> {
        let forward = Forward(said);
        let assets = plane.then(|| finder.find(controllers, &forward)).transpose()?;
        let given = kab_lab::servers::given_postgres().is_some();
        let servers =
            servers.then(|| ServerFinder::from_env()?.find(!given, &forward)).transpose()?;
        Ok(Programs { assets, servers })
    };
    let mut finding = tokio::task::spawn_blocking(find);
    loop {
        tokio::select! {
            biased;
            () = stop.wait() => return Ok(None),
            Some(saying) = sayings.recv() => saying.pass_on(progress),
            found = &mut finding => {
                while let Ok(saying) = sayings.try_recv() {
                    saying.pass_on(progress);
                }
                return match found {
                    Ok(programs) => Ok(Some(programs?)),
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                };
            }
        }
    }
}

/// Progress, on its way to another thread.
enum Saying {
    Say(String),
    Bytes(String, u64, Option<u64>),
}

impl Saying {
    fn pass_on(self, progress: &dyn Progress) {
        match self {
            Self::Say(sentence) => progress.say(&sentence),
            Self::Bytes(what, done, total) => progress.bytes(&what, done, total),
        }
    }
}

struct Forward(tokio::sync::mpsc::UnboundedSender<Saying>);

impl Progress for Forward {
    fn say(&self, sentence: &str) {
        // Nobody listens any more once the user has stopped the run.
        let _ = self.0.send(Saying::Say(sentence.to_owned()));
    }

    fn bytes(&self, what: &str, done: u64, total: Option<u64>) {
        let _ = self.0.send(Saying::Bytes(what.to_owned(), done, total));
    }
}

fn new_record(request: &Request, nonce: u64) -> RunRecord {
    let Request { loaded, plan, asked, .. } = request;
    let scenario = &loaded.scenario;
    RunRecord {
        schema_version: SCHEMA_VERSION,
        kab_version: env!("CARGO_PKG_VERSION").to_owned(),
        run: format!(
            "{}-{}-{nonce:016x}",
            scenario.metadata.name,
            asked.wall.strftime("%Y%m%dT%H%M%SZ")
        ),
        scenario: ScenarioRef {
            name: scenario.metadata.name.clone(),
            question: scenario.spec.question.clone(),
            risk: scenario.spec.risk.clone(),
            sha256: loaded.sha256.clone(),
            set: loaded.sets.clone(),
            seed: plan.seed,
        },
        state: RunState::Running,
        clock: asked.clone(),
        ended: None,
        conditions: Conditions {
            calibration: request.calibration.clone(),
            settings: [("build of kab and the apps".to_owned(), build())].into(),
            ..Conditions::default()
        },
        resumed: Vec::new(),
        validity: Validity::default(),
        cells: Vec::new(),
        verdicts: Vec::new(),
    }
}

/// How this program was built, of which the apps are parts: servers that are
/// not, are optimised always.
fn build() -> String {
    match cfg!(debug_assertions) {
        true => "debug: the apps are slower than those of a release",
        false => "release",
    }
    .to_owned()
}

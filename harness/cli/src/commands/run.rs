//! `kab run`: a scenario, from file to report.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

use kab_evidence::clock::ClockAnchor;
use kab_evidence::folder::{FolderError, RunFolder};
use kab_evidence::record::RunState;
use kab_lab::keep::Labs;
use kab_lab::progress::Progress;
use kab_runner::{Request, RunError};
use kab_scenario::model::Verb;
use kab_scenario::{Loaded, Plan, Problems};

use super::assets::finder;
use super::print;
use super::report::conclude;
use super::{block_on, show, style};
use crate::args::Run;
use crate::exit::{Exit, Failure, OrExit};
use crate::progress::Teller;
use crate::signals;

pub fn run(args: &Run) -> Result<Exit, Failure> {
    let asked = ClockAnchor::now();
    let Some((loaded, plan)) = prepare(args)? else { return Ok(Exit::Usage) };
    if args.dry_run {
        print(&plan.describe())?;
        return Ok(Exit::AsExpected);
    }
    let request = Request {
        out: args.out.clone().unwrap_or_else(|| default_out(&loaded, &asked)),
        program: std::env::current_exe().or_exit(Exit::Environment)?,
        finder: finder(&args.assets)?,
        labs: Labs::from_env().or_exit(Exit::Environment)?,
        loaded,
        plan,
        asked,
        calibration: super::calibrate::latest(),
    };
    let ended = block_on(async {
        let stop = signals::listen().or_exit(Exit::Environment)?;
        let teller = Teller::new();
        for lab in request.labs.sweep().or_exit(Exit::Environment)? {
            teller.say(&format!("removed {}, left by a kab that was killed", lab.path.display()));
        }
        Ok(kab_runner::run(&request, &stop, &teller).await)
    })?;
    finish(&request, ended)
}

/// The scenario and its plan; none if something is wrong with the scenario,
/// which has then been said.
fn prepare(args: &Run) -> Result<Option<(Loaded, Plan)>, Failure> {
    let loaded = match load(args) {
        Ok(loaded) => loaded,
        Err(problems) => {
            show(&problems);
            return Ok(None);
        }
    };
    if !loaded.warnings.is_empty() {
        anstream::eprint!("{}", kab_scenario::problem::render(&loaded.warnings, style()));
    }
    let seed = args.seed.unwrap_or_else(|| RandomState::new().hash_one("seed") >> 32);
    let plan = Plan::new(&loaded, seed).or_exit(Exit::Usage)?;
    Ok(Some((loaded, plan)))
}

/// The scenario, with `--system` and `--workers` set in it: so that the record
/// says it, and whoever resumes the run or runs it again does the same.
fn load(args: &Run) -> Result<Loaded, Problems> {
    let mut sets = args.set.clone();
    if !args.systems.is_empty() {
        sets.push(format!("systems=[{}]", args.systems.join(", ")));
    }
    let loaded = kab_scenario::load(&args.scenario, &sets)?;
    let Some(workers) = args.workers else { return Ok(loaded) };
    let steps = loaded.scenario.spec.steps.iter();
    let loads = steps.filter(|step| matches!(step.verb, Verb::Load(_)));
    sets.extend(loads.map(|step| format!("steps.{}.load.workers={workers}", step.name)));
    kab_scenario::load(&args.scenario, &sets)
}

fn default_out(loaded: &Loaded, asked: &ClockAnchor) -> PathBuf {
    let name = &loaded.scenario.metadata.name;
    PathBuf::from("reports").join(format!("{name}-{}", asked.wall.strftime("%Y%m%dT%H%M%S%3fZ")))
}

/// Whatever came of the run: what was gathered is judged, drawn and named.
pub fn finish(request: &Request, ended: Result<RunState, RunError>) -> Result<Exit, Failure> {
    if let Err(RunError::Folder(error @ (FolderError::Occupied(_) | FolderError::Busy(_)))) = ended
    {
        return Err(Failure { exit: Exit::Usage, error: error.into() });
    }
    let judged = RunFolder::open(&request.out).or_exit(Exit::Environment).and_then(|folder| {
        let exit = conclude(&folder)?;
        print(&format!("{}", folder.path().display()))?;
        Ok(exit)
    });
    match ended {
        Ok(RunState::Interrupted) => judged.map(|_| Exit::Interrupted),
        Ok(_) => judged,
        // The error that came first is the one to mend.
        Err(error) => Err(Failure { exit: Exit::Environment, error: error.into() }),
    }
}

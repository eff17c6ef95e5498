//! `kab resume`: go on with a run that did not end.

use kab_evidence::clock::ClockAnchor;
use kab_lab::keep::Labs;
use kab_lab::progress::Progress;
use kab_runner::{Reopened, Request};

use super::assets::finder;
use super::block_on;
use super::run::finish;
use crate::args::Resume;
use crate::exit::{Exit, Failure, OrExit};
use crate::progress::Teller;
use crate::signals;

pub fn run(args: &Resume) -> Result<Exit, Failure> {
    let asked = ClockAnchor::now();
    let reopened = Reopened::open(&args.run, args.force).or_exit(Exit::Usage)?;
    let request = Request {
        out: reopened.folder.path().to_owned(),
        program: std::env::current_exe().or_exit(Exit::Environment)?,
        finder: finder(&args.assets)?,
        labs: Labs::from_env().or_exit(Exit::Environment)?,
        loaded: reopened.loaded.clone(),
        plan: reopened.plan.clone(),
        calibration: super::calibrate::latest(),
        asked,
    };
    let ended = block_on(async {
        let stop = signals::listen().or_exit(Exit::Environment)?;
        let teller = Teller::new();
        for lab in request.labs.sweep().or_exit(Exit::Environment)? {
            teller.say(&format!("removed {}, left by a kab that was killed", lab.path.display()));
        }
        Ok(kab_runner::resume(&request, reopened, &stop, &teller).await)
    })?;
    finish(&request, ended)
}

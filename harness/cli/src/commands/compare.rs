//! `kab compare`: two past runs, held against each other, offline.

use std::path::Path;

use kab_evidence::folder::RunFolder;
use kab_verdict::compare::{CompareError, compare};

use super::print;
use crate::args::Compare;
use crate::exit::{Exit, Failure, OrExit};

pub fn run(args: &Compare) -> Result<Exit, Failure> {
    let open = |path: &Path| {
        let folder = RunFolder::open(path).or_exit(Exit::Usage)?;
        // A record of a newer kab, or none at all, is a wrong argument.
        folder.read_record().or_exit(Exit::Usage)?;
        Ok::<_, Failure>(folder)
    };
    let (a, b) = (open(&args.a)?, open(&args.b)?);
    let comparison = compare(&a, &b).map_err(|error| {
        let exit = match &error {
            CompareError::Invalid { .. } => Exit::Inconclusive,
            CompareError::NothingInCommon { .. } => Exit::Usage,
            CompareError::Folder(_) | CompareError::Evidence(_) => Exit::Environment,
        };
        Failure { exit, error: error.into() }
    })?;
    if args.json {
        print(&serde_json::to_string_pretty(&comparison).or_exit(Exit::Environment)?)?;
    } else {
        print(kab_report::comparison::markdown(&comparison).trim_end())?;
    }
    Ok(Exit::AsExpected)
}

//! `kab bench`: kab's engine beside other load tools.

use std::path::Path;

use anyhow::Context;
use kab_bench::table::render;
use kab_bench::worker::{WorkerConfig, work};
use kab_bench::{Comparison, compare};
use kab_lab::keep::Labs;

use super::assets::finder;
use super::{block_on, print};
use crate::args::Bench;
use crate::exit::{Exit, Failure, OrExit};
use crate::progress::Teller;
use crate::signals;

/// One task of the comparison, in a process of its own.
pub fn worker(config: &Path) -> Result<Exit, Failure> {
    let read = || -> anyhow::Result<WorkerConfig> {
        let text =
            std::fs::read(config).with_context(|| format!("reading {}", config.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("reading {}", config.display()))
    };
    let config = read().or_exit(Exit::Usage)?;
    let report = block_on(async { work(&config).await.or_exit(Exit::Environment) })?;
    print(&serde_json::to_string(&report).or_exit(Exit::Environment)?)?;
    Ok(Exit::AsExpected)
}

/// The comparison.
pub fn run(args: &Bench) -> Result<Exit, Failure> {
    let teller = Teller::new();
    let assets = finder(&args.assets)?.find(false, &teller).or_exit(Exit::Environment)?;
    let labs = Labs::from_env().or_exit(Exit::Environment)?;
    let dir = labs.create(None).or_exit(Exit::Environment)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let comparison = Comparison {
        tasks: args.tasks(),
        rounds: args.rounds,
        folders: args.tools.iter().cloned().chain(std::env::split_paths(&path)).collect(),
        own: std::env::current_exe().or_exit(Exit::Environment)?,
        dir: dir.path().to_owned(),
    };
    let tables = block_on(async {
        let stop = signals::listen().or_exit(Exit::Environment)?;
        tokio::select! {
            tables = compare(&comparison, &assets, &teller) => {
                tables.or_exit(Exit::Environment).map(Some)
            }
            () = stop.wait() => Ok(None),
        }
    })?;
    let Some(tables) = tables else { return Ok(Exit::Interrupted) };
    if args.json {
        print(&serde_json::to_string_pretty(&tables).or_exit(Exit::Environment)?)?;
    } else {
        for rows in &tables {
            print(&render(rows))?;
        }
    }
    Ok(Exit::AsExpected)
}

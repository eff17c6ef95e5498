//! kab's engine beside other load tools: the same work, on the same server, in
//! one run, in turns.
//!
//! What is compared is seen from outside: CPU by the kernel's count of the
//! ended process, entities by the server's count. What else the machine did
//! meanwhile stands beside each figure; where it is not next to nothing, only
//! ratios within one run mean anything, and small ones do not.
//!
//! | module | idea |
//! |---|---|
//! | [`task`] | what every tool is asked to do |
//! | [`stage`] | the server that all are tried on |
//! | [`contender`] | the tools, and how each is told |
//! | [`worker`] | kab's own part, a process like the others |
//! | [`measure`] | one tool doing one task, seen from outside |
//! | [`table`] | the comparison as text |

pub mod contender;
pub mod measure;
pub mod stage;
pub mod table;
pub mod task;
pub mod worker;

use std::path::PathBuf;

use kab_calibrate::null::{NullError, NullServer, Program};
use kab_calibrate::server::ServerConfig;
use kab_lab::assets::Assets;
use kab_lab::process::{ProcessError, Supervisor};
use kab_lab::progress::Progress;

use contender::{ALL, Round};
use stage::{Site, Stage, StageError};
use table::Row;
use task::Task;

/// What to compare.
#[derive(Debug)]
pub struct Comparison {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// How often each tool does each.
    pub rounds: u32,
    /// Folders with tools, in order.
    pub folders: Vec<PathBuf>,
    /// kab itself.
    pub own: PathBuf,
    /// For files.
    pub dir: PathBuf,
}

/// A comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The server.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The null server.
    #[error(transparent)]
    Null(#[from] NullError),
    /// A tool.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A folder.
    #[error("making {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// kab's own part did not do what it was asked to.
    #[error("kab's own part ended with {how}: {said}")]
    Own {
        /// How.
        how: String,
        /// What it said.
        said: String,
    },
}

/// Makes the comparison; the rows by task.
///
/// # Errors
/// If the server does not come up, or kab itself fails. A peer that fails is a
/// row with failures.
pub async fn compare(
    comparison: &Comparison,
    assets: &Assets,
    progress: &dyn Progress,
) -> Result<Vec<Vec<Row>>, BenchError> {
    let supervisor = Supervisor::new()?;
    let stage = Stage::set(assets, &comparison.dir, &supervisor, progress).await?;
    let null_dir = comparison.dir.join("null");
    let config = ServerConfig { tls: true, ..ServerConfig::default() };
    let program = Program::kab(comparison.own.clone());
    let null = NullServer::start(&program, &config, &null_dir, &supervisor).await?;
    let null_site = Site::null(&null, &null_dir)?;
    let mut tables = Vec::new();
    let mut seed = 0;
    let dir = |name: &str| {
        let path = comparison.dir.join(name);
        match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(BenchError::Folder { path, source }),
        }
    };
    // Something to read; and the first requests to a server are slow.
    let warm = Task::Create { count: 500, in_flight: 8 };
    let round = Round { dir: dir("warm")?, seed, known: String::new() };
    let known = kab_load::Todos::new("bench", 0, 1).map(|todos| todos.code(0)).unwrap_or_default();
    if let Some(start) =
        contender::Tool::Kab.start(comparison.own.clone(), warm, &stage.site, &round)
    {
        let seen = measure::run(&start, &stage.site, &round, &supervisor).await?;
        if let Some(how) = seen.failed {
            return Err(BenchError::Own { how, said: seen.said.join("\n") });
        }
    }
    for &task in &comparison.tasks {
        let site = match task {
            Task::NullGet { .. } => &null_site,
            _ => &stage.site,
        };
        let found = ALL
            .into_iter()
            .filter_map(|tool| Some((tool, tool.find(&comparison.folders, &comparison.own)?)));
        let mut rows: Vec<(Row, contender::Tool, PathBuf)> =
            found.map(|(tool, program)| (Row::new(tool, task), tool, program)).collect();
        for turn in 0..comparison.rounds {
            // Another one begins each time.
            let count = rows.len().max(1);
            let first = usize::try_from(turn).unwrap_or(0) % count;
            for place in (0..rows.len()).map(|i| (i + first) % count) {
                seed += 1;
                let (row, tool, program) = &mut rows[place];
                let name = format!("run-{seed}");
                let round = Round { dir: dir(&name)?, seed, known: known.clone() };
                let Some(start) = tool.start(program.clone(), task, site, &round) else {
                    continue;
                };
                progress.say(&format!("{}: {}", task.title(), tool.name()));
                row.runs.push(measure::run(&start, site, &round, &supervisor).await?);
            }
        }
        tables.push(rows.into_iter().map(|(row, ..)| row).filter(|r| !r.runs.is_empty()).collect());
    }
    null.stop().await?;
    stage.local.stop_now().await;
    Ok(tables)
}

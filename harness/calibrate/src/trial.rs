//! One trial: a server with a script, a load, and what came of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::folder::{FolderError, RunFolder};
use kab_evidence::jsonl::JsonlError;
use kab_lab::process::{ProcessError, Supervisor};

use crate::engine::{self, Load, Transport};
use crate::machine::MachineWatch;
use crate::null::{NullError, NullServer, Program};
use crate::observed::Observed;
use crate::server::ServerConfig;
use crate::server::script::Script;

/// How long before the load the server is started. It is started again, with
/// more, if that was not enough.
const RUN_UP: Duration = Duration::from_millis(300);

/// The server must have been ready for so long when the load begins.
const REST: Duration = Duration::from_millis(50);

/// How often it is started, with twice the time each.
const STARTS: u32 = 6;

/// A calibration could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// The null server.
    #[error(transparent)]
    Null(#[from] NullError),
    /// Child processes.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The engine would not begin.
    #[error("loading the null server: {0}")]
    Load(String),
    /// A file of evidence.
    #[error(transparent)]
    Evidence(#[from] JsonlError),
    /// A folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The operating system refused something.
    #[error("{action}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The server was never ready in time.
    #[error(
        "starting the null server: it was not ready within {} s; is the machine overloaded?",
        .0.as_secs_f64()
    )]
    Slow(Duration),
}

/// Where trials take place.
pub struct Court {
    program: Program,
    supervisor: Supervisor,
    dir: tempfile::TempDir,
    trials: std::sync::atomic::AtomicU32,
}

impl Court {
    /// With `program` as the null server.
    ///
    /// # Errors
    /// If there is no place for files, or no thread.
    pub fn new(program: Program) -> Result<Self, CalibrateError> {
        let dir = tempfile::Builder::new()
            .prefix("kab-calibrate-")
            .tempdir()
            .map_err(|source| CalibrateError::Io { action: "making a temporary folder", source })?;
        let supervisor = Supervisor::new()?;
        Ok(Self { program, supervisor, dir, trials: Default::default() })
    }

    /// Sends `load` to a server that plays `script`, both from the same instant
    /// on: that instant, and what came of it.
    ///
    /// # Errors
    /// If it could not be carried out. That operations fail is no error.
    pub async fn hear(
        &self,
        script: &Script,
        load: &Load,
    ) -> Result<(Mono, Observed), CalibrateError> {
        let dir = self.fresh_dir();
        let evidence = dir.join("seen.jsonl");
        let (server, start) = self.start(script, load.transport, &dir, &evidence).await?;
        let folder = RunFolder::create(&dir.join("run"))?.cell("only");
        let watch = MachineWatch::start(server.pid())
            .map_err(|source| CalibrateError::Io { action: "starting a thread", source })?;
        let driven = engine::drive(load, server.ready(), start, &folder).await;
        let machine = watch.stop();
        server.stop().await?;
        // Of a closed loop, what came due is what it says.
        let scheduled = load.arrivals.count().unwrap_or(driven?.scheduled);
        let observed = Observed::read(&folder, &evidence, scheduled, machine)?;
        // Trials are many, and some are large.
        let _ = std::fs::remove_dir_all(&dir);
        Ok((start, observed))
    }

    fn fresh_dir(&self) -> PathBuf {
        let number = self.trials.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.dir.path().join(number.to_string())
    }

    /// Starts the server so that it is ready before its script begins.
    async fn start(
        &self,
        script: &Script,
        transport: Transport,
        dir: &Path,
        evidence: &Path,
    ) -> Result<(NullServer, Mono), CalibrateError> {
        let mut run_up = RUN_UP;
        for _ in 0..STARTS {
            let start = Mono::now().plus(run_up);
            let config = ServerConfig {
                evidence: Some(evidence.to_owned()),
                origin: Some(start),
                script: script.clone(),
                tls: transport == Transport::Http2,
                ..ServerConfig::default()
            };
            let server = NullServer::start(&self.program, &config, dir, &self.supervisor).await?;
            if Mono::now().plus(REST) < start {
                return Ok((server, start));
            }
            server.stop().await?;
            let _ = std::fs::remove_file(evidence);
            run_up *= 2;
        }
        Err(CalibrateError::Slow(run_up / 2))
    }
}

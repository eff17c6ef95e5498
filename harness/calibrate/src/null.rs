//! The null server as a child process.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kab_lab::process::{Child, ChildSpec, ProcessError, Supervisor};

use crate::server::{Readiness, Ready, ServerConfig};

/// How long the server may take to write its evidence.
const FAREWELL: Duration = Duration::from_secs(30);

/// The program that is a null server, given its configuration last.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its arguments before the configuration's path.
    pub leading_args: Vec<OsString>,
}

impl Program {
    /// `kab` itself, at `path`.
    pub fn kab(path: PathBuf) -> Self {
        Self { path, leading_args: ["app", "null", "--config"].map(OsString::from).to_vec() }
    }
}

/// A null server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum NullError {
    /// Its process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Its configuration could not be written.
    #[error("writing the null server's configuration {}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("the null server ended before it was ready: {how}; it said: {log}")]
    NotReady {
        /// How it ended.
        how: String,
        /// The end of its log.
        log: String,
    },
    /// It did not end when it was told to, or could not write its evidence.
    #[error("the null server ended badly: {how}; it said: {log}")]
    EndedBadly {
        /// How it ended.
        how: String,
        /// The end of its log.
        log: String,
    },
}

/// A null server that is ready. Dropping it leaves it to its supervisor.
#[derive(Debug)]
pub struct NullServer {
    child: Child,
    ready: Ready,
}

impl NullServer {
    /// Starts one with `config`, and waits until it is ready. What it needs and
    /// prints is in `dir`.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(
        program: &Program,
        config: &ServerConfig,
        dir: &Path,
        supervisor: &Supervisor,
    ) -> Result<Self, NullError> {
        let path = dir.join("null.json");
        let written = std::fs::create_dir_all(dir)
            .and_then(|()| serde_json::to_vec(config).map_err(io::Error::from))
            .and_then(|text| std::fs::write(&path, text));
        written.map_err(|source| NullError::Config { path: path.clone(), source })?;
        let mut args = program.leading_args.clone();
        args.push(path.into_os_string());
        let spec = ChildSpec::new("null server", &program.path, dir.join("null.log"))
            .args(args)
            .lines()
            .unannounced();
        let child = supervisor.spawn(spec)?;
        let mut lines = child.take_lines();
        let ready = async {
            let lines = lines.as_mut()?;
            while let Some(line) = lines.recv().await {
                if let Ok(readiness) = serde_json::from_str::<Readiness>(&line) {
                    return Some(readiness.ready);
                }
            }
            None
        };
        match ready.await {
            Some(ready) => Ok(Self { child, ready }),
            None => {
                child.kill();
                let ended = child.ended().await;
                let (how, log) = (ended.to_string(), ended.log_tail.join("; "));
                Err(NullError::NotReady { how, log })
            }
        }
    }

    /// What it said when it was ready.
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Ends it. Its evidence is written when this returns.
    ///
    /// # Errors
    /// If it had ended before, or could not write its evidence.
    pub async fn stop(self) -> Result<(), NullError> {
        let ended = self.child.stop(FAREWELL).await;
        if ended.success() {
            return Ok(());
        }
        Err(NullError::EndedBadly { how: ended.to_string(), log: ended.log_tail.join("; ") })
    }
}

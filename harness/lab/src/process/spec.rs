//! What to start, and how.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Account, ProcessError};

/// Where a child prints lines that somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// A child to be.
#[derive(Debug)]
pub struct ChildSpec {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) log: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    dir: Option<PathBuf>,
    pub(super) lines: Option<Stream>,
    account: Option<Account>,
    pub(super) announced: bool,
    pub(super) input: bool,
}

impl ChildSpec {
    /// A child called `name` in messages, that runs `program` and appends
    /// what it prints to the file `log`.
    pub fn new(
        name: impl Into<String>,
        program: impl Into<PathBuf>,
        log: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            log: log.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            lines: None,
            account: None,
            announced: true,
            input: false,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment, which is otherwise kab's own.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), Some(value.into())));
        self
    }

    /// Takes a variable out of its environment.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// Sets the folder it runs in, which is otherwise kab's own.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Hands the lines of its stdout to [`super::Child::take_lines`], besides
    /// writing them to the log.
    #[must_use]
    pub const fn lines(mut self) -> Self {
        self.lines = Some(Stream::Stdout);
        self
    }

    /// As [`Self::lines`], but those of its stderr: servers log there.
    #[must_use]
    pub const fn lines_of_stderr(mut self) -> Self {
        self.lines = Some(Stream::Stderr);
        self
    }

    /// Runs it as `account`; without, as whoever kab runs as.
    #[must_use]
    pub const fn account(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    /// Gives it a stdin, to be had from [`super::Child::take_input`]. Without,
    /// it reads nothing.
    #[must_use]
    pub const fn input(mut self) -> Self {
        self.input = true;
        self
    }

    /// Leaves its death, until [`super::Child::announce`] is called, to those
    /// who hold the child: it may still fail to start, and be tried again.
    #[must_use]
    pub const fn unannounced(mut self) -> Self {
        self.announced = false;
        self
    }

    /// Opens the log for appending, making its folder if need be.
    pub(super) fn open_log(&self) -> Result<File, ProcessError> {
        let open = || {
            if let Some(parent) = self.log.parent() {
                std::fs::create_dir_all(parent)?;
            }
            OpenOptions::new().create(true).append(true).open(&self.log)
        };
        open().map_err(|source| self.log_error(source))
    }

    /// The command, and the log for whoever copies stdout's lines into it.
    pub(super) fn command(&self, log: &File) -> Result<(Command, Option<File>), ProcessError> {
        let copy = || log.try_clone().map_err(|source| self.log_error(source));
        let mut command = Command::new(&self.program);
        let stdin = if self.input { Stdio::piped() } else { Stdio::null() };
        command.args(&self.args).stdin(stdin).stdout(copy()?).stderr(copy()?);
        match self.lines {
            Some(Stream::Stdout) => command.stdout(Stdio::piped()),
            Some(Stream::Stderr) => command.stderr(Stdio::piped()),
            None => &mut command,
        };
        let kept = self.lines.is_some().then(copy).transpose()?;
        // Before what the spawner does between fork and exec: the kernel clears
        // the signal of a parent's death when the user changes.
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        Ok((command, kept))
    }

    fn log_error(&self, source: std::io::Error) -> ProcessError {
        ProcessError::Log { name: self.name.clone(), log: self.log.clone(), source }
    }
}

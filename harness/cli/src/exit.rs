//! Exit codes: what a script may rely on.

use std::process::ExitCode;

/// How kab ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every verdict was reached and is as expected.
    AsExpected,
    /// A verdict differs from what the scenario expects.
    Unexpected,
    /// Bad usage, or a bad scenario file.
    Usage,
    /// Inconclusive, or the harness was not good enough to judge.
    Inconclusive,
    /// The environment could not be brought up, or broke.
    Environment,
    /// Stopped by a signal.
    Interrupted,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::AsExpected => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Environment => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error and the exit code that goes with it.
#[derive(Debug)]
pub struct Failure {
    /// How kab ends.
    pub exit: Exit,
    /// What is told to the user.
    pub error: anyhow::Error,
}

/// Attaches exit codes to errors.
pub trait OrExit<T> {
    /// The error ends kab with `exit`.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into() })
    }
}

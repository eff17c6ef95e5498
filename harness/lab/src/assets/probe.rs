//! Asking a program what it is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::Component;
use crate::process::{ChildSpec, ProcessError, Supervisor};

/// How long a program may take to say its version.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Why a program cannot serve as a component.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It could not be run at all.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It did not answer.
    #[error("it did not print its version within {PATIENCE:?}")]
    Silent,
    /// It failed.
    #[error("it ended with {how} when asked for its version: {said}")]
    Failed {
        /// How it ended.
        how: String,
        /// The last line it printed.
        said: String,
    },
    /// It is something else.
    #[error("asked for its version it printed {said:?}, which is not what {component} prints")]
    Stranger {
        /// What it was to serve as.
        component: &'static str,
        /// What it printed.
        said: String,
    },
    /// There was no place for its answer.
    #[error("making a file for its answer: {0}")]
    Io(#[from] std::io::Error),
}

/// Whether `file` is a file that may be executed.
pub(super) fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The version that `program` says it is when it serves as `component`:
/// `v1.36.3`.
pub(super) fn version(
    program: &Path,
    leading_args: &[String],
    component: Component,
) -> Result<String, Unusable> {
    said(component.name(), program, leading_args, |line| parse(component, line))
}

/// The version that `program` says it is, as `parse` reads it from a line of
/// what it prints.
pub(super) fn said(
    component: &'static str,
    program: &Path,
    leading_args: &[String],
    parse: impl Fn(&str) -> Option<String>,
) -> Result<String, Unusable> {
    let answer = tempfile::NamedTempFile::new()?;
    let supervisor = Supervisor::new()?;
    let asked = supervisor.spawn(
        ChildSpec::new(component, program, answer.path()).args(leading_args).args(["--version"]),
    )?;
    let ended = asked.wait_blocking(PATIENCE).ok_or(Unusable::Silent)?;
    if !ended.success() {
        let said = ended.log_tail.last().cloned().unwrap_or_default();
        return Err(Unusable::Failed { how: ended.to_string(), said });
    }
    ended.log_tail.iter().find_map(|line| parse(line)).ok_or_else(|| Unusable::Stranger {
        component,
        said: ended.log_tail.first().cloned().unwrap_or_default(),
    })
}

fn parse(component: Component, line: &str) -> Option<String> {
    let version = match component {
        Component::Etcd => line.strip_prefix("etcd Version: ")?,
        Component::Apiserver | Component::ControllerManager => line.strip_prefix("Kubernetes v")?,
    };
    let version = version.trim();
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("v{version}"))
}

/// Major and minor of a version: `1.36` of `v1.36.3`.
pub(super) fn series(version: &str) -> &str {
    let version = version.trim_start_matches('v');
    match version.match_indices('.').nth(1) {
        Some((end, _)) => &version[..end],
        None => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_components_print() {
        assert_eq!(parse(Component::Etcd, "etcd Version: 3.6.8").unwrap(), "v3.6.8");
        assert_eq!(parse(Component::Apiserver, "Kubernetes v1.36.3").unwrap(), "v1.36.3");
        assert_eq!(parse(Component::Apiserver, "etcd Version: 3.6.8"), None);
        assert_eq!(parse(Component::Etcd, "etcd Version: unknown"), None);
    }

    #[test]
    fn a_series_is_major_and_minor() {
        assert_eq!(series("v1.36.3"), "1.36");
        assert_eq!(series("v1.37.0-rc.1"), "1.37");
        assert_eq!(series("v2"), "2");
    }
}

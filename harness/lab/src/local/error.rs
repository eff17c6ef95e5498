//! Why a lab could not be brought up.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::{ClientError, PkiError};
use crate::assets::Component;
use crate::process::{Ended, ProcessError};

/// A lab could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A component ended while it was to become ready.
    #[error(
        "{name} ended with {ended} before the control plane was ready. Its log ({}) ends with:\n  {}",
        log.display(), ended.log_tail.join("\n  ")
    )]
    Died {
        /// Which.
        name: String,
        /// How.
        ended: Ended,
        /// Its log.
        log: PathBuf,
    },
    /// It did not become ready.
    #[error(
        "the control plane was not ready after {after:?}: {last}. Is the machine overloaded? The \
         logs are in {}",
        logs.display()
    )]
    NotReady {
        /// How long was waited.
        after: Duration,
        /// What it last answered.
        last: String,
        /// Where its logs are.
        logs: PathBuf,
    },
    /// A flag that the lab sets itself.
    #[error(
        "--{flag} of {component} is the lab's own to set; leave it out (an etcd quota and fsync \
         have settings of their own)"
    )]
    OwnFlag {
        /// Whose.
        component: Component,
        /// Which, without dashes.
        flag: String,
    },
    /// The controller manager is wanted, but there is no program for it.
    #[error("the scenario wants kube-controller-manager, but no program for it was looked for")]
    NoControllerManager,
    /// Every port that was tried was taken by others in the meantime.
    #[error("no free ports on loopback: {0}")]
    Ports(io::Error),
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A component could not be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A component did not say what it is.
    #[error("asking a component for its version: {0}")]
    Client(#[from] ClientError),
    /// A file of the lab could not be made.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl LabError {
    /// Whether somebody else took a port between the time it was found free
    /// and the time a component bound it.
    pub(super) fn is_address_in_use(&self) -> bool {
        match self {
            Self::Died { ended, .. } => {
                ended.log_tail.iter().any(|line| line.contains("address already in use"))
            }
            _ => false,
        }
    }
}

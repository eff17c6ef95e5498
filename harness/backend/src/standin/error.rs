//! Why a pod could not be run.

use crate::deploy::DeployError;

/// A pod could not be run from its template.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// The apiserver did not give what the pod needs.
    #[error("{action}: {source}")]
    Api {
        /// What was attempted.
        action: String,
        /// What the apiserver said.
        source: Box<kube::Error>,
    },
    /// The operating system refused something.
    #[error("{action}: {source}")]
    Io {
        /// What was attempted.
        action: String,
        /// What it said.
        source: std::io::Error,
    },
    /// The template has something that only a node could do.
    #[error("{0}; the stand-in for pods cannot do that")]
    Beyond(String),
    /// Something that the pod is to reach is not there (yet).
    #[error("{0} is not there")]
    Missing(String),
    /// A token or a process could not be had.
    #[error(transparent)]
    Deploy(#[from] DeployError),
}

impl StandInError {
    pub(super) fn api(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Api { action, source: Box::new(source) }
    }

    pub(super) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

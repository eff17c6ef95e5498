//! A system in place, whichever it is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kab_evidence::store::StoredEntity;
use kab_lab::process::{Child, Ended, Supervisor};

use super::Variant;
use crate::defect::Defects;
use crate::deploy::{DeployError, DeploySpec};
use crate::{conventional, kubernetes};

/// A system in place.
#[derive(Debug)]
pub enum Deployed {
    /// One that keeps its entities in custom resources.
    Kubernetes(Box<kubernetes::Deployed>),
    /// The one that keeps them in PostgreSQL.
    Conventional(Box<conventional::Deployed>),
}

impl Deployed {
    /// Puts the system that `spec` describes in place; the conventional one on
    /// `ground`.
    ///
    /// # Errors
    /// If it cannot be put in place, or there is no ground for it.
    pub async fn deploy(
        spec: &DeploySpec,
        ground: Option<&conventional::Ground>,
        supervisor: &Supervisor,
    ) -> Result<Self, DeployError> {
        match (spec.variant, ground) {
            (Variant::Conventional, Some(ground)) => {
                let system = conventional::Deployed::deploy(spec, ground, supervisor).await?;
                Ok(Self::Conventional(Box::new(system)))
            }
            (Variant::Conventional, None) => Err(DeployError::NoServers),
            _ => {
                let system = kubernetes::Deployed::deploy(spec, supervisor).await?;
                Ok(Self::Kubernetes(Box::new(system)))
            }
        }
    }

    /// The gateway's address.
    pub fn gateway(&self) -> SocketAddr {
        match self {
            Self::Kubernetes(system) => system.gateway(),
            Self::Conventional(system) => system.gateway(),
        }
    }

    /// Where the gateway takes requests: `http://127.0.0.1:41001`.
    pub fn gateway_url(&self) -> String {
        format!("http://{}", self.gateway())
    }

    /// The namespace, or the tenant.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Kubernetes(system) => system.namespace(),
            Self::Conventional(system) => system.namespace(),
        }
    }

    /// Kubeconfig of account `index` for whoever asks the apiserver directly.
    ///
    /// # Errors
    /// If there is no apiserver, or it refuses.
    pub async fn load_account(&self, index: u16) -> Result<PathBuf, DeployError> {
        match self {
            Self::Kubernetes(system) => system.load_account(index).await,
            Self::Conventional(_) => Err(DeployError::NoApiserver),
        }
    }

    /// Kubeconfig of an account that may only read and watch the entities.
    ///
    /// # Errors
    /// If there is no apiserver, or it refuses.
    pub async fn watch_account(&self) -> Result<PathBuf, DeployError> {
        match self {
            Self::Kubernetes(system) => system.watch_account().await,
            Self::Conventional(_) => Err(DeployError::NoApiserver),
        }
    }

    /// Starts what tells subscriber `index`, which listens at `subscriber_url`, of
    /// every change from now on: so many replicas of it.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn add_informer(
        &mut self,
        supervisor: &Supervisor,
        index: u32,
        replicas: u32,
        subscriber_url: &str,
    ) -> Result<(), DeployError> {
        match self {
            Self::Kubernetes(system) => {
                system.add_informer(supervisor, index, replicas, subscriber_url).await
            }
            Self::Conventional(system) => {
                system.add_informer(supervisor, index, replicas, subscriber_url).await
            }
        }
    }

    /// Everything the store holds now.
    ///
    /// # Errors
    /// If it does not tell.
    pub async fn stored(&self) -> Result<Vec<StoredEntity>, DeployError> {
        match self {
            Self::Kubernetes(system) => system.stored().await,
            Self::Conventional(system) => system.stored().await,
        }
    }

    /// What is wrong with it.
    pub fn defects(&self) -> &Defects {
        match self {
            Self::Kubernetes(system) => system.defects(),
            Self::Conventional(system) => system.defects(),
        }
    }

    /// Name and process id of each app, also of those that have ended.
    pub fn pids(&self) -> Vec<(String, u32)> {
        match self {
            Self::Kubernetes(system) => system.pids(),
            Self::Conventional(system) => system.pids(),
        }
    }

    /// The process called `name`.
    pub fn child(&self, name: &str) -> Option<&Child> {
        match self {
            Self::Kubernetes(system) => system.child(name),
            Self::Conventional(system) => system.child(name),
        }
    }

    /// The processes, also those that have ended.
    pub fn children(&self) -> &[Child] {
        match self {
            Self::Kubernetes(system) => system.children(),
            Self::Conventional(system) => system.children(),
        }
    }

    /// Starts the process called `name` again, at the same address. When this
    /// returns, it is ready.
    ///
    /// # Errors
    /// If there was no such process, or it does not start.
    pub async fn restart(
        &mut self,
        supervisor: &Supervisor,
        name: &str,
    ) -> Result<(), DeployError> {
        match self {
            Self::Kubernetes(system) => system.restart(supervisor, name).await,
            Self::Conventional(system) => system.restart(supervisor, name).await,
        }
    }

    /// Kubeconfig of the service account of `app`: `gateway` or `informer`.
    ///
    /// # Errors
    /// If there is no apiserver.
    pub fn app_account(&self, app: &str) -> Result<PathBuf, DeployError> {
        match self {
            Self::Kubernetes(system) => Ok(system.app_account(app)),
            Self::Conventional(_) => Err(DeployError::NoApiserver),
        }
    }

    /// Stops the apps, each in order, `grace` at most. How each ended, by name. In
    /// a PostgreSQL that goes on, nothing of the system is left.
    pub async fn stop(self, grace: Duration) -> Vec<(String, Ended)> {
        match self {
            Self::Kubernetes(system) => system.stop(grace).await,
            Self::Conventional(system) => {
                let ended = system.stop(grace).await;
                system.leave().await;
                ended
            }
        }
    }
}

//! The provider `local`: etcd, kube-apiserver and, if wanted, the controller
//! manager as child processes on loopback. Needs no privileges.

mod client;
mod conditions;
mod error;
mod flags;
mod host;
mod kubeconfig;
mod pki;
mod plan;
pub(crate) mod ports;
mod spec;
mod start;
mod tracing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kab_evidence::record::Conditions;

use crate::assets::Component;
use crate::process::Child;

pub use client::{Client, ClientError};
pub use error::LabError;
pub use host::host;
pub use pki::{Identity, PkiError};
pub use spec::{ComponentSpec, EtcdSpec, Flags, LocalSpec};

/// How long a component may take over its orderly end.
const GRACE: Duration = Duration::from_secs(10);

/// How long a drop waits for a killed component to be gone.
const DROP_PATIENCE: Duration = Duration::from_secs(10);

/// A control plane that is ready. Dropping it kills it.
#[derive(Debug)]
pub struct Local {
    running: Running,
    kubeconfig: PathBuf,
    server: String,
    admin: Identity,
    etcd_url: String,
    etcd_client: Identity,
    conditions: Conditions,
}

impl Local {
    /// A kubeconfig file with everything in it that its user needs, who may do
    /// everything (`system:masters`): for setting up, not for what is measured.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The apiserver's address: `https://127.0.0.1:PORT`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The administrator's certificate and key, and the authority that vouches
    /// for the apiserver's.
    pub const fn admin(&self) -> &Identity {
        &self.admin
    }

    /// The certificate of the authority that vouches for the apiserver's, as PEM.
    pub fn ca_pem(&self) -> &str {
        self.admin.ca_pem()
    }

    /// etcd's address for clients: `https://127.0.0.1:PORT`.
    pub fn etcd_url(&self) -> &str {
        &self.etcd_url
    }

    /// A client's certificate and key for etcd, and the authority that vouches
    /// for etcd's.
    pub const fn etcd_client(&self) -> &Identity {
        &self.etcd_client
    }

    /// The process of a component, if this lab has it.
    pub fn child(&self, component: Component) -> Option<&Child> {
        self.running.0.iter().find(|child| child.name() == component.name())
    }

    /// The process id of each component, by its name.
    pub fn pids(&self) -> BTreeMap<String, u32> {
        self.running.0.iter().map(|child| (child.name().to_owned(), child.pid())).collect()
    }

    /// Under which conditions numbers taken here are taken.
    pub const fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Ends it in order: each component finishes what it is at, etcd last.
    pub async fn stop(self) {
        for child in self.running.0.iter().rev() {
            child.stop(GRACE).await;
        }
    }

    /// Ends it at once, when its data is not needed any more.
    pub async fn stop_now(self) {
        self.running.0.iter().for_each(Child::kill);
        for child in &self.running.0 {
            child.ended().await;
        }
    }
}

/// Components that run, in the order they were started. Dropping kills them.
#[derive(Debug, Default)]
struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.iter().for_each(Child::kill);
        for child in &self.0 {
            if child.wait_blocking(DROP_PATIENCE).is_none() {
                ::tracing::error!(name = child.name(), pid = child.pid(), "killed, but not gone");
            }
        }
    }
}

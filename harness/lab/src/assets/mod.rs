//! The programs of labs: where they come from.
//!
//! The control plane's are looked for in order: given paths, `KUBEBUILDER_ASSETS`, `PATH`, the cache,
//! the official downloads, and last a build of `controlplane/` with Go.

mod build;
mod cache;
mod download;
mod finder;
mod known;
mod nats;
mod pins;
mod postgres;
mod probe;
mod servers;

use std::fmt;
use std::path::PathBuf;

use kab_evidence::record::AssetRecord;

pub use build::BuildError;
pub use cache::default_cache;
pub use download::Patience;
pub use finder::{AssetError, Finder, Mirrors};
pub use nats::NATS_VERSION;
pub use pins::{ETCD_VERSION, KUBERNETES_VERSION};
pub use postgres::POSTGRES_VERSION;
pub use probe::Unusable;
pub use servers::{PostgresPrograms, ServerError, ServerFinder, ServerPrograms};

/// A program that a lab is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The store.
    Etcd,
    /// The API server.
    Apiserver,
    /// The controller manager.
    ControllerManager,
}

impl Component {
    /// What its program is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Apiserver => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
        }
    }

    /// The version that kab is made for.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Etcd => ETCD_VERSION,
            Self::Apiserver | Self::ControllerManager => KUBERNETES_VERSION,
        }
    }

    /// The component whose program is called `name`.
    fn named(name: &str) -> Option<Self> {
        [Self::Etcd, Self::Apiserver, Self::ControllerManager]
            .into_iter()
            .find(|component| component.name() == name)
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Which component it serves as.
    pub name: String,
    /// The file.
    pub program: PathBuf,
    /// Arguments before all others: `["etcd"]` if one program serves as all.
    pub leading_args: Vec<String>,
    /// The version it said it is: `v1.36.3`.
    pub version: String,
    /// Where it was found, in a sentence.
    pub origin: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

impl From<&Asset> for AssetRecord {
    fn from(asset: &Asset) -> Self {
        Self {
            name: asset.name.clone(),
            origin: asset.origin.clone(),
            sha256: asset.sha256.clone(),
            path: asset.program.clone(),
        }
    }
}

/// The programs of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    /// The store.
    pub etcd: Asset,
    /// The API server.
    pub apiserver: Asset,
    /// The controller manager, if it was asked for.
    pub controller_manager: Option<Asset>,
}

impl Assets {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Asset> {
        [&self.etcd, &self.apiserver].into_iter().chain(&self.controller_manager)
    }
}

//! The programs of the conventional system: PostgreSQL and nats-server.
//!
//! Looked for in order: what the environment names, `PATH`, the cache, and last
//! a download (PostgreSQL) or a build of `broker/` with Go (nats-server).

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::build::BuildError;
use super::cache::default_cache;
use super::{Asset, AssetError, nats, postgres};
use crate::process::Account;
use crate::progress::Progress;

/// Where to look for the servers' programs.
#[derive(Debug, Clone)]
pub struct ServerFinder {
    /// `$KAB_POSTGRES_BIN`: the folder with `initdb` and `postgres`.
    pub postgres_bin: Option<PathBuf>,
    /// `$KAB_NATS_SERVER`: the program.
    pub nats_server: Option<PathBuf>,
    /// Folders, as in `PATH`; also where Go is looked for.
    pub search_path: OsString,
    /// Where programs are kept that were downloaded or built.
    pub cache: PathBuf,
    /// Whether PostgreSQL may be downloaded.
    pub download: bool,
    /// Whom PostgreSQL runs as, if not as kab.
    pub account: Option<Account>,
}

/// PostgreSQL's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresPrograms {
    /// The server.
    pub postgres: Asset,
    /// What makes a data folder for it.
    pub initdb: PathBuf,
}

/// The programs of the conventional system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPrograms {
    /// Where entities are kept; none if there is a PostgreSQL to be used that
    /// kab does not start.
    pub postgres: Option<PostgresPrograms>,
    /// What tells of changes.
    pub nats: Asset,
}

/// A server's program could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// There is no place for a cache.
    #[error(transparent)]
    Cache(#[from] AssetError),
    /// What the user named is of no use.
    #[error("{} ({variable}) cannot be used: {why}", path.display())]
    Given {
        /// The variable that names it.
        variable: &'static str,
        /// What it names.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// No PostgreSQL.
    #[error(
        "no PostgreSQL {oldest} or later could be had: {why}.\nDo one of these:\n  \
         - install PostgreSQL, so that `postgres` and `initdb` are on PATH;\n  \
         - set KAB_POSTGRES_BIN to the folder that holds them;\n  \
         - set KAB_POSTGRES_URL to a server that may be used: postgres://user:password@host/db.",
        oldest = postgres::OLDEST
    )]
    NoPostgres {
        /// What went wrong last.
        why: String,
    },
    /// No nats-server.
    #[error(
        "no nats-server could be had: {build}.\nDo one of these:\n  \
         - install nats-server, so that it is on PATH;\n  \
         - set KAB_NATS_SERVER to the program;\n  \
         - install Go 1.26 or later and run the same again."
    )]
    NoNats {
        /// Why it was not built.
        build: BuildError,
    },
    /// The cache could not be written.
    #[error("using the cache {}: {source}; set KAB_CACHE to a folder with 200 MB free", cache.display())]
    Unwritable {
        /// The cache.
        cache: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ServerFinder {
    /// Looks where the environment says.
    ///
    /// # Errors
    /// If there is no place for a cache.
    pub fn from_env() -> Result<Self, ServerError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Ok(Self {
            postgres_bin: set("KAB_POSTGRES_BIN").map(PathBuf::from),
            nats_server: set("KAB_NATS_SERVER").map(PathBuf::from),
            search_path: set("PATH").unwrap_or_default(),
            cache: default_cache().ok_or(AssetError::NoCache)?,
            download: set("KAB_MIRROR_POSTGRES").is_none_or(|value| value != "none"),
            account: Account::unprivileged(),
        })
    }

    /// Finds, downloads or builds the programs, PostgreSQL's only if it is
    /// wanted. Blocks the thread.
    ///
    /// # Errors
    /// If one of them cannot be had.
    pub fn find(
        &self,
        postgres: bool,
        progress: &dyn Progress,
    ) -> Result<ServerPrograms, ServerError> {
        Ok(ServerPrograms {
            postgres: postgres.then(|| postgres::find(self, progress)).transpose()?,
            nats: nats::find(self, progress)?,
        })
    }
}

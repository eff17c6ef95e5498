//! PostgreSQL as a child process on loopback, made for a lab and thrown away
//! with it.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio_postgres::NoTls;

use super::ServersError;
use super::error::failed;
use super::ready::ready;
use crate::assets::PostgresPrograms;
use crate::local::ports;
use crate::process::{Account, Child, ChildSpec, Supervisor};

/// The administrator, who exists in the lab only.
const ADMIN: &str = "postgres";

/// How often a server is tried when its port is taken by others.
const TRIES: usize = 5;

/// How long an orderly end may take, and one in a hurry.
const GRACE: Duration = Duration::from_secs(10);
const HURRY: Duration = Duration::from_secs(2);

/// How long a drop waits for a killed server to be gone.
const DROP_PATIENCE: Duration = Duration::from_secs(10);

/// Settings that are on by default, and named all the same: nobody is to be in
/// doubt that an acknowledged write is on the disk.
const DURABLE: [(&str, &str); 3] =
    [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")];

/// What is asked of a server about itself, for the conditions.
const TOLD: &[&str] = &[
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "wal_level",
    "commit_delay",
    "checkpoint_timeout",
    "max_wal_size",
    "shared_buffers",
    "work_mem",
    "effective_cache_size",
    "max_connections",
    "autovacuum",
    "data_checksums",
    "default_transaction_isolation",
    "server_encoding",
];

/// What PostgreSQL is to be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostgresSpec {
    /// Settings beside the defaults, by name.
    pub settings: BTreeMap<String, String>,
}

/// A PostgreSQL that is ready. Dropping it ends it.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    url: String,
    command_line: Vec<String>,
    settings: BTreeMap<String, String>,
}

impl Postgres {
    /// Makes a data folder in `room`, which `account` must reach, starts a server
    /// on it as that account, and waits until it takes connections.
    pub(super) async fn start(
        spec: &PostgresSpec,
        programs: &PostgresPrograms,
        account: Option<Account>,
        room: &Path,
        logs: &Path,
        supervisor: &Supervisor,
    ) -> Result<Self, ServersError> {
        let home = room.join("postgres");
        private_folder(&home, account)?;
        let password = super::secret();
        let data = init(programs, account, &home, &password, logs, supervisor).await?;
        let log = logs.join("postgres.log");
        let mut tries = 0;
        loop {
            tries += 1;
            let ports = ports::free(1).map_err(ServersError::Ports)?;
            let port = ports.first().copied().unwrap_or_default();
            let command_line = command_line(&data, port, &spec.settings);
            // The log of a try before would explain the wrong death.
            let _ = fs::remove_file(&log);
            let child = ChildSpec::new("postgres", &programs.postgres.program, &log)
                .args(&command_line)
                .account(account)
                .dir(&home)
                .env("LC_ALL", "C")
                .lines_of_stderr()
                .unannounced();
            let child = supervisor.spawn(plain(child))?;
            match ready(&child, |line| line.contains("ready to accept connections")).await {
                Err(error) if is_address_in_use(&error) && tries < TRIES => continue,
                outcome => outcome?,
            }
            child.announce(supervisor);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let url = format!("postgres://{ADMIN}:{password}@{address}/postgres");
            let settings = settings(&url).await?;
            return Ok(Self { child, url, command_line, settings });
        }
    }

    /// The URL of its administrator, password included: for setting up, not for
    /// what is measured.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process.
    pub const fn child(&self) -> &Child {
        &self.child
    }

    /// Its command line, without the program.
    pub fn command_line(&self) -> &[String] {
        &self.command_line
    }

    /// What it says its settings are, by name.
    pub const fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// Ends it in order: transactions under way are given up, and everything is
    /// written out.
    pub async fn stop(self) {
        self.child.stop_by(Signal::INT, GRACE).await;
    }

    /// Ends it at once, when its data is not needed any more. It is asked to
    /// nevertheless: only so it gives back its shared memory.
    pub async fn stop_now(self) {
        self.child.stop_by(Signal::QUIT, HURRY).await;
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.child.ask(Signal::QUIT);
        if self.child.wait_blocking(HURRY).is_none() {
            self.child.kill();
        }
        if self.child.wait_blocking(DROP_PATIENCE).is_none() {
            ::tracing::error!(pid = self.child.pid(), "PostgreSQL is killed, but not gone");
        }
    }
}

/// What the server at `url` says its settings are, by name.
pub(super) async fn settings(url: &str) -> Result<BTreeMap<String, String>, ServersError> {
    let config: tokio_postgres::Config = url.parse().map_err(ServersError::Url)?;
    let address = format!("{:?}:{:?}", config.get_hosts(), config.get_ports());
    let ask = async || -> Result<BTreeMap<String, String>, tokio_postgres::Error> {
        let (client, connection) = config.connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        let rows = client
            .query(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY($1)",
                &[&TOLD],
            )
            .await?;
        drop(client);
        let _ = connection.await;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    };
    ask().await.map_err(|source| ServersError::Settings { address, source })
}

/// Makes the data folder in `home`, whose administrator has `password`.
async fn init(
    programs: &PostgresPrograms,
    account: Option<Account>,
    home: &Path,
    password: &str,
    logs: &Path,
    supervisor: &Supervisor,
) -> Result<PathBuf, ServersError> {
    let (data, secret) = (home.join("data"), home.join("password"));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&secret)
        .map_err(failed("making", &secret))?;
    writeln!(file, "{password}").map_err(failed("writing", &secret))?;
    if let Some(account) = account {
        account.own(&secret).map_err(failed("giving away", &secret))?;
    }
    let child = ChildSpec::new("initdb", &programs.initdb, logs.join("initdb.log"))
        .args(["--username", ADMIN, "--auth", "scram-sha-256", "--encoding", "UTF8"])
        .args(["--locale", "C", "--pwfile"])
        .args([&secret])
        .args(["--pgdata"])
        .args([&data])
        .account(account)
        .dir(home)
        .unannounced();
    let ended = supervisor.spawn(plain(child))?.ended().await;
    let _ = fs::remove_file(&secret);
    if !ended.success() {
        return Err(ServersError::Initdb { how: ended.to_string(), log_tail: ended.log_tail });
    }
    Ok(data)
}

/// Without what the environment would have PostgreSQL do.
fn plain(child: ChildSpec) -> ChildSpec {
    ["PGDATA", "PGPORT", "PGHOST", "PGOPTIONS", "PGUSER", "PGDATABASE"]
        .into_iter()
        .fold(child, ChildSpec::env_remove)
}

fn command_line(data: &Path, port: u16, more: &BTreeMap<String, String>) -> Vec<String> {
    let port = port.to_string();
    let own = [
        ("listen_addresses", "127.0.0.1"),
        ("port", port.as_str()),
        ("unix_socket_directories", ""),
        ("log_destination", "stderr"),
        ("logging_collector", "off"),
        // In the data folder, which goes away with the lab, however that ends.
        ("dynamic_shared_memory_type", "mmap"),
    ];
    let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let settings = DURABLE.into_iter().chain(more).chain(own);
    ["-D".to_owned(), data.display().to_string()]
        .into_iter()
        .chain(settings.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]))
        .collect()
}

/// A folder that only `account` may enter; or kab, if there is none.
fn private_folder(path: &Path, account: Option<Account>) -> Result<(), ServersError> {
    DirBuilder::new().mode(0o700).create(path).map_err(failed("making", path))?;
    account.map_or(Ok(()), |account| account.own(path).map_err(failed("giving away", path)))
}

fn is_address_in_use(error: &ServersError) -> bool {
    match error {
        ServersError::Died { ended, .. } => {
            ended.log_tail.iter().any(|line| line.contains("Address already in use"))
        }
        _ => false,
    }
}

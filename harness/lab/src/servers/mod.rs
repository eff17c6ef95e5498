//! The servers of the conventional system: PostgreSQL, which keeps entities, and
//! nats-server, which tells of changes. Child processes on loopback.

mod error;
mod nats;
mod postgres;
mod ready;

use std::collections::BTreeMap;
use std::path::PathBuf;

use kab_evidence::record::{AssetRecord, Conditions};

pub use error::ServersError;
pub use nats::{Nats, NatsAccess, NatsSpec};
pub use postgres::{Postgres, PostgresSpec};

use crate::assets::ServerPrograms;
use crate::keep::LabDir;
use crate::local::host;
use crate::process::{Account, Supervisor};
use crate::progress::Progress;

/// The URL of a PostgreSQL that is there already: `$KAB_POSTGRES_URL`.
pub fn given_postgres() -> Option<String> {
    std::env::var("KAB_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}

/// A password that nobody guesses: 32 hexadecimal digits.
pub fn secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// What the servers are to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServersSpec {
    /// The URL of the administrator of a PostgreSQL that is there already; none
    /// to start one.
    pub given: Option<String>,
    /// The PostgreSQL that is started.
    pub postgres: PostgresSpec,
    /// The broker.
    pub nats: NatsSpec,
    /// Folder for their logs.
    pub logs: PathBuf,
}

impl ServersSpec {
    /// The PostgreSQL at `$KAB_POSTGRES_URL`, if that is set, else one of its
    /// own; everything by default.
    pub fn from_env(logs: PathBuf) -> Self {
        Self {
            given: given_postgres(),
            postgres: PostgresSpec::default(),
            nats: NatsSpec::default(),
            logs,
        }
    }
}

/// Servers that are ready. Dropping them ends those that were started.
#[derive(Debug)]
pub struct Servers {
    postgres: Option<Postgres>,
    url: String,
    nats: Nats,
    conditions: Conditions,
}

impl Servers {
    /// Starts them with their files in `dir`, and waits until they are ready.
    ///
    /// # Errors
    /// If one of them cannot be started, or does not become ready.
    pub async fn start(
        spec: &ServersSpec,
        programs: &ServerPrograms,
        dir: &LabDir,
        supervisor: &Supervisor,
        progress: &dyn Progress,
    ) -> Result<Self, ServersError> {
        let account = Account::unprivileged();
        let room = dir.room(account)?;
        let postgres = async {
            if spec.given.is_some() {
                return Ok(None);
            }
            let programs = programs.postgres.as_ref().ok_or(ServersError::NoPostgres)?;
            let (of, logs) = (&spec.postgres, &spec.logs);
            Postgres::start(of, programs, account, &room, logs, supervisor).await.map(Some)
        };
        let nats = Nats::start(&spec.nats, &programs.nats, dir.path(), &spec.logs, supervisor);
        let (postgres, nats) = tokio::try_join!(postgres, nats)?;
        let url = match (&postgres, &spec.given) {
            (Some(started), _) => started.url().to_owned(),
            (None, given) => given.clone().unwrap_or_default(),
        };
        let told = match &postgres {
            Some(started) => started.settings().clone(),
            None => postgres::settings(&url).await?,
        };
        progress.say("PostgreSQL and nats-server are ready");
        let conditions = Conditions {
            fidelity: fidelity(postgres.is_some(), &told, &spec.nats),
            provider: "local".to_owned(),
            versions: versions(&told, &nats),
            command_lines: command_lines(postgres.as_ref(), &nats),
            assets: assets(programs, postgres.is_some()),
            settings: named("postgres", &told)
                .chain(named("nats-server", nats.settings()))
                .collect(),
            host: host(&room),
            ..Conditions::default()
        };
        Ok(Self { postgres, url, nats, conditions })
    }

    /// The URL of PostgreSQL's administrator, password included.
    pub fn postgres_url(&self) -> &str {
        &self.url
    }

    /// The PostgreSQL, if it was started here.
    pub const fn postgres(&self) -> Option<&Postgres> {
        self.postgres.as_ref()
    }

    /// The broker.
    pub const fn nats(&self) -> &Nats {
        &self.nats
    }

    /// The process id of each, by its name.
    pub fn pids(&self) -> BTreeMap<String, u32> {
        let children = self.postgres.iter().map(Postgres::child).chain([self.nats.child()]);
        children.map(|child| (child.name().to_owned(), child.pid())).collect()
    }

    /// Under which conditions numbers taken here are taken.
    pub const fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Ends them at once, when their data is not needed any more.
    pub async fn stop_now(self) {
        self.nats.stop_now().await;
        if let Some(postgres) = self.postgres {
            postgres.stop_now().await;
        }
    }
}

/// `settings` under the name of their server: `postgres fsync`.
fn named<'a>(
    server: &'a str,
    settings: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (String, String)> + 'a {
    settings.iter().map(move |(name, value)| (format!("{server} {name}"), value.clone()))
}

fn versions(told: &BTreeMap<String, String>, nats: &Nats) -> BTreeMap<String, String> {
    let postgres = told.get("server_version").map(|v| ("postgres".to_owned(), v.clone()));
    let nats = nats.settings().get("version").map(|v| ("nats-server".to_owned(), v.clone()));
    postgres.into_iter().chain(nats).collect()
}

fn command_lines(postgres: Option<&Postgres>, nats: &Nats) -> BTreeMap<String, Vec<String>> {
    let postgres = postgres.map(|p| ("postgres".to_owned(), p.command_line().to_owned()));
    let nats = ("nats-server".to_owned(), nats.command_line().to_owned());
    postgres.into_iter().chain([nats]).collect()
}

fn assets(programs: &ServerPrograms, started: bool) -> Vec<AssetRecord> {
    let postgres = programs.postgres.iter().filter(|_| started).map(|found| &found.postgres);
    postgres.chain([&programs.nats]).map(AssetRecord::from).collect()
}

fn fidelity(started: bool, told: &BTreeMap<String, String>, nats: &NatsSpec) -> String {
    let on = |name: &str| told.get(name).is_some_and(|value| value == "on");
    let postgres = match (started, on("fsync") && on("synchronous_commit")) {
        (true, true) => "Real PostgreSQL on this machine, which waits for the disk at every commit",
        (true, false) => "Real PostgreSQL on this machine, which does not wait for the disk",
        (false, true) => "A given PostgreSQL, which waits for its disk at every commit",
        (false, false) => "A given PostgreSQL, which does not wait for its disk",
    };
    let broker = match nats.sync_interval.as_str() {
        "always" => "which waits for the disk at every message".to_owned(),
        every => format!("which brings its files to the disk every {every}"),
    };
    format!(
        "{postgres}, and one real nats-server over loopback, {broker}; without replicas, \
         without TLS."
    )
}

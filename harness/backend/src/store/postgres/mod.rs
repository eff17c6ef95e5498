//! Entities in a table of PostgreSQL: see `conventional/schema.sql`.
//!
//! The database enforces the rules, the tenant's walls and the outbox; the store
//! speaks for it: which statement, and what a refusal means.

mod bell;
mod changes;
mod listening;
mod notes;
mod refusal;
mod rows;
mod statements;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures::stream::BoxStream;
use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use tokio_postgres::NoTls;

use super::{Change, Difference, Done, Draft, Entity, Page, Position, Query, Refused, Revision};
use super::{Store, Write};
use bell::Bell;

pub(crate) use listening::Listening;

/// How many connections a store has, unless somebody says otherwise.
pub const POOL_SIZE: u32 = 16;

/// How long a request waits for a connection of the pool, and for one to be
/// made, before it is told that there is too much to do.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest that a statement may run, in milliseconds.
const LONGEST_STATEMENT: u32 = 10_000;

/// How many entities a page has, unless somebody says otherwise, and at most.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 500;

/// A store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The URL is none.
    #[error(
        "the URL of PostgreSQL cannot be used: {0}; it has the form postgres://user:password@host:port/database"
    )]
    Url(tokio_postgres::Error),
    /// The pool could not be made.
    #[error("making the pool of connections: {0}")]
    Pool(#[from] deadpool_postgres::BuildError),
    /// The database does not take connections, or not those of this user.
    #[error("connecting to PostgreSQL: {0}; is it running, and are user and password right?")]
    Connect(String),
}

/// One tenant's entities in a table.
pub struct PostgresStore {
    pool: Pool,
    config: tokio_postgres::Config,
    tenant: String,
    bell: Bell,
}

impl PostgresStore {
    /// Opens the entities of `tenant` in the database at `url`, over at most
    /// `pool` connections, and connects once, to see that it works.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn connect(url: &str, tenant: &str, pool: u32) -> Result<Self, PostgresError> {
        let config = session(url, tenant)?;
        let size = usize::try_from(pool.max(1)).unwrap_or(usize::MAX);
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config.clone(), NoTls, manager))
            .max_size(size)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build()?;
        let connect = |e: deadpool_postgres::PoolError| PostgresError::Connect(refusal::told(&e));
        drop(pool.get().await.map_err(connect)?);
        let bell = Bell::new(config.clone());
        Ok(Self { pool, config, tenant: tenant.to_owned(), bell })
    }

    /// A connection of the pool; nothing was sent if there is none.
    async fn connection(&self) -> Result<Object, Refused> {
        self.pool.get().await.map_err(refusal::no_connection)
    }

    /// What `answer`, which was asked for at `sent`, comes to; whoever listens is
    /// told of a change.
    fn done<T>(&self, sent: Mono, answer: Result<T, Refused>, changes: bool) -> Done<T> {
        let done = Mono::now();
        if changes && answer.is_ok() {
            self.bell.ring();
        }
        Done { answer, sent, done, status: None }
    }
}

/// Sessions that are this tenant's, and whose statements end.
fn session(url: &str, tenant: &str) -> Result<tokio_postgres::Config, PostgresError> {
    let mut config: tokio_postgres::Config = url.parse().map_err(PostgresError::Url)?;
    let tenant = tenant.replace('\\', "\\\\").replace(' ', "\\ ");
    config
        .options(format!("-c app.tenant={tenant} -c statement_timeout={LONGEST_STATEMENT}"))
        .application_name("kab-gateway")
        .connect_timeout(PATIENCE);
    Ok(config)
}

impl Store for PostgresStore {
    fn differences(&self) -> Vec<Difference> {
        Vec::new()
    }

    async fn create(&self, op: Option<OpId>, draft: &Draft<'_>) -> Done<Entity> {
        let asked = Mono::now();
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(refused) => return self.done(asked, Err(refused), false),
        };
        let sent = Mono::now();
        let answer = statements::create(&connection, op, draft).await;
        self.done(sent, answer.map_err(refusal::of_write), true)
    }

    async fn get(&self, _op: Option<OpId>, code: &str) -> Done<Entity> {
        let asked = Mono::now();
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(refused) => return self.done(asked, Err(refused), false),
        };
        let sent = Mono::now();
        let answer = statements::get(&connection, code).await;
        self.done(sent, answer.map_err(refusal::of_read), false)
    }

    async fn list(&self, _op: Option<OpId>, query: &Query) -> Done<Page> {
        let asked = Mono::now();
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(refused) => return self.done(asked, Err(refused), false),
        };
        let sent = Mono::now();
        let answer = statements::list(&connection, query).await;
        self.done(sent, answer.map_err(refusal::of_read), false)
    }

    async fn update(
        &self,
        op: Option<OpId>,
        draft: &Draft<'_>,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        let asked = Mono::now();
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(refused) => return self.done(asked, Err(refused), false),
        };
        let sent = Mono::now();
        let answer = statements::update(&connection, op, draft, expected).await;
        self.done(sent, answer.map_err(refusal::of_write), true)
    }

    async fn delete(
        &self,
        op: Option<OpId>,
        code: &str,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        let asked = Mono::now();
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(refused) => return self.done(asked, Err(refused), false),
        };
        let sent = Mono::now();
        let answer = statements::delete(&connection, op, code, expected).await;
        self.done(sent, answer.map_err(refusal::of_write), true)
    }

    async fn transact(&self, op: Option<OpId>, writes: &[Write<'_>]) -> Done<Vec<Entity>> {
        let asked = Mono::now();
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(refused) => return self.done(asked, Err(refused), false),
        };
        let sent = Mono::now();
        let answer = transaction::run(&mut connection, op, writes).await;
        self.done(sent, answer, true)
    }

    async fn changes(&self, from: Position) -> Done<BoxStream<'static, Result<Change, Refused>>> {
        let asked = Mono::now();
        let answer = changes::open(&self.config, self.tenant.clone(), from).await;
        self.done(asked, answer, false)
    }
}

/// Asked of a connection: a statement that was refused, or that had no effect.
#[derive(Debug)]
enum Fault {
    Sql(tokio_postgres::Error),
    Refused(Refused),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Keeps a task running as long as this lives.
#[derive(Debug)]
struct Task(tokio::task::JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A word to whoever waits: one is kept, however many are said.
type Word = Arc<tokio::sync::Notify>;

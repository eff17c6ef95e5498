//! PostgreSQL and nats-server for the tests, the real ones, shared by those
//! that run at the same time.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

use std::path::Path;
use std::sync::{Arc, Weak};

use async_nats::jetstream::Context;
use kab_backend::conventional::{Database, Ground};
use kab_backend::store::Draft;
use kab_backend::store::postgres::PostgresStore;
use kab_evidence::id::OpId;
use kab_lab::assets::ServerFinder;
use kab_lab::keep::{LabDir, Labs};
use kab_lab::process::{Child, ChildSpec, Supervisor};
use kab_lab::progress::Silent;
use kab_lab::servers::{Servers, ServersSpec};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls};

/// Servers. They end, and their files go, with the last test that has them.
pub struct Plane {
    pub servers: Servers,
    _supervisor: Supervisor,
    _dir: LabDir,
    _state: tempfile::TempDir,
}

static PLANE: Mutex<Weak<Plane>> = Mutex::const_new(Weak::new());

pub async fn plane() -> Arc<Plane> {
    let mut shared = PLANE.lock().await;
    if let Some(plane) = shared.upgrade() {
        return plane;
    }
    let programs = tokio::task::spawn_blocking(|| {
        ServerFinder::from_env().unwrap().find(true, &Silent).unwrap()
    });
    let programs = programs.await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let dir = Labs::at(state.path()).create(None).unwrap();
    let supervisor = Supervisor::new().unwrap();
    let spec = ServersSpec { given: None, ..ServersSpec::from_env(dir.path().join("logs")) };
    let servers = Servers::start(&spec, &programs, &dir, &supervisor, &Silent).await.unwrap();
    let plane = Arc::new(Plane { servers, _supervisor: supervisor, _dir: dir, _state: state });
    *shared = Arc::downgrade(&plane);
    plane
}

/// A database of a test's own.
pub struct Base {
    pub plane: Arc<Plane>,
    pub database: Database,
    /// Somebody who may do everything in it.
    pub admin: Client,
}

impl Base {
    pub async fn new() -> Self {
        let plane = plane().await;
        let database = Database::create(plane.servers.postgres_url()).await.unwrap();
        let admin = client(database.admin_url()).await;
        Self { plane, database, admin }
    }

    pub async fn store(&self, tenant: &str) -> PostgresStore {
        PostgresStore::connect(self.database.gateway_url(), tenant, 4).await.unwrap()
    }

    pub fn ground(&self) -> Ground {
        Ground::from(&self.plane.servers)
    }

    /// The broker, as its user.
    pub async fn broker(&self) -> Context {
        let broker = self.ground().broker;
        let options = async_nats::ConnectOptions::new()
            .user_and_password(broker.user.clone(), broker.password.clone());
        async_nats::jetstream::new(options.connect(&broker.url).await.unwrap())
    }
}

/// A connection to `url`.
pub async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A good Todo.
pub fn draft(code: &str) -> Draft<'_> {
    Draft { code: code.into(), message: "milk".into(), when: "2030-03-06T23:52:48Z".into() }
}

pub fn op(number: u64) -> OpId {
    OpId::new(0xc0de, number)
}

/// Starts an app as a process, and waits until it says that it is ready.
pub async fn app<C: Serialize>(
    supervisor: &Supervisor,
    dir: &Path,
    app: &str,
    name: &str,
    config: &C,
) -> Child {
    let file = dir.join(format!("{name}.json"));
    std::fs::write(&file, serde_json::to_vec(config).unwrap()).unwrap();
    let log = dir.join(format!("{name}.log"));
    let spec = ChildSpec::new(name, env!("CARGO_BIN_EXE_kab-app"), log)
        .args(["app", app, "--config"])
        .args([file])
        .env("KAB_SPANS_DIR", dir.join("spans"))
        .lines();
    let child = supervisor.spawn(spec).unwrap();
    let mut lines = child.take_lines().unwrap();
    let line = lines.recv().await;
    assert!(line.is_some(), "{name}: {:?}", child.ended().await);
    child
}

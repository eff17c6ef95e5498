//! nats-server with JetStream as a child process on loopback.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::ServersError;
use super::error::failed;
use super::ready::ready;
use crate::assets::Asset;
use crate::process::{Child, ChildSpec, Supervisor};

/// Who publishes and consumes.
const USER: &str = "kab";

/// How long it may take over its orderly end.
const GRACE: Duration = Duration::from_secs(10);

/// How long a drop waits for a killed server to be gone.
const DROP_PATIENCE: Duration = Duration::from_secs(10);

/// What nats-server is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsSpec {
    /// When JetStream's files are brought to the disk: `always` for before every
    /// acknowledgement, else a duration such as `2m`, its own default.
    ///
    /// `always` here. With the default, an acknowledged message may be lost by a
    /// power cut for two minutes; the outbox has marked it as published by then,
    /// so that nobody sends it again. PostgreSQL and etcd wait for the disk; of
    /// a single broker without replicas the same must be asked. No client waits
    /// for it: only the relay does.
    pub sync_interval: String,
}

impl Default for NatsSpec {
    fn default() -> Self {
        Self { sync_interval: "always".to_owned() }
    }
}

/// How to reach a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsAccess {
    /// `127.0.0.1:41001`.
    pub address: SocketAddr,
    /// Who comes.
    pub user: String,
    /// With which password.
    pub password: String,
}

/// A nats-server that is ready. Dropping it kills it.
#[derive(Debug)]
pub struct Nats {
    child: Child,
    access: NatsAccess,
    monitor: SocketAddr,
    command_line: Vec<String>,
    settings: BTreeMap<String, String>,
}

impl Nats {
    /// Starts one with its files in `dir`, and waits until it is ready.
    pub(super) async fn start(
        spec: &NatsSpec,
        program: &Asset,
        dir: &Path,
        logs: &Path,
        supervisor: &Supervisor,
    ) -> Result<Self, ServersError> {
        let home = dir.join("nats");
        fs::create_dir_all(&home).map_err(failed("making", &home))?;
        let password = super::secret();
        let file = home.join("nats.conf");
        write_secret(&file, &config(spec, &home.join("jetstream"), &password))?;
        let command_line = vec!["-c".to_owned(), file.display().to_string()];
        let child = ChildSpec::new("nats-server", &program.program, logs.join("nats-server.log"))
            .args(&command_line)
            .lines_of_stderr()
            .unannounced();
        let child = supervisor.spawn(child)?;
        // It takes any free port, and says which.
        let (mut client, mut monitor) = (None, None);
        ready(&child, |line| {
            client = client.or_else(|| address(line, "Listening for client connections on "));
            monitor = monitor.or_else(|| address(line, "Starting http monitor on "));
            line.ends_with("Server is ready")
        })
        .await?;
        let (Some(address), Some(monitor)) = (client, monitor) else {
            child.kill();
            let why = "it did not say where it listens".to_owned();
            return Err(ServersError::Varz { address: String::new(), why });
        };
        child.announce(supervisor);
        let settings = settings(monitor)
            .await
            .map_err(|why| ServersError::Varz { address: monitor.to_string(), why })?;
        let access = NatsAccess { address, user: USER.to_owned(), password };
        Ok(Self { child, access, monitor, command_line, settings })
    }

    /// How to reach it.
    pub const fn access(&self) -> &NatsAccess {
        &self.access
    }

    /// Where it tells of itself, over HTTP.
    pub const fn monitor(&self) -> SocketAddr {
        self.monitor
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

    /// Ends it in order.
    pub async fn stop(self) {
        self.child.stop(GRACE).await;
    }

    /// Ends it at once, when its data is not needed any more.
    pub async fn stop_now(self) {
        self.child.kill();
        self.child.ended().await;
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.child.kill();
        if self.child.wait_blocking(DROP_PATIENCE).is_none() {
            ::tracing::error!(pid = self.child.pid(), "nats-server is killed, but not gone");
        }
    }
}

fn config(spec: &NatsSpec, store: &Path, password: &str) -> String {
    format!(
        "listen: \"127.0.0.1:-1\"\nhttp: \"127.0.0.1:-1\"\nserver_name: \"kab\"\n\
         jetstream {{\n  store_dir: \"{}\"\n  sync_interval: \"{}\"\n}}\n\
         authorization {{\n  user: \"{USER}\"\n  password: \"{password}\"\n}}\n",
        store.display(),
        spec.sync_interval,
    )
}

/// The address behind `words` in a line of its log.
fn address(line: &str, words: &str) -> Option<SocketAddr> {
    line.split_once(words)?.1.trim().parse().ok()
}

/// What it says of itself, flattened: `jetstream.config.sync_interval`.
async fn settings(monitor: SocketAddr) -> Result<BTreeMap<String, String>, String> {
    let url = format!("http://{monitor}/varz").parse::<http::Uri>().map_err(|e| e.to_string())?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(url).await.map_err(|e| e.to_string())?;
    let body = answer.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
    let told: serde_json::Value = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
    let wanted = [
        "/version",
        "/max_connections",
        "/max_payload",
        "/jetstream/config/max_memory",
        "/jetstream/config/max_storage",
        "/jetstream/config/sync_interval",
        "/jetstream/config/sync_always",
    ];
    let text = |value: &serde_json::Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    let found = |path: &&str| {
        let name = path.trim_start_matches('/').replace('/', ".");
        Some((name, text(told.pointer(path)?)))
    };
    Ok(wanted.iter().filter_map(found).collect())
}

fn write_secret(path: &Path, text: &str) -> Result<(), ServersError> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(failed("writing", path))
}

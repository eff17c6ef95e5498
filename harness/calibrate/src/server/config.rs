//! What the null server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

use kab_evidence::clock::Mono;
use kab_scenario::unit::{Rate, Span};
use serde::{Deserialize, Serialize};

use super::script::Script;

/// The server's configuration, a JSON file. Everything has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Where to listen; by default on a free loopback port.
    pub address: SocketAddr,
    /// Whether over TLS, with a certificate of an authority of its own.
    pub tls: bool,
    /// Most streams of one HTTP/2 connection.
    pub max_streams: u32,
    /// Where to write what it saw, as JSON lines, when it ends.
    pub evidence: Option<PathBuf>,
    /// When the script begins; by default when the server is ready.
    pub origin: Option<Mono>,
    /// How it behaves.
    pub script: Script,
    /// What it answers.
    pub objects: Objects,
    /// What it tells watchers.
    pub watch: Watch,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: false,
            max_streams: 1 << 20,
            evidence: None,
            origin: None,
            script: Script::default(),
            objects: Objects::default(),
            watch: Watch::default(),
        }
    }
}

/// The objects it speaks of. It keeps none: a write is answered and forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Objects {
    /// How many are in its LIST.
    pub listed: u32,
    /// Size of each as JSON, in bytes; never less than what its metadata needs.
    pub bytes: usize,
}

impl Default for Objects {
    fn default() -> Self {
        Self { listed: 100, bytes: 1024 }
    }
}

/// Events to every watcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Watch {
    /// Events to each watcher; none: no event ever.
    pub rate: Option<Rate>,
    /// When the first comes, from the origin.
    pub at: Option<Span>,
    /// How many there are; none: without end.
    pub count: Option<u64>,
    /// How often there is a bookmark for those who asked; none: never.
    pub bookmark_every: Option<Span>,
    /// How many events are kept. A watcher that falls behind them is told so
    /// (410) and cut off, as an apiserver does.
    pub kept: usize,
}

impl Default for Watch {
    fn default() -> Self {
        Self { rate: None, at: None, count: None, bookmark_every: None, kept: 4096 }
    }
}

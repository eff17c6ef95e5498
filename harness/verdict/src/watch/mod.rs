//! Whether watch streams kept what etcd and Kubernetes promise of them, and
//! what became of every event that was due.
//!
//! ```text
//! ledger ─┐
//!         ├─> universe ─> lineage of each watcher ─> account, guarantees
//! watch ──┘
//! ```
//!
//! The *universe* holds every change that is known to have happened: those that
//! the ledger knows as acknowledged, and those that any stream has shown. Each
//! watcher is held against it from where it began: each change is delivered,
//! relisted, coalesced, cut off, pending, silent or lost, and never two of them.

use std::path::Path;

use kab_evidence::folder::CellFolder;
use kab_evidence::join::Joined;
use kab_evidence::jsonl::JsonlError;
use kab_evidence::watch::WatchClient;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod account;
mod bits;
mod check;
mod files;
mod guarantee;
mod lineage;
mod scene;
mod universe;

pub use account::{Account, Streams};
pub use guarantee::{Guarantee, GuaranteeResult, Standing, Violation};

use crate::distribution::Summary;

/// What was found out about all watch streams of a cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// By group of watchers, in the order of their files.
    pub groups: Vec<WatchedGroup>,
    /// What became of the events due to all of them.
    pub account: Account,
    /// What happened to all their streams.
    pub streams: Streams,
    /// One for each guarantee.
    pub guarantees: Vec<GuaranteeResult>,
    /// Writes acknowledged, by the ledger. Removals are not among them: nothing
    /// in their answer says which event is theirs. They are due to every watcher
    /// as soon as one stream shows them.
    pub acknowledged: u64,
    /// Of these, without a known resourceVersion and on no stream: nothing can
    /// be said about their delivery.
    pub unplaced: u64,
    /// From a write's intended start until a watcher received its event, over
    /// all watchers; to a thousandth of each value.
    pub lag: Summary,
    /// Receipts before the write's intended start: clocks that contradict each
    /// other, or another write's event. They are in no percentile.
    pub negative_lags: u64,
    /// Lines that no watcher of their file's group can have written.
    pub foreign: u64,
    /// Watch files whose last line was cut off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub truncated: Vec<String>,
}

/// One group of watchers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchedGroup {
    /// The step that started them.
    pub step: String,
    /// What they are.
    pub client: WatchClient,
    /// What they watched.
    pub path: String,
    /// What became of the events due to them.
    pub account: Account,
    /// What happened to their streams.
    pub streams: Streams,
}

impl Watch {
    /// Share of the acknowledged writes whose delivery can be judged; none if
    /// nothing was acknowledged.
    pub fn coverage(&self) -> Option<f64> {
        let judged = self.acknowledged.saturating_sub(self.unplaced);
        (self.acknowledged > 0).then(|| judged as f64 / self.acknowledged as f64)
    }

    /// What was found out about `guarantee`.
    pub fn guarantee(&self, guarantee: Guarantee) -> Option<&GuaranteeResult> {
        self.guarantees.iter().find(|result| result.guarantee == guarantee)
    }

    /// The guarantees that were broken.
    pub fn broken(&self) -> impl Iterator<Item = &GuaranteeResult> {
        self.guarantees.iter().filter(|result| result.standing == Standing::Broken)
    }
}

/// Holds the watch files of `folder` against its ledger; none if there are no
/// watch files, as in runs without watchers and those of older kabs.
///
/// # Errors
/// If a file cannot be read, or is no evidence.
pub fn read(folder: &CellFolder, joined: &Joined) -> Result<Option<Watch>, JsonlError> {
    let files = files::read(&folder.watch_dir())?;
    if files.is_empty() {
        return Ok(None);
    }
    let mut watch = check::check(&files, joined)?;
    let relative =
        |path: &Path| path.strip_prefix(folder.path()).unwrap_or(path).display().to_string();
    watch.truncated = files.iter().filter(|f| f.truncated).map(|f| relative(&f.path)).collect();
    Ok(Some(watch))
}

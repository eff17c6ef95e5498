//! The watch files, read for what they describe; receipts are left for a
//! second reading, so that they are never all in memory.

use std::io;
use std::path::{Path, PathBuf};

use kab_evidence::jsonl::{self, JsonlError};
use kab_evidence::watch::{Described, WatchGroup, WatchLine};

/// One file, without its receipts.
pub(super) struct WatchFile {
    pub path: PathBuf,
    pub group: WatchGroup,
    /// By the number that receipts name them by.
    pub events: Vec<Described>,
    pub truncated: bool,
}

/// Every watch file in `dir` that says whose it is, by name.
pub(super) fn read(dir: &Path) -> Result<Vec<WatchFile>, JsonlError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(JsonlError::Io { action: "listing", path: dir.to_owned(), source });
        }
    };
    let mut paths: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    paths.sort();
    let files = paths.into_iter().filter_map(|path| read_one(path).transpose());
    files.collect()
}

fn read_one(path: PathBuf) -> Result<Option<WatchFile>, JsonlError> {
    let (mut group, mut events) = (None, Vec::new());
    let truncated = jsonl::for_each(&path, |line| match line {
        WatchLine::Group(found) => group = Some(found),
        WatchLine::Event(event) => events.push(event),
        _ => {}
    })?;
    // Numbers are given in order; a file that does otherwise is put right here.
    if events.iter().enumerate().any(|(n, event)| event.e as usize != n) {
        events.sort_by_key(|event| event.e);
    }
    Ok(group.map(|group| WatchFile { path, group, events, truncated }))
}

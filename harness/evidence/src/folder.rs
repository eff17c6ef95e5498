//! Where each piece of evidence lies on disk.
//!
//! ```text
//! record.json        the run record, replaced whole
//! scenario.yaml      the scenario as it was given
//! events.jsonl       what happened to the run itself
//! report.{html,md,json}
//! .lock              held by the kab that writes to the folder
//! set-aside/CELL-N/  evidence of a cell that was not done, and run again
//! cells/CELL/
//!   ops.jsonl        the ledger; ops-N.jsonl where several workers kept it
//!   series.jsonl     sampled metrics
//!   store.jsonl      what the store held in the end
//!   attempts.jsonl   single requests, and what came of each
//!   spans/*.jsonl    what each process saw
//!   watch/*.jsonl    what each watch stream received
//!   logs/*.log       what each process printed
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::record::{RunRecord, SCHEMA_VERSION, SchemaVersion};

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

/// The folder of one cell of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFolder(PathBuf);

/// A run folder could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The operating system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder already holds a run.
    #[error("{} already holds a run; give --out another folder, or remove it first", .0.display())]
    Occupied(PathBuf),
    /// Another process writes to it.
    #[error("another kab is at work on {}; wait until it has ended, or stop it", .0.display())]
    Busy(PathBuf),
    /// The folder holds no run.
    #[error("{} holds no run: there is no record.json in it; the folder is printed on the last line of `kab run`", .0.display())]
    NotARun(PathBuf),
    /// The record is of a newer format.
    #[error("{} was written by a newer kab (record version {found}, this kab reads up to {SCHEMA_VERSION}); use that kab or a later one", path.display())]
    Newer {
        /// The record.
        path: PathBuf,
        /// Its version.
        found: SchemaVersion,
    },
    /// The record is not one.
    #[error("{} is not a run record: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl RunFolder {
    /// Makes `path` a run folder. It may exist, but not hold a run. Whoever
    /// writes a run to it holds its [lock](crate::lock::RunLock).
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(failed("making the run folder", path))?;
        let path = path.canonicalize().map_err(failed("finding", path))?;
        if path.join("record.json").exists() {
            return Err(FolderError::Occupied(path));
        }
        Ok(Self(path))
    }

    /// The run in `path`.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        match path.canonicalize() {
            Ok(found) if found.join("record.json").is_file() => Ok(Self(found)),
            _ => Err(FolderError::NotARun(path.to_owned())),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The run record.
    pub fn record_path(&self) -> PathBuf {
        self.0.join("record.json")
    }

    /// The scenario as it was given.
    pub fn scenario_path(&self) -> PathBuf {
        self.0.join("scenario.yaml")
    }

    /// What happened to the run itself.
    pub fn events_path(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }

    /// The report in the format named by `extension`.
    pub fn report_path(&self, extension: &str) -> PathBuf {
        self.0.join(format!("report.{extension}"))
    }

    /// The folder of cell `id`.
    pub fn cell(&self, id: &str) -> CellFolder {
        CellFolder(self.0.join("cells").join(id))
    }

    /// Moves the evidence of cell `id` to where nothing judges it: the new
    /// place, in this folder; none if there is no evidence.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub fn set_aside(&self, id: &str) -> Result<Option<String>, FolderError> {
        let from = self.cell(id).0;
        if !from.exists() {
            return Ok(None);
        }
        let aside = self.0.join("set-aside");
        fs::create_dir_all(&aside).map_err(failed("making", &aside))?;
        let names = (1..).map(|n: u64| format!("{id}-{n}"));
        let free = names.into_iter().find(|name| !aside.join(name).exists()).unwrap_or_default();
        let to = aside.join(&free);
        fs::rename(&from, &to).map_err(failed("setting aside", &from))?;
        Ok(Some(format!("set-aside/{free}")))
    }

    /// Replaces the run record. The old one stays until the new one is whole.
    pub fn write_record(&self, record: &RunRecord) -> Result<(), FolderError> {
        let path = self.record_path();
        let mut text = serde_json::to_vec_pretty(record)
            .map_err(|source| FolderError::Malformed { path: path.clone(), source })?;
        text.push(b'\n');
        replace(&path, &text)
    }

    /// Reads the run record of this or an older format.
    pub fn read_record(&self) -> Result<RunRecord, FolderError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            schema_version: SchemaVersion,
        }
        let path = self.record_path();
        let text = fs::read(&path).map_err(failed("reading", &path))?;
        let malformed = |source| FolderError::Malformed { path: path.clone(), source };
        let found = serde_json::from_slice::<Version>(&text).map_err(malformed)?.schema_version;
        if found > SCHEMA_VERSION {
            return Err(FolderError::Newer { path, found });
        }
        serde_json::from_slice(&text).map_err(malformed)
    }
}

impl CellFolder {
    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The operation ledger.
    pub fn ops_path(&self) -> PathBuf {
        self.0.join("ops.jsonl")
    }

    /// The ledger of a part of the cell, such as a probe or a worker.
    pub fn ops_part_path(&self, part: &str) -> PathBuf {
        self.0.join(format!("ops-{part}.jsonl"))
    }

    /// Sampled metrics.
    pub fn series_path(&self) -> PathBuf {
        self.0.join("series.jsonl")
    }

    /// What the store held in the end.
    pub fn store_path(&self) -> PathBuf {
        self.0.join("store.jsonl")
    }

    /// Single requests, and what came of each.
    pub fn attempts_path(&self) -> PathBuf {
        self.0.join("attempts.jsonl")
    }

    /// One file of spans for each process.
    pub fn spans_dir(&self) -> PathBuf {
        self.0.join("spans")
    }

    /// One file of streams for each group of watchers.
    pub fn watch_dir(&self) -> PathBuf {
        self.0.join("watch")
    }

    /// What each process printed.
    pub fn logs_dir(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// How many lines each file of evidence has, by its path in this folder.
    /// Written down when a cell ends, it shows later what is missing.
    pub fn inventory(&self) -> Result<BTreeMap<String, u64>, FolderError> {
        let mut lines = BTreeMap::new();
        for dir in [self.0.clone(), self.spans_dir(), self.watch_dir()] {
            let entries = match fs::read_dir(&dir) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(failed("listing", &dir))?,
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.extension().is_some_and(|extension| extension == "jsonl") {
                    let count = count_lines(&path).map_err(failed("reading", &path))?;
                    let name = path.strip_prefix(&self.0).unwrap_or(&path);
                    lines.insert(name.display().to_string(), count);
                }
            }
        }
        Ok(lines)
    }
}

fn count_lines(path: &Path) -> io::Result<u64> {
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut lines = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(lines);
        }
        lines += buffer[..read].iter().map(|&byte| u64::from(byte == b'\n')).sum::<u64>();
    }
}

/// Replaces `path` by `content`, never leaving half a file.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FolderError> {
    let temporary = path.with_extension("tmp");
    let mut file = fs::File::create(&temporary).map_err(failed("making", &temporary))?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Of no use to anyone, and perhaps in the way of what is: a full disk.
        let _ = fs::remove_file(&temporary);
        return Err(failed("writing", path)(error));
    }
    fs::rename(&temporary, path).map_err(failed("replacing", path))
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_kept_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path()).unwrap();
        assert_eq!(folder.set_aside("naive").unwrap(), None);
        for n in 1..=2 {
            fs::create_dir_all(folder.cell("naive").path()).unwrap();
            fs::write(folder.cell("naive").ops_path(), format!("{n}\n")).unwrap();
            let place = folder.set_aside("naive").unwrap().unwrap();
            assert_eq!(place, format!("set-aside/naive-{n}"));
            let kept = fs::read_to_string(folder.path().join(place).join("ops.jsonl")).unwrap();
            assert_eq!(kept, format!("{n}\n"));
            assert!(!folder.cell("naive").path().exists());
        }
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.md");
        replace(&path, b"old").unwrap();
        // Writing to it fails as on a full disk.
        std::os::unix::fs::symlink("/dev/full", path.with_extension("tmp")).unwrap();
        let error = replace(&path, b"new").unwrap_err().to_string();
        assert!(error.contains("report.md") && error.contains("No space"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

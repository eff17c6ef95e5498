//! Labs that have a name and a folder, and that others can find, stop and
//! clean up after.
//!
//! ```text
//! STATE/labs/.lock         held while a lab is made or swept
//! STATE/labs/NAME/.lock    held by the lab's owner for as long as it lives
//! STATE/labs/NAME/lab.json who the owner is, and which processes it has
//! STATE/labs/NAME/elsewhere folders of the lab's that are not in here, if any
//! STATE/labs/NAME/...      the lab's files
//! ```
//!
//! The kernel gives a lock back when its holder ends, however it ends: so a
//! folder whose lock is free belongs to nobody, and may be removed.

mod detach;
mod down;
mod hold;
mod process_id;
mod room;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use detach::{Keeper, start_keeper};
pub use down::Down;
pub use hold::{Holder, Release};
pub use process_id::ProcessId;

/// A lab's folder could not be made, found or removed.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// There is no home folder, and nothing that stands for it.
    #[error("there is no place for labs: set KAB_STATE to a folder (neither it nor HOME is set)")]
    NoState,
    /// The name is not one.
    #[error(
        "{0:?} cannot name a lab: use up to 40 of a-z, 0-9 and -, beginning with a letter or digit"
    )]
    BadName(String),
    /// There is such a lab already.
    #[error("a lab named {name:?} runs already (process {}); `kab down --name {name}` stops it", owner.map_or(0, |owner| owner.pid))]
    Taken {
        /// Its name.
        name: String,
        /// Who has it, if that is known.
        owner: Option<ProcessId>,
    },
    /// There is no such lab.
    #[error("there is no lab named {name:?} to stop; there are: {}", if known.is_empty() { "none".into() } else { known.join(", ") })]
    NoSuchLab {
        /// The name.
        name: String,
        /// Those that could be stopped.
        known: Vec<String>,
    },
    /// The owner does not end.
    #[error("process {pid}, which holds lab {name:?}, does not end")]
    Stuck {
        /// The lab.
        name: String,
        /// Its owner.
        pid: u32,
    },
    /// The lab is part of something that is under way, and ends with it.
    #[error(
        "lab {name:?} is no control plane of `kab up`: process {pid} made it for itself \
         (`kab run`, `kab resume` or `kab bench`), and removes it when it ends; to end it early, \
         interrupt that process (`kill -INT {pid}`)"
    )]
    OfARun {
        /// The lab.
        name: String,
        /// Who made it.
        pid: u32,
    },
    /// The process that was to hold the lab ended before it was ready.
    #[error("the lab did not come up ({how}):\n  {}", log_tail.join("\n  "))]
    Keeper {
        /// How the process ended.
        how: String,
        /// The last lines it printed.
        log_tail: Vec<String>,
    },
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
}

/// The place of all labs of a user.
#[derive(Debug, Clone)]
pub struct Labs(PathBuf);

/// What is written down about a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabNote {
    /// Its name.
    pub name: String,
    /// The process that holds it.
    pub owner: ProcessId,
    /// Whether it was made under a name of its own, for whatever its owner is
    /// doing, and goes when that is done: nobody else is to stop it.
    #[serde(default)]
    pub of_a_run: bool,
    /// Its processes, by what they are.
    #[serde(default)]
    pub processes: BTreeMap<String, ProcessId>,
    /// The apiserver's address, once it is ready.
    #[serde(default)]
    pub server: Option<String>,
    /// A kubeconfig for it, once it is ready.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
}

/// A lab, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// Whether somebody holds it. If not, it is a leftover.
    pub held: bool,
    /// What is written down about it.
    pub note: Option<LabNote>,
}

impl Listed {
    /// The process for which it is there and with which it will go, if there is
    /// one: such a lab is not for others to stop.
    pub fn under_way(&self) -> Option<ProcessId> {
        let note = self.note.as_ref().filter(|note| self.held && note.of_a_run);
        note.map(|note| note.owner)
    }
}

/// A lab's folder, held by this process. Dropping it removes the folder: drop
/// what runs in it first.
#[derive(Debug)]
pub struct LabDir {
    name: String,
    path: PathBuf,
    of_a_run: bool,
    _lock: File,
}

/// A leftover that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Its folder.
    pub path: PathBuf,
    /// Processes of it that still ran, and were killed. There should be none.
    pub killed: Vec<u32>,
}

impl Labs {
    /// Where the environment says: `$KAB_STATE`, else `$XDG_STATE_HOME/kab`,
    /// else `~/.local/state/kab`.
    pub fn from_env() -> Result<Self, KeepError> {
        let place = crate::places::folder("KAB_STATE", "XDG_STATE_HOME", ".local/state");
        Ok(Self::at(&place.ok_or(KeepError::NoState)?))
    }

    /// Below the folder `state`.
    pub fn at(state: &Path) -> Self {
        Self(state.join("labs"))
    }

    /// Makes a folder for the lab `name`, or for one with a name of its own.
    /// A leftover of that name is removed first.
    pub fn create(&self, name: Option<&str>) -> Result<LabDir, KeepError> {
        let of_a_run = name.is_none();
        let name = match name {
            Some(name) if is_name(name) => name.to_owned(),
            Some(name) => return Err(KeepError::BadName(name.to_owned())),
            None => format!("run-{:08x}", rand::random::<u32>()),
        };
        let _all = self.lock_all()?;
        let path = self.0.join(&name);
        if path.exists() {
            let found = self.look(&name);
            if found.held {
                return Err(KeepError::Taken { name, owner: found.note.map(|note| note.owner) });
            }
            self.remove(&found)?;
        }
        fs::create_dir(&path).map_err(failed("making", &path))?;
        let lock = File::create(path.join(".lock")).map_err(failed("locking", &path))?;
        lock.lock().map_err(failed("locking", &path))?;
        let dir = LabDir { name, path, of_a_run, _lock: lock };
        dir.note(None)?;
        Ok(dir)
    }

    /// All labs and leftovers, by name.
    pub fn list(&self) -> Result<Vec<Listed>, KeepError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(failed("reading", &self.0)(error)),
        };
        let mut labs: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| self.look(&entry.file_name().to_string_lossy()))
            .collect();
        labs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(labs)
    }

    /// Removes what nobody holds: leftovers of a kab that was killed.
    pub fn sweep(&self) -> Result<Vec<Swept>, KeepError> {
        if !self.0.exists() {
            return Ok(vec![]);
        }
        let _all = self.lock_all()?;
        let leftovers = self.list()?.into_iter().filter(|lab| !lab.held);
        leftovers.map(|lab| self.remove(&lab)).collect()
    }

    /// Where the process that holds the lab `name` prints to.
    pub fn keeper_log(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.log"))
    }

    fn look(&self, name: &str) -> Listed {
        let path = self.0.join(name);
        let lock = File::open(path.join(".lock"));
        let held =
            lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)));
        let note = fs::read(path.join("lab.json")).ok();
        let note = note.and_then(|note| serde_json::from_slice(&note).ok());
        Listed { name: name.to_owned(), path, held, note }
    }

    /// Removes a lab that nobody holds.
    fn remove(&self, lab: &Listed) -> Result<Swept, KeepError> {
        let processes = lab.note.iter().flat_map(|note| note.processes.values());
        let killed = processes.filter(|process| process.kill()).map(|process| process.pid);
        let killed = killed.collect();
        remove_lab(&lab.path)?;
        let _ = fs::remove_file(self.keeper_log(&lab.name));
        Ok(Swept { path: lab.path.clone(), killed })
    }

    fn lock_all(&self) -> Result<File, KeepError> {
        fs::create_dir_all(&self.0).map_err(failed("making", &self.0))?;
        let lock = File::create(self.0.join(".lock")).map_err(failed("locking", &self.0))?;
        lock.lock().map_err(failed("locking", &self.0))?;
        Ok(lock)
    }
}

impl LabDir {
    /// The lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down who holds the lab and, once it is ready, what it is.
    pub fn note(&self, lab: Option<&crate::local::Local>) -> Result<(), KeepError> {
        self.note_all(lab, lab.map(crate::local::Local::pids).unwrap_or_default())
    }

    /// The same for a lab without a control plane, whose servers' process ids
    /// are `pids`, by name.
    pub fn note_servers(&self, pids: BTreeMap<String, u32>) -> Result<(), KeepError> {
        self.note_all(None, pids)
    }

    fn note_all(
        &self,
        lab: Option<&crate::local::Local>,
        pids: BTreeMap<String, u32>,
    ) -> Result<(), KeepError> {
        let note = LabNote {
            name: self.name.clone(),
            owner: ProcessId::own(),
            of_a_run: self.of_a_run,
            processes: pids
                .into_iter()
                .filter_map(|(name, pid)| Some((name, ProcessId::of(pid)?)))
                .collect(),
            server: lab.map(|lab| lab.server().to_owned()),
            kubeconfig: lab.map(|lab| lab.kubeconfig().to_owned()),
        };
        let path = self.path.join("lab.json");
        let text = serde_json::to_vec_pretty(&note)
            .map_err(|error| failed("writing", &path)(error.into()))?;
        kab_evidence::folder::replace(&path, &text)
            .map_err(|error| failed("writing", &path)(io::Error::other(error)))
    }
}

impl Drop for LabDir {
    fn drop(&mut self) {
        if let Err(error) = remove_lab(&self.path) {
            tracing::warn!(%error, "a lab's folder stays behind; `kab clean` removes it");
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=40).contains(&name.len())
        && name.bytes().all(|b| plain(b) || b == b'-')
        && name.bytes().next().is_some_and(plain)
}

/// Removes a lab's folder, after what it has elsewhere.
fn remove_lab(path: &Path) -> Result<(), KeepError> {
    for place in room::elsewhere(path) {
        remove_folder(&place)?;
    }
    remove_folder(path)
}

fn remove_folder(path: &Path) -> Result<(), KeepError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("removing", path)(error))
        }
        _ => Ok(()),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeepError {
    let path = path.to_owned();
    move |source| KeepError::Io { action, path, source }
}

#[cfg(test)]
mod tests;

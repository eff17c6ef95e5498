//! Stopping a lab that another process holds.

use std::time::Duration;

use rustix::process::Signal;

use super::{KeepError, Labs};

/// How long an owner may take to end its lab in order.
const GRACE: Duration = Duration::from_secs(40);

/// How long a killed process may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `down` found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Down {
    /// It ran, and was stopped; these processes had to be killed.
    Stopped {
        /// Their ids; usually none.
        killed: Vec<u32>,
    },
    /// Its owner was gone already; what it left behind was removed.
    Leftover {
        /// Processes that still ran, and were killed; there should be none.
        killed: Vec<u32>,
    },
}

impl Labs {
    /// Stops the lab `name`: asks its owner to end, waits until it and all of
    /// its processes are gone, and removes the folder. Blocks the thread.
    ///
    /// The lab of a run that is under way is refused: without it, the run would
    /// measure its own end.
    pub fn down(&self, name: &str) -> Result<Down, KeepError> {
        let lab = self.list()?.into_iter().find(|lab| lab.name == name);
        let Some(lab) = lab else {
            let others = self.list()?.into_iter().filter(|lab| lab.under_way().is_none());
            let known = others.map(|lab| lab.name).collect();
            return Err(KeepError::NoSuchLab { name: name.to_owned(), known });
        };
        if let Some(run) = lab.under_way() {
            return Err(KeepError::OfARun { name: name.to_owned(), pid: run.pid });
        }
        let owner = lab.note.as_ref().filter(|_| lab.held).map(|note| note.owner);
        let mut killed = vec![];
        if let Some(owner) = owner
            && !owner.end(Signal::TERM, GRACE)
        {
            if !owner.end(Signal::KILL, PATIENCE) {
                return Err(KeepError::Stuck { name: name.to_owned(), pid: owner.pid });
            }
            killed.push(owner.pid);
        }
        // The kernel kills what an owner leaves behind; this makes sure of it.
        for process in lab.note.iter().flat_map(|note| note.processes.values()) {
            if process.kill() {
                killed.push(process.pid);
            }
        }
        let _all = self.lock_all()?;
        let now = self.look(name);
        if now.held {
            let pid = now.note.map_or(0, |note| note.owner.pid);
            return Err(KeepError::Stuck { name: name.to_owned(), pid });
        }
        if now.path.exists() {
            killed.extend(self.remove(&now)?.killed);
        }
        let _ = std::fs::remove_file(self.keeper_log(name));
        Ok(if lab.held { Down::Stopped { killed } } else { Down::Leftover { killed } })
    }
}

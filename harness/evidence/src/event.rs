//! What happened to the run itself: phases, children, faults, warnings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Mono;

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub at: Mono,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Happening {
    /// A step began.
    StepStarted {
        /// Its name.
        step: String,
    },
    /// A step ended.
    StepEnded {
        /// Its name.
        step: String,
    },
    /// A part of the environment became ready: `control plane`, `naive`.
    Ready {
        /// Which.
        what: String,
    },
    /// A process of the lab or of the system under test was started.
    ChildStarted {
        /// What it is: `etcd`, `kube-apiserver`, `gateway`, ...
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// A process ended although nobody asked it to.
    ChildDied {
        /// What it was.
        name: String,
        /// Its process id.
        pid: u32,
        /// How it ended: `exit status 1`, `signal 9`.
        how: String,
        /// The last lines of its log.
        log_tail: Vec<String>,
    },
    /// The scenario did something to a process, or had a subscriber misbehave.
    Fault {
        /// What: `kill`, `stop`, `continue`, `restart`, `refuse`, ...
        fault: String,
        /// To whom: `webhook`, `subscriber-0`.
        target: String,
        /// The process it happened to; none for what is no process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// The run was gone on with; what follows is on the clock of this part.
    Resumed {
        /// Which part of the run begins, from 1.
        part: u32,
    },
    /// Something a reader of the numbers should know.
    Warning {
        /// In a sentence.
        text: String,
    },
}

impl Happening {
    /// This happening, now.
    pub fn now(self) -> Event {
        Event { at: Mono::now(), what: self }
    }
}

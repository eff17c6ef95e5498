//! What a run leaves behind, and how it is read again.
//!
//! Everything a verdict or a report says is derived from the files that this
//! crate writes and reads. It knows nothing of Kubernetes: a span or a ledger
//! line is the same whichever system was on trial.
//!
//! | module | idea |
//! |---|---|
//! | [`clock`] | one monotonic clock for every process of a host |
//! | [`id`] | the operation id that travels with a write |
//! | [`ledger`] | how each operation ended |
//! | [`span`] | what each process saw of an operation |
//! | [`watch`] | what each watch stream received |
//! | [`join`] | one trace a write, from intended start to delivery |
//! | [`histogram`] | latency distributions, mergeable without loss |
//! | [`series`] | sampled metrics on the same clock |
//! | [`exposition`] | the text format in which servers tell their metrics |
//! | [`store`] | what the store held in the end |
//! | [`attempt`] | a single request, and what came of it |
//! | [`process`] | the kinds of processes that a system is made of |
//! | [`capacity`] | what a search found, and by which probes |
//! | [`event`] | what happened to the run itself |
//! | [`record`] | the run record and its versions |
//! | [`resumption`] | how a run came to be gone on with |
//! | [`lock`] | one kab at a time writes to a run folder |
//! | [`calibration`] | how kab stood against a server whose answers are known |
//! | [`folder`] | where each of these lies on disk |
//! | [`jsonl`] | append-only JSON lines that survive SIGKILL |

pub mod attempt;
pub mod calibration;
pub mod capacity;
pub mod clock;
pub mod event;
pub mod exposition;
pub mod folder;
pub mod histogram;
pub mod id;
pub mod join;
pub mod jsonl;
pub mod ledger;
pub mod lock;
pub mod process;
pub mod record;
pub mod resumption;
pub mod series;
pub mod span;
pub mod store;
pub mod watch;

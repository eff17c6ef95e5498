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
//! | [`join`] | one trace a write, from intended start to delivery |
//! | [`histogram`] | latency distributions, mergeable without loss |
//! | [`series`] | sampled metrics on the same clock |
//! | [`store`] | what the store held in the end |
//! | [`event`] | what happened to the run itself |
//! | [`record`] | the run record and its versions |
//! | [`calibration`] | how kab stood against a server whose answers are known |
//! | [`folder`] | where each of these lies on disk |
//! | [`jsonl`] | append-only JSON lines that survive SIGKILL |

pub mod calibration;
pub mod clock;
pub mod event;
pub mod folder;
pub mod histogram;
pub mod id;
pub mod join;
pub mod jsonl;
pub mod ledger;
pub mod record;
pub mod series;
pub mod span;
pub mod store;

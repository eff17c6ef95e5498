//! Watchers by the thousand, and what each of them received, as evidence.
//!
//! | module | idea |
//! |---|---|
//! | [`spec`] | what is watched, and by how many |
//! | [`raw`] | bare streams: one thread drives them all and decodes only what the evidence needs |
//! | [`runtime`] | real `kube::runtime::watcher` clients |
//! | [`progress`] | how far each watcher has got, for whoever waits |
//! | [`watchers`] | running watchers, of either kind |
//!
//! Every watcher writes down what happened to it ([`kab_evidence::watch`]);
//! what it means is judged afterwards, offline.

pub mod progress;
pub mod raw;
pub mod runtime;
pub mod spec;
pub mod watchers;

pub use spec::WatchSpec;
pub use watchers::{Summary, WatchError, Watchers};

//! Clusters for kab: assets, providers, child processes.

pub mod assets;
pub mod keep;
pub mod local;
mod places;
pub mod process;
pub mod progress;
pub mod servers;

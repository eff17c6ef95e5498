//! Clusters for kab: assets, providers, child processes.

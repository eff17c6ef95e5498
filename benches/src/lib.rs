//! Micro-benchmarks of what every operation pays for: `cargo bench -p kab-benches`.
//!
//! They say where time goes within kab. How it stands beside other tools,
//! whole processes on one server, is `kab bench`; whether its numbers are right,
//! `kab calibrate`.

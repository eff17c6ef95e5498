//! The operator against a real apiserver, with processes in place of pods.

// Helpers of tests are tests, to everybody but clippy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crash;
mod drift;
mod ground;
mod lifecycle;
mod rotation;

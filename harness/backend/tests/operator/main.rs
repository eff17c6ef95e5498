//! The operator against a real apiserver, with processes in place of pods.

mod crash;
mod drift;
mod ground;
mod lifecycle;
mod rotation;

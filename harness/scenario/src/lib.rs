//! Scenario files: what to run, and what would confirm or refute what is claimed.

pub mod model;
pub mod unit;

//! The conventional system.

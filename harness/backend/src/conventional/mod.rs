//! The conventional system: entities in PostgreSQL, changes told by NATS, and
//! the same gateway in front.
//!
//! ```text
//! gateway ── SQL ──> todo ── trigger ──> outbox <── relay ──> JetStream ──> consumer ── POST ──> subscriber
//! ```

pub mod broker;
mod database;
mod deployed;

pub use crate::store::postgres::POOL_SIZE;
pub use database::Database;
pub use deployed::{Deployed, Ground};

/// The conventional system could not be deployed, looked into, or taken down.
#[derive(Debug, thiserror::Error)]
pub enum ConventionalError {
    /// The database refused, or did not answer.
    #[error("{action}: {said}")]
    Sql {
        /// What was attempted.
        action: &'static str,
        /// What it said.
        said: String,
        /// The error itself.
        source: tokio_postgres::Error,
    },
    /// The URL of PostgreSQL is none.
    #[error("the URL of PostgreSQL cannot be used; it has the form {0}")]
    Url(String),
}

impl ConventionalError {
    fn sql(action: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |source| {
            // The error itself says only that there was one.
            let said = source.as_db_error().map_or_else(|| source.to_string(), ToString::to_string);
            Self::Sql { action, said, source }
        }
    }
}

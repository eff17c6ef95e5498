//! What every tool is asked to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A workload on the Todo resource: entities with 1 KiB of message.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Task {
    /// Create so many, as fast as `in_flight` allows.
    Create {
        /// How many.
        count: u64,
        /// At a time.
        in_flight: u32,
    },
    /// Create at a rate, whatever becomes of those before.
    Rate {
        /// A second.
        per_second: f64,
        /// For so long.
        seconds: u64,
    },
    /// The same reads, of the null server: it does next to nothing, so that the
    /// tool's own cost shows.
    NullGet {
        /// How often.
        count: u64,
        /// At a time.
        in_flight: u32,
    },
    /// Read one small object again and again, as fast as `in_flight` allows.
    Get {
        /// How often.
        count: u64,
        /// At a time.
        in_flight: u32,
    },
}

/// Bytes of message in each entity.
pub const SIZE: usize = 1024;

/// Longest time a task may take.
pub const PATIENCE: Duration = Duration::from_secs(300);

impl Task {
    /// Its name in tables.
    pub fn title(self) -> String {
        match self {
            Self::Create { count, in_flight } => format!("create {count}, {in_flight} in flight"),
            Self::Rate { per_second, seconds } => {
                format!("create {per_second}/s for {seconds} s, open loop")
            }
            Self::Get { count, in_flight } => format!("get {count}, {in_flight} in flight"),
            Self::NullGet { count, in_flight } => {
                format!("get {count} of the null server over TLS, {in_flight} in flight")
            }
        }
    }

    /// Operations it consists of.
    pub fn operations(self) -> u64 {
        match self {
            Self::Create { count, .. } | Self::Get { count, .. } | Self::NullGet { count, .. } => {
                count
            }
            // Rates of the bench are whole numbers.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Self::Rate { per_second, seconds } => per_second as u64 * seconds,
        }
    }

    /// Whether it makes entities.
    pub const fn creates(self) -> bool {
        matches!(self, Self::Create { .. } | Self::Rate { .. })
    }
}

//! Short names for contents.

use sha2::{Digest, Sha256};

/// Sixteen hex digits that stand for `value`.
pub(crate) fn hash(value: &serde_json::Value) -> String {
    let digest = Sha256::digest(value.to_string().as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

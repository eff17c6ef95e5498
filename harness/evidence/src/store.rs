//! What the store held in the end, to hold the ledger against.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::OpId;

/// One line of `store.jsonl`: one entity found in the store after the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredEntity {
    /// The entity's name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its resourceVersion.
    pub rv: String,
    /// The operation that wrote it last, from its annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<OpId>,
}

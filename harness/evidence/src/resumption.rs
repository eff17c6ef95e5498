//! How a run came to be gone on with.
//!
//! A run that was killed, interrupted or given up can be resumed: cells that
//! were done stay as they are, a cell that was under way is run again from its
//! beginning, and its old evidence is set aside, where nothing judges it.
//!
//! Each time, a new part of the run begins. A part has a clock anchor of its
//! own, as the machine may have been restarted, and a nonce of its own, so that
//! no operation id occurs twice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::ClockAnchor;
use crate::record::{CellRecord, Conditions, RunState};

/// One time that a run was gone on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resumption {
    /// Version of the kab that went on.
    pub kab_version: String,
    /// Ties the evidence times of this part to the calendar; read when it began.
    pub clock: ClockAnchor,
    /// First half of this part's first operation id, as 16 hexadecimal digits.
    pub nonce: String,
    /// How the run was found.
    pub found: RunState,
    /// Under which conditions the numbers of this part were taken; none until a
    /// cell of it came up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
    /// Cells that had been begun and were not done. They are run again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<SetAside>,
}

/// What is left of a cell that was not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetAside {
    /// Where its evidence lies now, in the run folder; none if it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// How far it had come.
    pub cell: CellRecord,
}

//! Measurements, claims and three-valued verdicts, from evidence alone.
//!
//! ```text
//! evidence on disk ─> measure ─> validity ─> claim ─> judge
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`value`] | a measured value, with its unit and as text |
//! | [`distribution`] | percentiles that exist only where there are samples |
//! | [`interval`] | how sure the percentiles are |
//! | [`measure`] | everything measured in one cell, by step |
//! | [`outcome`] | operations by how they ended, and at which rate they were sent |
//! | [`attempt`] | single requests, and what came of them |
//! | [`deletes`] | whether subscribers learn what was deleted |
//! | [`reviews`] | whose webhooks judged the writes |
//! | [`delivery`] | lost, duplicated and late notifications; coverage of the join |
//! | [`stored`] | the ledger held against the store |
//! | [`watch`] | what watch streams promise, held against what they gave |
//! | [`waterfall`] | where the time of a write goes |
//! | [`inner`] | where it goes inside the apiserver, by its own spans |
//! | [`timeline`] | the same over the time of the step, for plots |
//! | [`server`] | what the apiserver and etcd did meanwhile |
//! | [`cost`] | what the whole system took for its work |
//! | [`path`](mod@path) | every measurement by the name that claims use |
//! | [`expression`] | a claim's CEL expression, and what it reads |
//! | [`objective`] | what one probe of a search says |
//! | [`capacity`] | what a search found, and whether its evidence agrees |
//! | [`claim`] | one claim judged for one cell |
//! | `remarks` | what a reader must know before the numbers |
//! | `resumed` | what a reader must know of a run that was resumed |
//! | [`compare`](mod@compare) | two runs held against each other |
//! | [`mod@side_by_side`] | the systems of one run held against each other |
//! | [`conditions`] | where the conditions of two runs differ |
//! | [`validity`] | what forbids to judge at all |
//! | [`mod@judge`] | a whole run, from its folder |

pub mod attempt;
pub mod capacity;
pub mod claim;
pub mod compare;
pub mod conditions;
pub mod cost;
pub mod deletes;
pub mod delivery;
pub mod distribution;
pub mod expression;
pub mod inner;
pub mod interval;
pub mod judge;
pub mod kinds;
pub mod measure;
pub mod objective;
pub mod outcome;
pub mod path;
mod phrase;
mod remarks;
mod resumed;
pub mod reviews;
pub mod server;
pub mod side_by_side;
pub mod stored;
pub mod timeline;
pub mod validity;
pub mod value;
pub mod watch;
pub mod waterfall;

pub use compare::{Comparison, compare};
pub use judge::{JudgeError, Judged, exit_code, judge, judge_claims};
pub use measure::{CellMeasurements, StepMeasurements};
pub use value::{Nanos, Value};

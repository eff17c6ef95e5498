//! The run record: what was asked, under which conditions, and what came of it.

mod merge;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::clock::{ClockAnchor, Mono};
use crate::resumption::Resumption;

/// The version of [`RunRecord`]'s format that this kab writes. It stands for
/// the whole run folder: lines of evidence have no version of their own.
///
/// 1: the first. 2: a run may be resumed, so that its cells may be on different
/// clocks; and a cell may have several ledgers.
pub const SCHEMA_VERSION: SchemaVersion = SchemaVersion(2);

/// A version of the run record's format.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct SchemaVersion(pub u32);

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `record.json`: everything about a run but its raw evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Format of this file.
    pub schema_version: SchemaVersion,
    /// Version of the kab that ran.
    pub kab_version: String,
    /// Names the run: scenario, date and the nonce that its operation ids carry.
    pub run: String,
    /// What was run.
    pub scenario: ScenarioRef,
    /// How far it came.
    pub state: RunState,
    /// Ties evidence times to the calendar; read when the run began.
    pub clock: ClockAnchor,
    /// When the run ended, on the clock of its last part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Mono>,
    /// Under which conditions every number was taken; of a run that was resumed,
    /// those of its first part.
    pub conditions: Conditions,
    /// Each time that the run was gone on with after it had been killed,
    /// interrupted or given up, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<Resumption>,
    /// Whether the numbers may be used to judge.
    pub validity: Validity,
    /// One system under one combination of the matrix, in the order run.
    pub cells: Vec<CellRecord>,
    /// What was concluded. Empty until the run was judged.
    pub verdicts: Vec<VerdictRecord>,
}

/// Which scenario a run was of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioRef {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// The risk of the catalogue that it examines, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// SHA-256 of the file's text, in hex.
    pub sha256: String,
    /// `--set` arguments, in the order given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// The seed of everything random.
    pub seed: u64,
}

/// How far a run came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum RunState {
    /// Under way, or kab was killed: a record that stays like this is incomplete.
    Running,
    /// Every step of every cell ended.
    Complete,
    /// Stopped by a signal; what was gathered is kept.
    Interrupted,
    /// Could not go on.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Whether the numbers of a run, or of a cell, may be used to judge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validity {
    /// Reasons why not; none means valid.
    pub invalid_because: Vec<String>,
}

impl Validity {
    /// Whether nothing speaks against the numbers.
    pub fn is_valid(&self) -> bool {
        self.invalid_because.is_empty()
    }

    /// Adds a reason against them.
    pub fn doubt(&mut self, reason: impl Into<String>) {
        self.invalid_because.push(reason.into());
    }
}

/// One system under one combination of the matrix.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CellRecord {
    /// Names its folder under `cells/`: the system, then the axes.
    pub id: String,
    /// The part of the run that it was run in: 0, or which of the run's
    /// resumptions, from 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub part: u32,
    /// The system under test.
    pub system: String,
    /// What the system was built with of the origin's defects, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defects: Vec<String>,
    /// What the system declares that it cannot do, of what the common interface
    /// has, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// What the system and its servers were set to, by name, where it bears
    /// upon a comparison: durability, pools, replicas.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Value of each matrix axis.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: BTreeMap<String, serde_json::Value>,
    /// The kinds of processes whose death is part of the question: `informer`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_die: Vec<String>,
    /// The steps that were begun, in order.
    pub steps: Vec<StepRecord>,
    /// What the machine did meanwhile; none if the cell came to no step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// Lines of each file of evidence when the cell ended; none if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<BTreeMap<String, u64>>,
    /// Evidence that could not be written down, in sentences: then no number of
    /// the cell is whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// What the apiserver's own tracing brought in; none if it was off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingRecord>,
    /// Whether this cell's numbers may be used.
    pub validity: Validity,
}

/// What the apiserver's own tracing brought in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracingRecord {
    /// Spans received.
    pub spans: u64,
    /// Messages that carried them.
    pub exports: u64,
    /// Messages that could not be read: their spans are missing.
    pub refused: u64,
    /// By how many nanoseconds the conversion of any of its calendar times to
    /// the run's clock may be wrong: what the two clocks moved against each
    /// other from one message to the next at most, and the reading's own error.
    pub clock_error: u64,
    /// How far they moved against each other from start to end, in nanoseconds.
    pub clock_drift: i64,
    /// Whether a last request's span was waited for and came: then none from
    /// before it is still on its way.
    pub complete: bool,
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl RunRecord {
    /// The clock of part `part` of the run; of the first, if there is no such part.
    pub fn clock_of(&self, part: u32) -> &ClockAnchor {
        self.resumption(part).map_or(&self.clock, |resumption| &resumption.clock)
    }

    /// The conditions of part `part`, as far as they are known.
    pub fn conditions_of(&self, part: u32) -> Option<&Conditions> {
        if part == 0 { Some(&self.conditions) } else { self.resumption(part)?.conditions.as_ref() }
    }

    fn resumption(&self, part: u32) -> Option<&Resumption> {
        self.resumed.get(usize::try_from(part).ok()?.checked_sub(1)?)
    }

    /// The part that is under way, or was the last.
    pub fn last_part(&self) -> u32 {
        u32::try_from(self.resumed.len()).unwrap_or(u32::MAX)
    }
}

/// One step of a cell, as it was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// Its name in the scenario.
    pub name: String,
    /// Its verb.
    pub verb: String,
    /// When it began.
    pub started: Mono,
    /// When it ended; none if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Mono>,
    /// What the step itself found out, by name: numbers that are not in the
    /// ledger or the spans, such as `scheduled` or `subscribers`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, serde_json::Value>,
}

/// The conditions every number of a run was taken under.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conditions {
    /// How faithful the lab is to production, in a sentence.
    pub fidelity: String,
    /// `local`, `kind`, `k3s` or `existing`.
    pub provider: String,
    /// Version of each component as it said itself: `kubernetes`, `etcd`.
    pub versions: BTreeMap<String, String>,
    /// Members of the etcd cluster.
    pub etcd_members: u32,
    /// Number of apiservers.
    pub apiservers: u32,
    /// Whether etcd waits for the disk before it acknowledges.
    pub fsync: bool,
    /// etcd's size limit, in bytes.
    pub etcd_quota_bytes: u64,
    /// The whole command line of each component, without its program.
    pub command_lines: BTreeMap<String, Vec<String>>,
    /// The programs that were run.
    pub assets: Vec<AssetRecord>,
    /// What else the servers were set to, by name, such as a database's
    /// durability or the size of a pool; of cells that differ, every value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The machine.
    pub host: HostRecord,
    /// Whether the apiserver traced every request, which costs it CPU time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apiserver_tracing: bool,
    /// How this kab last stood on this machine against a server whose answers
    /// are known; none if it was never calibrated here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// A program of the lab, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssetRecord {
    /// Which component it serves as.
    pub name: String,
    /// Where it was found, in a sentence.
    pub origin: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// The file.
    #[schemars(with = "String")]
    pub path: PathBuf,
}

/// The machine that a run was on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostRecord {
    /// Processors that this process may use.
    pub cores: u32,
    /// Model of the first one.
    pub cpu: String,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Operating system's kernel and release.
    pub kernel: String,
    /// Type of the file system under the lab's data folder.
    pub file_system: String,
}

/// What the machine did during a cell, from first to last step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pressure {
    /// Share of the time in which some task waited for a processor (Linux PSI
    /// `cpu some`), 0 to 1; none where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_some: Option<f64>,
    /// The same for the disk (`io some`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_some: Option<f64>,
    /// The same for memory (`memory some`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_some: Option<f64>,
    /// Share of processor time taken by the hypervisor (steal), 0 to 1.
    pub steal: f64,
    /// Mean processors busy with anything on the machine.
    pub busy_cores: f64,
    /// Mean processors busy with the lab, the system under test and kab.
    pub own_cores: f64,
}

impl Pressure {
    /// Mean processors busy with anything but this run: whoever measures
    /// latencies should find next to nothing here.
    pub fn foreign_cores(&self) -> f64 {
        (self.busy_cores - self.own_cores).max(0.0)
    }
}

/// A three-valued answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The claim held.
    Confirmed,
    /// The claim was shown wrong.
    Refuted,
    /// Neither could be shown.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "confirmed",
            Self::Refuted => "refuted",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// The verdict on one claim for one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerdictRecord {
    /// The claim's id in the scenario.
    pub claim: String,
    /// The claim itself.
    pub statement: String,
    /// The system under test.
    pub system: String,
    /// The cell it was judged in.
    pub cell: String,
    /// What was concluded.
    pub verdict: Verdict,
    /// Why, in a sentence with the numbers.
    pub reason: String,
    /// What the scenario expects, if it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Verdict>,
    /// Every measurement that the claim's expressions read, by its path, as
    /// text with its unit; absent measurements as `no data`.
    pub measurements: BTreeMap<String, String>,
}

impl VerdictRecord {
    /// Whether the verdict is reached and is what the scenario expects.
    pub fn as_expected(&self) -> bool {
        self.expected.is_none_or(|expected| expected == self.verdict)
    }
}

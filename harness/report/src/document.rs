//! Everything that the report says, for other programs.

use std::borrow::Cow;

use kab_evidence::event::Event;
use kab_evidence::record::{RunRecord, SchemaVersion};
use kab_scenario::model::{Claim, System};
use kab_verdict::side_by_side::SideBySide;
use kab_verdict::{CellMeasurements, Judged};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

/// The version of [`Document`]'s format that this kab writes.
pub const REPORT_VERSION: SchemaVersion = SchemaVersion(1);

/// `report.json`: the run record as it was judged for this report, and
/// everything measured. Lengths of time are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    /// Format of this file.
    pub schema_version: SchemaVersion,
    /// Version of the kab that judged the run and wrote this.
    pub rendered_by: Cow<'a, str>,
    /// The run record, with verdicts.
    pub record: Cow<'a, RunRecord>,
    /// What was measured in each cell, in the order of the record.
    pub measurements: Cow<'a, [CellMeasurements]>,
    /// The systems held against each other, by step; none where there is but one.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub side_by_side: Cow<'a, [SideBySide]>,
    /// The claims that were judged.
    pub claims: Cow<'a, [Claim]>,
    /// What happened to the run itself.
    pub events: Cow<'a, [Event]>,
    /// What a reader should know of this judgement.
    pub notes: Cow<'a, [String]>,
}

/// The JSON schema of [`Document`].
pub fn schema() -> Schema {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    // schemars refers to the type of a map's keys without defining it.
    generator.subschema_for::<System>();
    generator.into_root_schema_for::<Document<'static>>()
}

/// `judged` as JSON, indented.
///
/// # Errors
/// If a value has no JSON form, which none of a [`Judged`] should lack.
pub fn json(judged: &Judged) -> Result<String, serde_json::Error> {
    let document = Document {
        schema_version: REPORT_VERSION,
        rendered_by: env!("CARGO_PKG_VERSION").into(),
        record: Cow::Borrowed(&judged.record),
        measurements: Cow::Borrowed(&judged.cells),
        side_by_side: Cow::Borrowed(&judged.side_by_side),
        claims: Cow::Borrowed(&judged.claims),
        events: Cow::Borrowed(&judged.events),
        notes: Cow::Borrowed(&judged.notes),
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

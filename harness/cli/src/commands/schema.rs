//! `kab schema`: the published JSON schemas. Tests hold the files against the
//! types that they are generated from.

use crate::args::SchemaOf;
use crate::exit::{Exit, Failure};

const RECORD: &str = include_str!("../../../../schemas/record.schema.json");
const REPORT: &str = include_str!("../../../../schemas/report.schema.json");
const SCENARIO: &str = include_str!("../../../../schemas/scenario.schema.json");

pub fn run(of: SchemaOf) -> Result<Exit, Failure> {
    let schema = match of {
        SchemaOf::Record => RECORD,
        SchemaOf::Report => REPORT,
        SchemaOf::Scenario => SCENARIO,
    };
    anstream::print!("{schema}");
    Ok(Exit::AsExpected)
}

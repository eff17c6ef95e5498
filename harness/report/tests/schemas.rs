//! The published schemas of `record.json` and `report.json`: generated from
//! the types, checked in, and true of what is written. `UPDATE=1 cargo test -p
//! kab-report` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../verdict/tests/support/mod.rs"]
mod support;

use std::path::PathBuf;

use kab_evidence::record::RunRecord;
use kab_report::document::Document;
use serde_json::Value;
use support::*;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas").join(name)
}

fn checked_in(name: &str, schema: schemars::Schema) {
    let generated = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path(name), &generated).unwrap();
    }
    let stored = std::fs::read_to_string(path(name)).unwrap();
    assert!(
        stored == generated,
        "{name} is not what the types say: run UPDATE=1 cargo test -p kab-report"
    );
}

#[test]
fn the_schema_of_the_record_is_what_the_types_say() {
    checked_in("record.schema.json", schemars::schema_for!(RunRecord));
}

#[test]
fn the_schema_of_the_report_is_what_the_types_say() {
    checked_in("report.schema.json", kab_report::document::schema());
}

fn parsed(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn written(run: &Synthetic) -> [(&'static str, Value); 2] {
    let dir = tempfile::tempdir().unwrap();
    let folder = run.save(dir.path());
    let judged = kab_verdict::judge_claims(&folder, &claims()).unwrap();
    folder.write_record(&judged.record).unwrap();
    let rendered = kab_report::write(&folder, judged).unwrap();
    [
        ("record.schema.json", parsed(&folder.record_path())),
        ("report.schema.json", parsed(&rendered.json)),
    ]
}

fn valid(schema: &str, value: &Value) -> Result<(), String> {
    let schema: Value = parsed(&path(schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.validate(value).map_err(|error| error.to_string())
}

#[test]
fn what_is_written_fits_its_schema() {
    let mut nothing = Synthetic::new(1);
    nothing.record.cells.clear();
    let mut dead = Synthetic::flawless(200);
    dead.died("etcd", 1);
    for run in [Synthetic::flawless(200), nothing, dead] {
        for (schema, value) in written(&run) {
            valid(schema, &value).unwrap();
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let [record, report] = written(&Synthetic::flawless(200));
    for (schema, value, pointer) in [
        (record.0, record.1.clone(), "/verdicts/0/verdict"),
        (record.0, record.1, "/conditions/fsync"),
        (report.0, report.1.clone(), "/measurements/0/steps/0/ops/ok"),
        (report.0, report.1, "/measurements/0/steps/0/response/p50"),
    ] {
        let mut value = value;
        *value.pointer_mut(pointer).expect(pointer) = Value::String("perhaps".into());
        assert!(valid(schema, &value).is_err(), "{schema}: {pointer}");
    }
}

#[test]
fn a_written_report_is_read_again() {
    let [_, (_, report)] = written(&Synthetic::flawless(200));
    let document: Document<'_> = serde_json::from_value(report.clone()).unwrap();
    assert_eq!(serde_json::to_value(&document).unwrap(), report);
}

//! Runs of other versions of the record: older ones are judged and drawn, newer
//! ones refused by name.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use kab_evidence::folder::{FolderError, RunFolder};
use kab_evidence::record::{RunState, SCHEMA_VERSION, SchemaVersion, Verdict};

/// A copy of the fixture `name`: judging and drawing write beside the evidence.
fn copy(name: &str) -> tempfile::TempDir {
    fn all(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                all(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), &to).unwrap();
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    all(&fixtures.join(name), dir.path());
    dir
}

fn set_version(record: &PathBuf, version: u32) {
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    value["schemaVersion"] = version.into();
    fs::write(record, value.to_string()).unwrap();
}

#[test]
fn a_run_of_the_first_version_is_judged_and_drawn() {
    // A real run of the kab that wrote version 1, with its paths taken out.
    let dir = copy("version-1");
    let folder = RunFolder::open(dir.path()).unwrap();
    let record = folder.read_record().unwrap();
    assert_eq!(record.schema_version, SchemaVersion(1));
    assert_eq!(record.state, RunState::Complete);
    let then = record.verdicts;

    let rendered = kab_report::render(&folder).unwrap();
    let judged = &rendered.judged;
    assert!(judged.record.validity.is_valid(), "{:?}", judged.record.validity);
    assert!(judged.record.cells[0].validity.is_valid(), "{:?}", judged.record.cells[0].validity);
    // What that kab concluded is concluded again, from the same numbers.
    let verdicts = |of: &[kab_evidence::record::VerdictRecord]| -> Vec<(String, Verdict)> {
        of.iter().map(|v| (v.claim.clone(), v.verdict)).collect()
    };
    assert_eq!(verdicts(&judged.record.verdicts), verdicts(&then));
    let write = judged.cells[0].step("write").unwrap();
    let ops = write.ops.as_ref().unwrap();
    assert_eq!((ops.scheduled, ops.ok), (Some(20), 20));
    let delivery = write.delivery.as_ref().unwrap();
    assert_eq!((delivery.expected, delivery.delivered, delivery.lost), (20, 20, 0));
    assert_eq!(write.coverage.as_ref().unwrap().complete, 1.0);
    assert_eq!(write.stored.as_ref().unwrap().missing, 0);
    for file in [&rendered.html, &rendered.markdown, &rendered.json] {
        assert!(fs::read_to_string(file).unwrap().contains("version-1"));
    }
}

#[test]
fn a_record_of_a_newer_version_says_so() {
    let dir = copy("version-1");
    let folder = RunFolder::open(dir.path()).unwrap();
    set_version(&folder.record_path(), SCHEMA_VERSION.0 + 1);
    let error = folder.read_record().unwrap_err();
    assert!(matches!(error, FolderError::Newer { .. }));
    let said = error.to_string();
    assert!(said.contains("newer kab") && said.contains(&SCHEMA_VERSION.to_string()), "{said}");
    // Its own version and all before it are read.
    for version in 1..=SCHEMA_VERSION.0 {
        set_version(&folder.record_path(), version);
        folder.read_record().unwrap();
    }
}

//! The table of known defects that must still be found: for each of the
//! origin's there is a scenario, which refutes its claim while a system has the
//! defect and confirms it while it has not. In the naive system as in the
//! hardened one, so that it is this defect that is found and no other.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kab_backend::defect::Defect;
use kab_evidence::folder::RunFolder;
use kab_evidence::record::{RunState, Verdict};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/must-find");

/// How many are run at a time: most of the time they wait.
const AT_A_TIME: usize = 2;

/// The scenarios, each with the defect that it is named after in its first lines.
fn table() -> Vec<(PathBuf, String)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let named = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let line = text.lines().find(|line| line.starts_with("# Defect ")).unwrap();
        let defect = line.split('`').nth(1).unwrap().to_owned();
        (file, defect)
    };
    files.into_iter().map(named).collect()
}

#[test]
fn every_defect_has_a_scenario() {
    let found: BTreeSet<String> = table().into_iter().map(|(_, defect)| defect).collect();
    let all = Defect::ALL.map(|defect| serde_json::to_value(defect).unwrap());
    let all: BTreeSet<String> = all.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(found, all);
}

/// Runs one scenario in four cells; what is wrong with what it found.
fn trial(file: &Path, defect: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let matrix = format!("matrix.defect={{path: defects.{defect}, values: [true, false]}}");
    let ran = Command::new(env!("CARGO_BIN_EXE_kab"))
        .args(["run", file.to_str().unwrap(), "--seed", "1", "--out", out.to_str().unwrap()])
        .args(["--set", &matrix])
        .env("KAB_STATE", dir.path().join("state"))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let record = RunFolder::open(&out).and_then(|folder| folder.read_record());
    let record = record.map_err(|error| format!("{error}\n{said}"))?;
    if record.state != RunState::Complete || record.cells.len() != 4 {
        return Err(format!("{:?} with {} cells\n{said}", record.state, record.cells.len()));
    }
    let mut wrong = Vec::new();
    for cell in &record.cells {
        let on = cell.axes["defect"] == true;
        if cell.defects.iter().any(|name| name == defect) != on {
            wrong.push(format!("{} was built with {:?}", cell.id, cell.defects));
        }
        let wanted = if on { Verdict::Refuted } else { Verdict::Confirmed };
        let verdicts: Vec<_> = record.verdicts.iter().filter(|v| v.cell == cell.id).collect();
        if verdicts.is_empty() || verdicts.iter().any(|found| found.verdict != wanted) {
            let found: Vec<_> = verdicts.iter().map(|v| (v.verdict, &v.reason)).collect();
            wrong.push(format!("{}: {wanted} was expected, not {found:?}", cell.id));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{said}", wrong.join("\n"))) }
}

#[test]
fn each_defect_is_found_where_it_is_and_only_there() {
    let table = table();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some((file, defect)) = table.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = trial(file, defect) {
                        failures.lock().unwrap().push(format!("== {}: {why}", file.display()));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

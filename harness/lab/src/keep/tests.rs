use super::*;

fn labs() -> (tempfile::TempDir, Labs) {
    let state = tempfile::tempdir().unwrap();
    let labs = Labs::at(state.path());
    (state, labs)
}

/// What a killed kab leaves behind: its folder, with the lock free.
fn leftover(labs: &Labs, name: &str) -> PathBuf {
    leftover_of(labs.create(Some(name)).unwrap())
}

fn leftover_of(dir: LabDir) -> PathBuf {
    let path = dir.path().to_owned();
    fs::rename(&path, path.with_extension("aside")).unwrap();
    drop(dir);
    fs::rename(path.with_extension("aside"), &path).unwrap();
    path
}

#[test]
fn a_held_lab_is_taken_and_not_swept() {
    let (_state, labs) = labs();
    let dir = labs.create(Some("one")).unwrap();
    fs::write(dir.path().join("data"), "1").unwrap();
    assert!(matches!(labs.create(Some("one")), Err(KeepError::Taken { owner: Some(owner), .. })
        if owner == ProcessId::own()));
    assert_eq!(labs.sweep().unwrap(), []);
    let listed = labs.list().unwrap();
    assert!(listed.len() == 1 && listed[0].held && listed[0].name == "one");
    drop(dir);
    assert_eq!(labs.list().unwrap(), []);
}

#[test]
fn a_leftover_is_listed_and_swept_with_its_processes() {
    let (_state, labs) = labs();
    let path = leftover(&labs, "gone");
    let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let mut note: LabNote =
        serde_json::from_slice(&fs::read(path.join("lab.json")).unwrap()).unwrap();
    note.processes.insert("sleep".into(), ProcessId::of(sleeper.id()).unwrap());
    // Not the one with this pid, but one that had it before.
    let old = ProcessId { started: 1, ..ProcessId::own() };
    note.processes.insert("other".into(), old);
    fs::write(path.join("lab.json"), serde_json::to_vec(&note).unwrap()).unwrap();

    assert!(!labs.list().unwrap()[0].held);
    let swept = labs.sweep().unwrap();
    assert_eq!(swept, [Swept { path: path.clone(), killed: vec![sleeper.id()] }]);
    assert!(!path.exists());
    assert!(!sleeper.wait().unwrap().success());
}

#[test]
fn a_leftover_of_the_same_name_gives_way() {
    let (_state, labs) = labs();
    let path = leftover(&labs, "again");
    fs::write(path.join("old"), "").unwrap();
    let dir = labs.create(Some("again")).unwrap();
    assert!(!dir.path().join("old").exists());
}

#[test]
fn runs_get_names_of_their_own() {
    let (_state, labs) = labs();
    let (one, two) = (labs.create(None).unwrap(), labs.create(None).unwrap());
    assert_ne!(one.path(), two.path());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let (_state, labs) = labs();
    for bad in ["", ".", "..", "../x", "a/b", "-a", "A", "é", &"a".repeat(41)] {
        assert!(matches!(labs.create(Some(bad)), Err(KeepError::BadName(_))), "{bad}");
    }
}

#[test]
fn down_of_nothing_says_what_there_is() {
    let (_state, labs) = labs();
    let _dir = labs.create(Some("one")).unwrap();
    let error = labs.down("two").unwrap_err().to_string();
    assert!(error.contains("two") && error.ends_with("one"), "{error}");
}

#[test]
fn a_lab_of_a_run_is_neither_offered_nor_stopped() {
    let (_state, labs) = labs();
    let run = labs.create(None).unwrap();
    let _up = labs.create(Some("one")).unwrap();
    let error = labs.down("two").unwrap_err().to_string();
    assert!(error.ends_with("there are: one"), "{error}");
    let error = labs.down(run.name()).unwrap_err();
    let own = ProcessId::own().pid;
    assert!(matches!(error, KeepError::OfARun { pid, .. } if pid == own), "{error}");
    assert!(run.path().join("lab.json").exists() && labs.list().unwrap().len() == 2);
}

#[test]
fn what_a_killed_run_has_left_is_offered_and_removed() {
    let (_state, labs) = labs();
    let path = leftover_of(labs.create(None).unwrap());
    let name = path.file_name().unwrap().to_str().unwrap();
    let error = labs.down("two").unwrap_err().to_string();
    assert!(error.ends_with(name), "{error}");
    assert_eq!(labs.down(name).unwrap(), Down::Leftover { killed: vec![] });
    assert!(!path.exists());
}

#[test]
fn down_of_a_leftover_removes_it() {
    let (_state, labs) = labs();
    let path = leftover(&labs, "gone");
    assert_eq!(labs.down("gone").unwrap(), Down::Leftover { killed: vec![] });
    assert!(!path.exists());
}

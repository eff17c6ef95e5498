//! Every file of `tests/bad` is refused, and the message is what it was when
//! somebody last looked at it: `INSTA_UPDATE=always cargo test -p kab-scenario`
//! and read the difference.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use kab_scenario::{Style, load};

fn message(path: &str, sets: &[&str]) -> String {
    let sets: Vec<_> = sets.iter().map(|&set| set.to_owned()).collect();
    load(path, &sets).expect_err(path).render(Style::Plain)
}

#[test]
fn bad_files() {
    let mut paths: Vec<_> = fs::read_dir("tests/bad").unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 30);
    for path in paths {
        let path = path.to_str().unwrap();
        let stem = path.trim_start_matches("tests/bad/").trim_end_matches(".yaml");
        let message = message(path, &[]);
        assert!(message.contains(&format!("[{path}:")), "no place in {message}");
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(stem, message);
        });
    }
}

#[test]
fn bad_arguments() {
    let mut all = String::new();
    for (path, sets) in [
        ("tests/bad", &[][..]),
        ("tests/bad/anchrs.yaml", &[]),
        ("nowhere/at-all.yaml", &[]),
        ("quickstrat", &[]),
        ("something-else", &[]),
        ("quickstart", &["steps.write.load.rate"]),
        (
            "quickstart",
            &["steps.wrte.load.rate=80/s", "steps.write.load.raet=80/s", "steps.9.name=x"],
        ),
        (
            "quickstart",
            &["steps.write.load.rate=80", "steps.write.load={rate: 1/s, duration: é, x: 1}"],
        ),
        (
            "quickstart",
            &["steps.write.load.rate.x=1", "claims.stored.needs.0=true", "=1", "questio=1"],
        ),
        ("quickstart", &["steps.write.load.rate=[1", "steps.write.seed.count=5", "systems=[]"]),
        ("quickstart", &["claims.delivered-exactly-once.needs.1=write.ops.okk > 5"]),
        ("quickstart", &["cluster.etcd.quota="]),
    ] {
        all.push_str(&format!("==== {path} {sets:?}\n{}\n", message(path, sets)));
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("arguments", all);
    });
}

#[test]
fn a_large_file_is_not_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.yaml");
    fs::write(&path, "x: 1 # a line of a file that is far too long\n".repeat(250_000)).unwrap();
    let message = message(path.to_str().unwrap(), &[]);
    let message = message.replace(folder.path().to_str().unwrap(), "FOLDER");
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("large", message);
    });
}

//! A report of several systems: a column for each, in every format.
#![allow(clippy::unwrap_used)]

#[path = "../../verdict/tests/support/mod.rs"]
mod support;

use kab_report::{Rendered, write};
use support::systems::{save, three};
use support::*;

fn report(runs: &[Synthetic]) -> (tempfile::TempDir, Rendered) {
    let dir = tempfile::tempdir().unwrap();
    let folder = save(runs, dir.path());
    let judged = kab_verdict::judge_claims(&folder, &claims()).unwrap();
    let rendered = write(&folder, judged).unwrap();
    (dir, rendered)
}

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn three_systems_in_markdown_and_on_a_terminal() {
    let (_dir, rendered) = report(&three());
    let text = read(&rendered.markdown);
    let from = text.find("## The systems side by side").unwrap();
    let to = text.find("## Verdicts").unwrap();
    insta::assert_snapshot!("systems_markdown", &text[from..to]);
    insta::assert_snapshot!("systems_terminal", &rendered.side_by_side);
}

#[test]
fn the_page_has_a_column_for_each_before_the_verdicts() {
    let (_dir, rendered) = report(&three());
    let page = read(&rendered.html);
    let place = |what: &str| page.find(what).unwrap_or_else(|| panic!("{what} is not there"));
    assert!(place("The systems side by side: step write") < place("id=\"verdicts\""));
    for said in [
        "conventional less hardened: response, p99",
        "conventional is slower",
        "nothing: the interval",
        "several writes cannot be made one; refusals cannot be told apart.",
        "Built with 2 of the origin&#39;s defects: always valid, one status.",
        "PostgreSQL fsync",
        "has none",
        "committed, relayed",
    ] {
        place(said);
    }
    assert!(!page.contains("not alike") && !page.contains("NaN"));
    let json: serde_json::Value = serde_json::from_str(&read(&rendered.json)).unwrap();
    let columns = json["sideBySide"][0]["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 3);
    assert_eq!(columns[0]["numbers"]["delivery.lost"], 1.0);
}

#[test]
fn what_was_not_measured_is_no_data() {
    let mut runs = three();
    runs[2].series.clear();
    runs[2].record.cells[0].pressure.as_mut().unwrap().steal += 0.5;
    let (_dir, rendered) = report(&runs);
    let line = |name: &str| {
        let found = rendered.side_by_side.lines().find(|line| line.starts_with(name));
        found.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        line("CPU time for"),
        "CPU time for each acknowledged operation 4.80 ms 4.80 ms no data"
    );
    let written = "bytes written for each acknowledged operation 246 B 246 B no data";
    assert_eq!(line("bytes written for"), written);
    let page = read(&rendered.html);
    assert!(page.contains("nothing: the machine") && page.contains("was not alike"));
    assert!(!page.contains("conventional is slower"));
}

#[test]
fn one_system_has_no_columns() {
    let (_dir, rendered) = report(&[Synthetic::flawless(200)]);
    assert_eq!(rendered.side_by_side, "");
    for file in [&rendered.html, &rendered.markdown] {
        assert!(!read(file).contains("side by side"));
    }
    assert!(!read(&rendered.json).contains("sideBySide"));
}

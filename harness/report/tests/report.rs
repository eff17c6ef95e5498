//! Reports of synthetic runs: what they say, in every format.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../verdict/tests/support/mod.rs"]
mod support;

use kab_evidence::ledger::{OpKind, Outcome};
use kab_evidence::record::RunState;
use kab_report::{Rendered, render, write};
use support::*;

fn report(run: &Synthetic) -> (tempfile::TempDir, Rendered) {
    let dir = tempfile::tempdir().unwrap();
    let folder = run.save(dir.path());
    let judged = kab_verdict::judge_claims(&folder, &claims()).unwrap();
    let rendered = write(&folder, judged).unwrap();
    (dir, rendered)
}

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A few writes, one of them lost, one refused, one told twice.
fn small() -> Synthetic {
    let mut run = Synthetic::flawless(4);
    run.write(PLAIN, Outcome::Failed);
    run.schedule(5);
    run.lose(op(1));
    run.deliver(op(2), 0, Some("1002"), at(1_000_000_000));
    run
}

#[test]
fn markdown_of_a_small_run() {
    let (_dir, rendered) = report(&small());
    insta::assert_snapshot!(read(&rendered.markdown));
}

#[test]
fn json_of_a_small_run() {
    let (_dir, rendered) = report(&small());
    let version = format!("\"renderedBy\": \"{}\"", env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!(read(&rendered.json).replace(&version, "\"renderedBy\": \"VERSION\""));
}

#[test]
fn kinds_of_operations_have_rows_of_their_own_if_there_are_several() {
    const CAPTION: &str = "By kind of operation";
    let mut run = Synthetic::flawless(200);
    let (_dir, rendered) = report(&run);
    for path in [&rendered.markdown, &rendered.html] {
        let page = read(path);
        assert!(!page.contains(CAPTION) && !page.contains("mix several kinds"));
    }
    assert!(!read(&rendered.json).contains("\"kinds\""));

    run.ops.iter_mut().step_by(2).for_each(|op| op.kind = OpKind::List);
    run.ops[2].outcome = Outcome::Failed;
    let (_dir, rendered) = report(&run);
    for path in [&rendered.markdown, &rendered.html] {
        let page = read(path);
        for said in [CAPTION, "mix several kinds", "99 acknowledged, 1 failed", "create: service"] {
            assert!(page.contains(said), "{said}");
        }
        assert!(page.contains("list: response, acknowledged only"));
        assert!(!page.contains("create: response, acknowledged only"));
    }
    let json: serde_json::Value = serde_json::from_str(&read(&rendered.json)).unwrap();
    let kinds = &json["measurements"][0]["steps"][0]["kinds"];
    let named: Vec<_> = kinds.as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert_eq!(named, ["create", "list"]);
    assert_eq!(kinds[1]["ops"]["failed"], 1);
}

#[test]
fn the_page_asks_nobody_for_anything() {
    let (_dir, rendered) = report(&Synthetic::flawless(200));
    let page = read(&rendered.html);
    for outside in ["http://", "https://", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
    // Headings, plots with words for those who cannot see them, and captions.
    assert!(page.contains("<html lang=\"en\">"));
    let count = |what: &str| page.matches(what).count();
    assert_eq!(count("<svg"), count("<title>") - 1);
    assert_eq!(count("<svg"), count("<desc>"));
    assert_eq!(count("<figure>"), count("<figcaption>"));
    assert_eq!(count("<figure>"), 6);
}

#[test]
fn what_the_servers_did_is_on_the_page_if_anybody_looked() {
    let mut run = Synthetic::flawless(200);
    let (_dir, rendered) = report(&run);
    assert!(!read(&rendered.html).contains("What the servers did"));

    run.series = servers::healthy();
    let (_dir, rendered) = report(&run);
    let page = read(&rendered.html);
    for said in
        ["What the servers did", "Processors busy", "etcd&#39;s database", "2.00 ms to 4.00 ms"]
    {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains("did not answer") && !page.contains("NaN"));
    assert!(read(&rendered.markdown).contains("| etcd log sync, p99 | 2.00 ms to 4.00 ms |"));

    run.series = servers::silent_from(servers::API, 31.0);
    let (_dir, rendered) = report(&run);
    let page = read(&rendered.html);
    assert!(page.contains("a server did not answer"));
    let markdown = read(&rendered.markdown);
    assert!(!markdown.contains("apiserver: CPU time |"), "{markdown}");
    assert!(markdown.contains("etcd: CPU time |"));
}

#[test]
fn what_went_wrong_is_on_the_page() {
    let mut run = small();
    run.died("webhook", 5);
    let (_dir, rendered) = report(&run);
    for file in [&rendered.html, &rendered.markdown] {
        let text = read(file);
        for said in [
            "may not be used to judge",
            "Process webhook ended although nobody asked it to: signal 9.",
            "No verdict was reached",
            "inconclusive",
        ] {
            assert!(text.contains(said), "{said} is not in {}", file.display());
        }
    }
    // And none of it where nothing went wrong.
    let (_dir, rendered) = report(&Synthetic::flawless(200));
    let page = read(&rendered.html);
    assert!(page.contains("All 3 claims are confirmed."));
    assert!(!page.contains("may not be used to judge") && !page.contains("class=\"bad\""));
}

#[test]
fn a_run_without_evidence_has_a_report_that_says_so() {
    let mut run = Synthetic::new(1);
    run.record.cells.clear();
    run.record.ended = None;
    run.record.conditions = Default::default();
    run.record.state = RunState::Interrupted;
    let (_dir, rendered) = report(&run);
    for file in [&rendered.html, &rendered.markdown] {
        let text = read(file);
        assert!(text.contains("Nothing was judged. The run was interrupted."), "{text}");
        assert!(text.contains("no cell was begun"));
        assert!(!text.contains("0 ms") && !text.contains("NaN") && !text.contains("inf"), "{text}");
    }
    assert!(read(&rendered.html).contains("no data: no step with a load was begun"));
}

#[test]
fn a_cell_without_operations_shows_no_numbers() {
    let mut run = Synthetic::new(1);
    run.step_mut("write").ended = None;
    let (_dir, rendered) = report(&run);
    let page = read(&rendered.html);
    assert!(page.contains("Step write did not end."));
    assert!(page.contains("There are no operations in the ledger."));
    assert!(!page.contains("NaN") && !page.contains("<svg"));
}

#[test]
fn a_run_is_rendered_again_from_its_folder_alone() {
    let mut run = Synthetic::flawless(200);
    run.scenario = SCENARIO.into();
    run.record.scenario.set.clear();
    run.record.scenario.sha256 =
        kab_scenario::load_text("x", SCENARIO.into(), None, &[]).unwrap().sha256;
    let dir = tempfile::tempdir().unwrap();
    let folder = run.save(dir.path());
    let record = read(&folder.record_path());
    let first = render(&folder).unwrap();
    let page = read(&first.html);
    assert!(page.contains("Every acknowledged write is delivered."));
    // Again, and nothing but the reports was touched.
    assert_eq!(render(&folder).unwrap(), first);
    assert_eq!(read(&first.html), page);
    assert_eq!(read(&folder.record_path()), record);
}

//! What a report shows of a search.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../verdict/tests/support/mod.rs"]
mod support;

use kab_evidence::capacity::ProbeResult;
use kab_evidence::ledger::Outcome;
use support::search::{BROKE, HELD, search};
use support::{PLAIN, claim};

#[test]
fn a_search_shows_its_interval_and_every_probe() {
    let late = support::Parts { queue: 20_000, ..PLAIN };
    let late = (160.0, ProbeResult::Invalid, late, Outcome::Ok);
    let dir = tempfile::tempdir().unwrap();
    let folder = search(&[HELD, BROKE, late]).save(dir.path());
    let claims = [claim("creates.capacity.held >= 40.0", "creates.capacity.broke <= 40.0")];
    let judged = kab_verdict::judge_claims(&folder, &claims).unwrap();
    let rendered = kab_report::write(&folder, judged).unwrap();

    let page = std::fs::read_to_string(&rendered.html).unwrap();
    for words in ["search creates", "Held at 40/s, broke at 80/s.", "response.p99 by rate"] {
        assert!(page.contains(words), "{words}");
    }
    // One of each mark, in the wide drawing and in the narrow one.
    let figure = page.split("response.p99 by rate</h4>").nth(1).unwrap();
    let figure = figure.split("</figure>").next().unwrap();
    assert_eq!((figure.matches("<circle").count(), figure.matches("<polygon").count()), (2, 2));

    let text = std::fs::read_to_string(&rendered.markdown).unwrap();
    insta::assert_snapshot!(
        text.split("## What the servers did").next().unwrap().split("## Ledger").next().unwrap()
    );
    assert!(!text.contains("/ creates@40"), "probes are listed with their search only");
}

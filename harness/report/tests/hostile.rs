//! Names and texts come from files and processes that nobody vouches for:
//! whatever they hold, the page keeps its structure.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../verdict/tests/support/mod.rs"]
mod support;

use kab_evidence::event::{Event, Happening};
use kab_report::html::html;
use kab_report::page::Page;
use kab_verdict::Judged;
use proptest::prelude::*;
use support::*;

/// A judged run in which every free text is `text`.
fn judged(text: &str) -> Judged {
    let mut run = Synthetic::flawless(12);
    run.events.push(Event { at: at(1), what: Happening::Warning { text: text.into() } });
    run.died(text, 2);
    let dir = tempfile::tempdir().unwrap();
    let mut judged = kab_verdict::judge_claims(&run.save(dir.path()), &claims()).unwrap();
    let own = || text.to_owned();
    let record = &mut judged.record;
    record.run = own();
    record.scenario.name = own();
    record.scenario.question = own();
    record.scenario.risk = Some(own());
    record.scenario.set = vec![own()];
    record.scenario.sha256 = own();
    record.validity.doubt(own());
    record.conditions.fidelity = own();
    record.conditions.provider = own();
    record.conditions.versions.insert(own(), own());
    record.conditions.command_lines = [(own(), vec![own()])].into();
    record.conditions.assets[0].name = own();
    record.conditions.assets[0].origin = own();
    record.conditions.host.cpu = own();
    record.cells[0].system = own();
    record.cells[0].axes.insert(own(), text.into());
    record.cells[0].validity.doubt(own());
    for verdict in &mut record.verdicts {
        (verdict.claim, verdict.statement, verdict.reason) = (own(), own(), own());
        verdict.measurements = [(own(), own())].into();
    }
    for claim in &mut judged.claims {
        (claim.id, claim.statement, claim.threshold) = (own(), own(), Some(own()));
        (claim.confirmed, claim.refuted, claim.needs) = (own(), own(), vec![own()]);
    }
    for step in &mut judged.cells[0].steps {
        step.name = own();
        step.classes = [(own(), 1)].into();
    }
    judged.notes.push(own());
    judged
}

/// Names of the tags of `page` with those of their attributes, in order; what
/// stands between backticks in a text may become `<code>`, so that is left out.
fn structure(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let (mut quoted, mut bare) = (false, String::new());
        let mut end = rest.len();
        for (i, c) in rest.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '>' if !quoted => {
                    end = i;
                    break;
                }
                _ if !quoted => bare.push(c),
                _ => {}
            }
        }
        rest = &rest[end..];
        if bare != "code" && bare != "/code" {
            tags.push(bare);
        }
    }
    tags
}

fn page(text: &str) -> String {
    html(&Page::of(&judged(text)).unwrap()).unwrap()
}

#[test]
fn known_attacks_stay_text() {
    let plain = structure(&page("harmless"));
    for attack in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='x",
        "</style><script>",
        "</title></svg><script>",
        "&lt;b&gt; & < > \" '",
        "`</code><b>`",
        "{{ page }}{% raw %}",
        "-->",
        "]]>",
    ] {
        let page = page(attack);
        assert_eq!(structure(&page), plain, "{attack}");
        assert!(!page.contains("<script"), "{attack}");
    }
}

#[test]
fn the_structure_is_seen_to_change_where_it_does() {
    let plain = page("harmless");
    let broken = plain.replacen("harmless", "<b>harmless</b>", 1);
    assert_ne!(structure(&broken), structure(&plain));
    let attribute = plain.replacen("aria-label=\"", "aria-label=\"\" onclick=\"", 1);
    assert_ne!(structure(&attribute), structure(&plain));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_stays_text(text in "[<>\"'&`=/ a-z\\PC]{1,40}") {
        prop_assume!(!text.trim().is_empty());
        prop_assert_eq!(structure(&page(&text)), structure(&page("harmless")));
    }
}

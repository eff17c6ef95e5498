//! Verdict cards, and what speaks against the verdicts.

use kab_evidence::record::{RunRecord, Verdict, VerdictRecord};
use kab_scenario::model::Claim;
use kab_verdict::Judged;

use super::cell_name;
use crate::prose::{Prose, code, prose};

/// The verdict on one claim for one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// `confirmed`, `refuted` or `inconclusive`; also its CSS class.
    pub verdict: String,
    /// The same without words or colour.
    pub symbol: &'static str,
    /// The claim's id.
    pub claim: String,
    /// The claim.
    pub statement: Prose,
    /// Of which system, and under which axes.
    pub cell: String,
    /// Why.
    pub reason: Prose,
    /// Where its thresholds come from.
    pub threshold: Option<Prose>,
    /// Whether it was expected, in words.
    pub expected: String,
    /// Whether it is not what was expected.
    pub surprise: bool,
    /// The rules it was decided by.
    pub rules: Vec<(&'static str, Prose)>,
    /// What the rules read.
    pub measurements: Vec<(String, String)>,
}

/// One card for each verdict, in the order of the record.
pub(super) fn cards(judged: &Judged) -> Vec<Card> {
    let claim = |id: &str| judged.claims.iter().find(|claim| claim.id == id);
    judged.record.verdicts.iter().map(|v| card(v, claim(&v.claim), &judged.record)).collect()
}

fn card(verdict: &VerdictRecord, claim: Option<&Claim>, record: &RunRecord) -> Card {
    let cell = record.cells.iter().find(|cell| cell.id == verdict.cell);
    let needs = claim.map(|c| c.needs.as_slice()).unwrap_or_default();
    let mut rules: Vec<_> = needs.iter().map(|need| ("needs", code(need))).collect();
    if let Some(claim) = claim {
        rules.push(("confirmed if", code(&claim.confirmed)));
        rules.push(("refuted if", code(&claim.refuted)));
    }
    Card {
        verdict: verdict.verdict.to_string(),
        symbol: symbol(verdict.verdict),
        claim: verdict.claim.clone(),
        statement: prose(&verdict.statement),
        cell: cell.map_or_else(|| verdict.cell.clone(), cell_name),
        reason: prose(&verdict.reason),
        threshold: claim.and_then(|c| c.threshold.as_deref()).map(prose),
        expected: expectation(verdict),
        surprise: !verdict.as_expected(),
        rules,
        measurements: verdict.measurements.clone().into_iter().collect(),
    }
}

/// A sign that needs no colour.
pub(super) fn symbol(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Confirmed => "✓",
        Verdict::Refuted => "✗",
        Verdict::Inconclusive => "?",
    }
}

fn expectation(verdict: &VerdictRecord) -> String {
    match verdict.expected {
        None => "The scenario expects no particular verdict.".to_owned(),
        Some(_) if verdict.as_expected() => "As the scenario expects.".to_owned(),
        Some(expected) => format!("The scenario expects it to be {expected}."),
    }
}

/// Why the numbers may not be used: of the run, then of each cell.
pub(super) fn doubts(record: &RunRecord) -> Vec<(String, Vec<Prose>)> {
    let reasons = |of: &[String]| of.iter().map(|reason| prose(reason)).collect::<Vec<_>>();
    let run = ("The whole run".to_owned(), reasons(&record.validity.invalid_because));
    let cells = record
        .cells
        .iter()
        .map(|cell| (format!("Cell {}", cell_name(cell)), reasons(&cell.validity.invalid_because)));
    std::iter::once(run).chain(cells).filter(|(_, reasons)| !reasons.is_empty()).collect()
}

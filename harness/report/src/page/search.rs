//! Searches: the interval, and the probes that it stands on.

use kab_evidence::capacity::ProbeResult;
use kab_verdict::capacity::Capacity;
use kab_verdict::objective::PROBE;
use kab_verdict::value::{grouped, significant};
use kab_verdict::{CellMeasurements, StepMeasurements};

use super::keys::Tile;
use super::{CellPair, Figure, NO_DATA, Row, Table, cell_name, or_no_data, several};
use crate::plot::{self, Mark, PlotError};

/// What one search of one cell found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchSection {
    /// Tells the sections of a page apart, in links.
    pub id: String,
    /// Of what.
    pub title: String,
    /// The objective.
    pub hold: String,
    /// What was found, in words.
    pub summary: String,
    /// The same in numbers.
    pub tiles: Vec<Tile>,
    /// What each probe measured.
    pub figures: Vec<Figure>,
    /// Every probe.
    pub probes: Table,
}

/// Whether `step` is shown here, and not among the steps of the ledger.
pub(super) fn is_here(step: &StepMeasurements) -> bool {
    step.verb == "search" || step.verb == PROBE
}

/// Every search, in order.
pub(super) fn searches<'a>(
    cells: impl Iterator<Item = CellPair<'a>>,
) -> Result<Vec<SearchSection>, PlotError> {
    let mut sections = Vec::new();
    for (cell, measured) in cells {
        for step in &measured.steps {
            let Some(capacity) = &step.capacity else { continue };
            sections.push(SearchSection {
                id: format!("q{}", sections.len() + 1),
                title: format!("{}, search {}", cell_name(cell), step.name),
                hold: capacity.found.hold.clone(),
                summary: sentence(&capacity.found.summary),
                tiles: tiles(capacity),
                figures: figures(capacity)?,
                probes: probes(capacity, measured),
            });
        }
    }
    Ok(sections)
}

fn tiles(capacity: &Capacity) -> Vec<Tile> {
    let found = &capacity.found;
    let rate = |rate: Option<f64>| rate.map_or(NO_DATA.to_owned(), |r| format!("{r}/s"));
    let tile = |label, value, note: String, bad| Tile { label, value, note, bad };
    let invalid = found.probes.iter().filter(|p| p.outcome == ProbeResult::Invalid).count() as u64;
    let mut tiles = vec![
        tile("holds up to", rate(found.held), "every probe there held".into(), false),
        tile("breaks from", rate(found.broke), "every probe there broke".into(), false),
        tile(
            "probes",
            grouped(found.probes.len() as u64),
            format!("{} said nothing of the server", grouped(invalid)),
            false,
        ),
    ];
    if found.ceiling.is_some() {
        let note = "not the server's limit".to_owned();
        tiles.push(tile("generator failed at", rate(found.ceiling), note, true));
    }
    if !found.contradictions.is_empty() {
        let count = grouped(found.contradictions.len() as u64);
        tiles.push(tile("contradictions", count, "they widen the interval".into(), true));
    }
    tiles
}

fn figures(capacity: &Capacity) -> Result<Vec<Figure>, PlotError> {
    let Some(figure) = &capacity.figure else { return Ok(Vec::new()) };
    let found = &capacity.found;
    let marks: Vec<Mark> = found
        .probes
        .iter()
        .zip(&capacity.values)
        .filter_map(|(probe, value)| {
            Some(Mark { rate: probe.rate, value: (*value)?, outcome: probe.outcome })
        })
        .collect();
    if marks.is_empty() {
        return Ok(Vec::new());
    }
    let absent = (found.probes.len() - marks.len()) as u64;
    let absent = if absent > 0 {
        format!(" {} measured none, and are not drawn.", several(absent, "probe"))
    } else {
        String::new()
    };
    Ok(vec![Figure {
        title: format!("{figure} by rate"),
        description: format!(
            "{} at their rates with their {figure}: {}",
            several(marks.len() as u64, "probe"),
            found.summary
        ),
        caption: format!(
            "Each mark is a probe: a dot held, a triangle broke, a cross said nothing because the \
             generator was late. The upright lines are the ends of the interval.{absent}"
        ),
        legend: vec![
            ("s1", "held".to_owned()),
            ("bad", "broke".to_owned()),
            ("muted", "said nothing".to_owned()),
        ],
        plot: plot::capacity(&marks, figure, found.held, found.broke)?,
    }])
}

fn probes(capacity: &Capacity, measured: &CellMeasurements) -> Table {
    let figure = capacity.figure.as_deref().unwrap_or("value");
    let head =
        ["probe", "why", "outcome", figure, "operations", "acknowledged", "achieved", "reason"];
    let mut table = Table::new("Probes, in the order made", &head);
    for (probe, value) in capacity.found.probes.iter().zip(&capacity.values) {
        let step = measured.step(&probe.step);
        let ok = step.and_then(|step| step.ops.as_ref()).map(|ops| grouped(ops.ok));
        let achieved =
            step.and_then(|step| step.rate).map(|rate| format!("{}/s", significant(rate.achieved)));
        let (swatch, outcome) = match probe.outcome {
            ProbeResult::Held => ("s1", "held"),
            ProbeResult::Broke => ("bad", "broke"),
            ProbeResult::Invalid => ("muted", "said nothing"),
        };
        table.rows.push(Row {
            swatch: Some(swatch),
            name: probe.step.clone(),
            cells: vec![
                probe.purpose.clone(),
                outcome.to_owned(),
                or_no_data(*value),
                grouped(probe.scheduled),
                or_no_data(ok),
                or_no_data(achieved),
                probe.reason.clone(),
            ],
        });
    }
    table
}

/// `text` as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

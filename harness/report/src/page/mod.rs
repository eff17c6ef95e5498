//! What a reader is told, in order, ready to be laid out.

mod answer;
mod conditions;
mod events;
mod evidence;
mod figures;
mod inner;
mod keys;
mod kinds;
mod limits;
mod search;
mod servers;
mod systems;
mod verdicts;
mod watch;

use kab_evidence::record::CellRecord;
use kab_verdict::distribution::Summary;
use kab_verdict::value::grouped;
use kab_verdict::{CellMeasurements, Judged, Nanos};

pub use conditions::Program;
pub use events::EventRow;
pub use figures::Figure;
pub use keys::Tile;
pub use search::SearchSection;
pub use servers::ServerSection;
pub use systems::SystemsSection;
pub use verdicts::Card;

use crate::plot::PlotError;
use crate::prose::Prose;

/// How an absent value is written.
pub const NO_DATA: &str = "no data";

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Name of the scenario.
    pub scenario: String,
    /// The risk it examines.
    pub risk: Option<String>,
    /// What it asks.
    pub question: String,
    /// The answer, in a sentence.
    pub answer: String,
    /// How the answer is to be shown: `confirmed`, `refuted`, `inconclusive`.
    pub tone: &'static str,
    /// Names the run.
    pub run: String,
    /// When it began.
    pub began: String,
    /// Several systems side by side, by step.
    pub systems: Vec<SystemsSection>,
    /// One for each claim and cell.
    pub cards: Vec<Card>,
    /// Why the numbers may not be used to judge: of what, and why.
    pub doubts: Vec<(String, Vec<Prose>)>,
    /// What a reader should know of the judgement.
    pub notes: Vec<String>,
    /// What was measured, by cell and step.
    pub sections: Vec<Section>,
    /// What searches found, by cell and step.
    pub searches: Vec<SearchSection>,
    /// What the servers did, by cell.
    pub servers: Vec<ServerSection>,
    /// Operations of every step.
    pub ledger: Table,
    /// Operations by class.
    pub classes: Table,
    /// Answers by encoding.
    pub media: Table,
    /// How much could be joined.
    pub coverage: Table,
    /// What did not fit together.
    pub joins: Table,
    /// What watch streams promise and what they gave: guarantees, violations,
    /// what became of each event, what happened to the streams.
    pub watch: [Table; 4],
    /// What happened to the run itself, the grave first.
    pub incidents: Vec<EventRow>,
    /// All of it, in order.
    pub events: Vec<EventRow>,
    /// The conditions that every number was taken under.
    pub conditions: Vec<(String, String)>,
    /// How faithful the lab is.
    pub fidelity: String,
    /// The programs that were run.
    pub programs: Vec<Program>,
    /// How to run it again.
    pub command: String,
    /// What identifies the run's input.
    pub input: Vec<(String, String)>,
    /// How intervals were made, in a sentence or two.
    pub method: String,
    /// What this report does not show.
    pub limits: Vec<String>,
    /// Version of the kab that made the report.
    pub rendered_by: &'static str,
}

/// What was measured in one step of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Tells the sections of a page apart, in links.
    pub id: String,
    /// Of what.
    pub title: String,
    /// The numbers that matter most.
    pub tiles: Vec<Tile>,
    /// Latencies in numbers.
    pub latencies: Table,
    /// What the latencies are over.
    pub composition: String,
    /// The same by kind of operation, if there are several.
    pub kinds: Option<Table>,
    /// The distribution.
    pub distribution: Vec<Figure>,
    /// Over time.
    pub overtime: Vec<Figure>,
    /// Where the time goes.
    pub chains: Vec<(Figure, Table)>,
    /// The same inside the apiserver, if it traced.
    pub inner: Option<(String, Table)>,
}

/// A table. Its first column names the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Heads of the columns.
    pub head: Vec<String>,
    /// Rows, each as wide as the head.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// CSS class of a swatch before the name, if it stands for a colour.
    pub swatch: Option<&'static str>,
    /// What it is of.
    pub name: String,
    /// Its cells.
    pub cells: Vec<String>,
}

impl Table {
    fn new(caption: impl Into<String>, head: &[&str]) -> Self {
        let head = head.iter().map(|name| (*name).to_owned()).collect();
        Self { caption: caption.into(), head, rows: Vec::new() }
    }

    fn row(&mut self, name: impl Into<String>, cells: Vec<String>) {
        self.rows.push(Row { swatch: None, name: name.into(), cells });
    }
}

impl Page {
    /// Everything that the report of `judged` says.
    ///
    /// # Errors
    /// If a plot cannot be drawn.
    pub fn of(judged: &Judged) -> Result<Self, PlotError> {
        let record = &judged.record;
        let (answer, tone) = answer::answer(judged);
        let mut sections = Vec::new();
        for (cell, measured) in record.cells.iter().zip(&judged.cells) {
            // Steps without a schedule prepare, and are in the ledger only.
            for step in measured.steps.iter().filter(|step| step.verb == "load") {
                sections.push(Section {
                    id: format!("s{}", sections.len() + 1),
                    title: format!("{}, step {}", cell_name(cell), step.name),
                    tiles: keys::tiles(step),
                    latencies: keys::latencies(step),
                    composition: keys::composition(step),
                    kinds: kinds::table(step),
                    distribution: figures::distribution(step)?,
                    overtime: figures::overtime(step)?,
                    chains: figures::chains(step, cell)?,
                    inner: inner::inner(step, cell),
                });
            }
        }
        let steps = || record.cells.iter().zip(&judged.cells);
        Ok(Self {
            scenario: record.scenario.name.clone(),
            risk: record.scenario.risk.clone(),
            question: record.scenario.question.clone(),
            answer,
            tone,
            run: record.run.clone(),
            began: record.clock.wall.to_string(),
            systems: systems::systems(judged)?,
            cards: verdicts::cards(judged),
            doubts: verdicts::doubts(record),
            notes: judged.notes.clone(),
            sections,
            searches: search::searches(steps())?,
            servers: servers::servers(steps())?,
            ledger: evidence::ledger(steps()),
            classes: evidence::classes(steps()),
            media: evidence::media(steps()),
            coverage: evidence::coverage(steps()),
            joins: evidence::joins(steps()),
            watch: watch::tables(&record.cells, &judged.cells),
            incidents: events::incidents(judged),
            events: events::all(judged),
            conditions: conditions::conditions(record),
            fidelity: record.conditions.fidelity.clone(),
            programs: conditions::programs(record),
            command: conditions::command(record),
            input: conditions::input(record),
            method: format!(
                "{} “Independent” is how many independent samples would tell the mean as well (batch means).",
                kab_verdict::interval::METHOD
            ),
            limits: limits::limits(judged),
            rendered_by: env!("CARGO_PKG_VERSION"),
        })
    }
}

/// A pair of what was asked for and what was measured, for one cell.
type CellPair<'a> = (&'a CellRecord, &'a CellMeasurements);

/// `naive`, or `naive (rate 40/s)`.
fn cell_name(cell: &CellRecord) -> String {
    if cell.axes.is_empty() {
        return cell.system.clone();
    }
    let axes: Vec<_> =
        cell.axes.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
    format!("{} ({})", cell.system, axes.join(", "))
}

/// A JSON value as people write it.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A percentile, or why there is none: it needs `wanted` samples.
fn percentile(value: Option<Nanos>, of: &Summary, wanted: u64) -> String {
    match value {
        Some(value) => value.to_string(),
        None if of.count == 0 => NO_DATA.to_owned(),
        None => format!("n < {}", grouped(wanted)),
    }
}

fn or_no_data<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| NO_DATA.to_owned(), |value| value.to_string())
}

/// `1 write`, `2 writes`.
fn several(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

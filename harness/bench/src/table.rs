//! The comparison as text: medians with their range, and ratios to kab.

use std::fmt::Write;

use serde::Serialize;

use crate::contender::Tool;
use crate::measure::Seen;
use crate::task::Task;

/// All runs of one tool at one task.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The tool.
    pub tool: String,
    /// The task.
    pub task: String,
    /// Its runs, in order.
    pub runs: Vec<Seen>,
    /// Operations that the task consists of.
    pub operations: u64,
    #[serde(skip)]
    which: Tool,
    #[serde(skip)]
    counted: bool,
}

/// Median, lowest and highest.
struct Range(f64, f64, f64);

impl Row {
    /// No runs yet.
    pub fn new(tool: Tool, task: Task) -> Self {
        let (name, title) = (tool.name().to_owned(), task.title());
        let (operations, counted) = (task.operations(), task.creates());
        Self { tool: name, task: title, runs: Vec::new(), operations, which: tool, counted }
    }

    fn range(&self, of: impl Fn(&Seen) -> f64) -> Option<Range> {
        let mut all: Vec<f64> = self.runs.iter().map(of).filter(|x| x.is_finite()).collect();
        all.sort_by(f64::total_cmp);
        Some(Range(all.get(all.len() / 2).copied()?, *all.first()?, *all.last()?))
    }

    /// Operations that a run completed: counted by the server where it can.
    fn done(&self, seen: &Seen) -> f64 {
        let done = if self.counted { seen.created } else { seen.done.unwrap_or(self.operations) };
        // Counts of a bench are far below 2^53.
        #[allow(clippy::cast_precision_loss)]
        let done = done as f64;
        done
    }

    fn rate(&self, seen: &Seen) -> f64 {
        self.done(seen) / seen.wall_seconds
    }

    /// CPU of the tool for each operation, in microseconds.
    fn cost(&self, seen: &Seen) -> f64 {
        seen.tool_cpu_seconds / self.done(seen) * 1e6
    }
}

/// The rows of one task as a table in Markdown.
pub fn render(rows: &[Row]) -> String {
    let mut text = String::new();
    let Some(first) = rows.first() else { return text };
    let kab = rows.iter().filter(|row| matches!(row.which, Tool::Kab | Tool::KabHttp1));
    let costs = kab.filter_map(|row| row.range(|seen| row.cost(seen))).map(|range| range.0);
    let best = costs.fold(f64::INFINITY, f64::min);
    let _ = writeln!(text, "\n### {}\n", first.task);
    let _ = writeln!(
        text,
        "| tool | n | done/s | tool CPU us/op | of kab's best | server CPU s | other CPU s | failed |"
    );
    let _ = writeln!(text, "|---|---|---|---|---|---|---|---|");
    for row in rows {
        let show = |range: Option<Range>, digits: usize| {
            range.map_or("-".to_owned(), |Range(mid, low, high)| {
                format!("{mid:.digits$} [{low:.digits$}..{high:.digits$}]")
            })
        };
        let cost = row.range(|seen| row.cost(seen));
        let ratio = cost.as_ref().map_or("-".to_owned(), |cost| format!("{:.2}", cost.0 / best));
        let failed = row.runs.iter().filter(|run| run.failed.is_some()).count();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {ratio} | {} | {} | {failed} |",
            row.tool,
            row.runs.len(),
            show(row.range(|seen| row.rate(seen)), 0),
            show(cost, 0),
            show(row.range(|seen| seen.server_cpu_seconds), 1),
            show(row.range(|seen| seen.other_cpu_seconds), 1),
        );
    }
    text
}

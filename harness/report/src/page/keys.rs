//! The numbers that matter most, and the latencies in numbers.

use kab_verdict::StepMeasurements;
use kab_verdict::distribution::Summary;
use kab_verdict::value::{grouped, significant};

use super::{NO_DATA, Table, or_no_data, percentile, several};

/// One number that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// What it is.
    pub label: &'static str,
    /// The number, with its unit.
    pub value: String,
    /// What puts it in proportion.
    pub note: String,
    /// Whether it is a violation, as a loss is.
    pub bad: bool,
}

/// The numbers that matter most of `step`.
pub(super) fn tiles(step: &StepMeasurements) -> Vec<Tile> {
    let tile = |label, value: String, note: String, bad| Tile { label, value, note, bad };
    let mut tiles = Vec::new();
    match step.ops.as_ref().filter(|ops| ops.recorded > 0) {
        Some(ops) => {
            let rest = [
                (ops.failed, "failed"),
                (ops.indeterminate, "in doubt"),
                (ops.missed, "never sent"),
                (ops.unrecorded, "unrecorded"),
            ];
            let rest: Vec<_> = rest
                .iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, what)| format!("{} {what}", grouped(*n)))
                .collect();
            let note = if rest.is_empty() {
                "none failed, none in doubt".to_owned()
            } else {
                rest.join(", ")
            };
            let of = ops.scheduled.unwrap_or(ops.recorded);
            let value = format!("{} of {}", grouped(ops.ok), grouped(of));
            tiles.push(tile("operations acknowledged", value, note, !rest.is_empty()));
        }
        None => tiles.push(tile(
            "operations acknowledged",
            NO_DATA.into(),
            "the ledger is empty".into(),
            true,
        )),
    }
    let achieved = step.rate.map(|rate| format!("{}/s", significant(rate.achieved)));
    let intended = step.rate.map(|rate| match rate.closed {
        true => "a closed loop: the rate is a result".to_owned(),
        false => format!("intended {}/s", significant(rate.intended)),
    });
    tiles.push(tile("rate achieved", or_no_data(achieved), intended.unwrap_or_default(), false));
    tiles.push(tile(
        "response, 99th percentile",
        percentile(step.response.all.p99, &step.response.all, 100),
        half_and_interval(&step.response.all),
        false,
    ));
    match &step.delivery {
        Some(found) => {
            tiles.push(tile(
                "lag to the subscriber, 99th percentile",
                percentile(found.lag.p99, &found.lag, 100),
                half_and_interval(&found.lag),
                false,
            ));
            let due = format!("of {} due", several(found.expected, "notification"));
            tiles.push(tile("lost", grouped(found.lost), due, found.lost > 0));
            let note = "beyond the first of each".to_owned();
            tiles.push(tile("duplicated", grouped(found.duplicated), note, found.duplicated > 0));
        }
        None => {
            let why = "nobody listened, or nothing was acknowledged".to_owned();
            tiles.push(tile("lost, duplicated", NO_DATA.into(), why, false));
        }
    }
    if let Some(stored) = &step.stored {
        let note = format!("of {}", several(stored.expected, "acknowledged write"));
        let bad = stored.missing > 0;
        tiles.push(tile("missing in the store", grouped(stored.missing), note, bad));
    }
    tiles
}

/// The median of `of`, and how sure its 99th percentile is.
fn half_and_interval(of: &Summary) -> String {
    let half = format!("half within {}", percentile(of.p50, of, 2));
    match of.interval.as_ref().and_then(|found| found.p99) {
        Some(range) => format!("95 % interval {} to {}; {half}", range.low, range.high),
        None if of.p99.is_some() => format!("no interval: too few independent samples; {half}"),
        None => half,
    }
}

/// What stands over [`numbers`].
pub(super) const HEAD: [&str; 9] =
    ["", "n", "independent", "p50", "p90", "p99", "p99.9", "max", "mean"];

/// A latency in numbers, each with its interval below it.
pub(super) fn numbers(of: &Summary) -> Vec<String> {
    let sure = |text: String, statistic: &str| {
        let range = of.interval.as_ref().and_then(|found| found.get(statistic));
        range.map_or(text.clone(), |range| format!("{text}\n{} to {}", range.low, range.high))
    };
    vec![
        grouped(of.count),
        of.effective_samples.map_or_else(|| "–".to_owned(), grouped),
        sure(percentile(of.p50, of, 2), "p50"),
        sure(percentile(of.p90, of, 10), "p90"),
        sure(percentile(of.p99, of, 100), "p99"),
        sure(percentile(of.p999, of, 1_000), "p999"),
        or_no_data(of.max),
        sure(or_no_data(of.mean), "mean"),
    ]
}

/// The latencies of `step` in numbers. Below a percentile stands its 95 %
/// interval.
pub(super) fn latencies(step: &StepMeasurements) -> Table {
    let mut table = Table::new("Latencies, each with its 95 % interval", &HEAD);
    let mut row = |name: &str, of: &Summary| table.row(name, numbers(of));
    row("response (due → end known)", &step.response.all);
    row("response, acknowledged only", &step.response.ok);
    row("service (sent → end known)", &step.service.all);
    row("service, acknowledged only", &step.service.ok);
    row("lateness of the generator", &step.lateness);
    if let Some(found) = &step.delivery {
        row("lag (due → first receipt)", &found.lag);
    }
    table
}

/// What the latencies of `step` are over, so that no failure hides.
pub(super) fn composition(step: &StepMeasurements) -> String {
    let Some(ops) = step.ops.as_ref().filter(|ops| ops.recorded > 0) else {
        return "There are no operations in the ledger.".to_owned();
    };
    let ended = step.response.all.count;
    let mut text = format!(
        "Response and service times are over all {} whose end is known: {} acknowledged, {} failed, {} in doubt.",
        several(ended, "operation"),
        grouped(ops.ok),
        grouped(ops.failed),
        grouped(ops.indeterminate)
    );
    if !step.kinds.is_empty() {
        text.push_str(
            " They mix several kinds of operations; each kind has rows of its own below.",
        );
    }
    if ops.indeterminate > 0 {
        text.push_str(" One given up at its deadline counts with the time waited, which is less than it would have taken.");
    }
    if ops.missed > 0 {
        text.push_str(&format!(" {} never sent, and in no percentile.", was(ops.missed)));
    }
    if let Some(found) = step.delivery.as_ref().filter(|found| found.lost > 0) {
        text.push_str(&format!(
            " {} never received, and in no percentile of the lag.",
            several(found.lost, "notification") + if found.lost == 1 { " was" } else { " were" }
        ));
    }
    text
}

fn was(count: u64) -> String {
    several(count, "operation") + if count == 1 { " was" } else { " were" }
}

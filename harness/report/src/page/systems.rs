//! The systems of a run side by side: a column for each.

use kab_evidence::record::CellRecord;
use kab_verdict::compare::{Direction, LatencyComparison};
use kab_verdict::cost::Share;
use kab_verdict::distribution::Summary;
use kab_verdict::side_by_side::{Pair, SideBySide};
use kab_verdict::value::{bytes, grouped, significant};
use kab_verdict::{Judged, Nanos, StepMeasurements};

use super::{Figure, NO_DATA, Table, or_no_data, percentile, plain, verdicts};
use crate::plot::{self, Dot, PlotError};

/// What must be known to read the columns.
const HOW: &str = "The cells ran one after the other on the same machine and by the same schedule, each with servers \
    of its own. CPU time is that of every process of a system, servers and apps, over the time of the step; what it \
    takes at rest, and kab's reading of its metrics, are in it. Bytes are what its servers handed to the disk in that \
    time, in whole pages, as the kernel counts them; what the apps write is kab's own evidence and is left out. What a \
    server puts off until after the step, such as a database's checkpoint, is in neither. How much \
    the two vary, only several runs would show. Each difference is tested at \
    the 5 % level: about 1 of 20 is shown by chance alone.";

/// The systems of one step side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemsSection {
    /// Of what.
    pub title: String,
    /// How to read it.
    pub how: String,
    /// What was measured, a column for each system.
    pub numbers: Table,
    /// The longest times and how sure they are.
    pub figures: Vec<Figure>,
    /// Which process took what of it.
    pub processes: Table,
    /// The verdicts, a column for each system.
    pub verdicts: Table,
    /// Every two systems, and what can be said of their difference.
    pub differences: Table,
    /// Where nothing can be said of it, and why.
    pub unlike: Vec<String>,
    /// What each system cannot do, and which defects it was built with.
    pub findings: Vec<(String, String)>,
}

/// One system of a section: its cell, and what was measured of the step.
type Column<'a> = (&'a CellRecord, &'a StepMeasurements);

/// A section for each step that several systems have.
pub(super) fn systems(judged: &Judged) -> Result<Vec<SystemsSection>, PlotError> {
    judged.side_by_side.iter().map(|of| section(judged, of)).collect()
}

fn section(judged: &Judged, of: &SideBySide) -> Result<SystemsSection, PlotError> {
    let found = |cell: &str| {
        let place = judged.record.cells.iter().position(|record| record.id == cell)?;
        Some((judged.record.cells.get(place)?, judged.cells.get(place)?.step(&of.step)?))
    };
    let columns: Vec<Column<'_>> = of.columns.iter().filter_map(|c| found(&c.cell)).collect();
    let axes: Vec<_> = of.axes.iter().map(|(name, v)| format!("{name} {}", plain(v))).collect();
    let axes = if axes.is_empty() { String::new() } else { format!(" ({})", axes.join(", ")) };
    Ok(SystemsSection {
        title: format!("The systems side by side: step {}{axes}", of.step),
        how: HOW.to_owned(),
        numbers: numbers(&columns),
        figures: figure(&columns)?.into_iter().collect(),
        processes: processes(&columns),
        verdicts: verdicts(judged, &columns),
        differences: differences(&of.pairs),
        unlike: of.pairs.iter().filter_map(unlike).collect(),
        findings: columns.iter().map(|(cell, _)| (cell.system.clone(), findings(cell))).collect(),
    })
}

/// A table with a column for each system.
fn by_system(caption: &str, columns: &[Column<'_>]) -> Table {
    let names = columns.iter().map(|(cell, _)| match cell.validity.is_valid() {
        true => cell.system.clone(),
        false => format!("{} (invalid)", cell.system),
    });
    let head: Vec<String> = std::iter::once(String::new()).chain(names).collect();
    Table { caption: caption.to_owned(), head, rows: Vec::new() }
}

/// Reads one value of a step, as text.
type Read = fn(&StepMeasurements) -> Option<String>;

const ROWS: [(&str, Read); 13] = [
    ("throughput", |step| {
        let rate = step.rate?;
        let wanted = match rate.closed {
            true => "closed loop".to_owned(),
            false => format!("of {}/s intended", significant(rate.intended)),
        };
        Some(format!("{}/s\n{wanted}", significant(rate.achieved)))
    }),
    ("capacity", capacity),
    ("acknowledged", acknowledged),
    ("response, p50", |step| Some(sure(&step.response.all, "p50", step.response.all.p50, 2))),
    ("response, p99", |step| Some(sure(&step.response.all, "p99", step.response.all.p99, 100))),
    ("delivery lag, p50", |step| step.delivery.as_ref().map(|d| sure(&d.lag, "p50", d.lag.p50, 2))),
    ("delivery lag, p99", |step| {
        step.delivery.as_ref().map(|d| sure(&d.lag, "p99", d.lag.p99, 100))
    }),
    ("lost", |step| {
        let found = step.delivery.as_ref()?;
        Some(format!("{}\nof {}", grouped(found.lost), grouped(found.expected)))
    }),
    ("duplicated", |step| Some(grouped(step.delivery.as_ref()?.duplicated))),
    ("not in the store", |step| {
        let found = step.stored.as_ref()?;
        Some(format!("{}\nof {}", grouped(found.missing), grouped(found.expected)))
    }),
    ("CPU time for each acknowledged operation", cpu),
    ("processors busy", busy),
    ("bytes written for each acknowledged operation", |step| {
        let per_op = step.cost.as_ref()?.bytes_per_op?;
        Some(bytes(i64::try_from(per_op).unwrap_or(i64::MAX)))
    }),
];

fn numbers(columns: &[Column<'_>]) -> Table {
    let mut table = by_system("What was measured, with 95 % intervals", columns);
    for (name, read) in ROWS {
        let values: Vec<_> = columns.iter().map(|(_, step)| read(step)).collect();
        // Only searches have a capacity, and nothing else of this.
        let search = columns.iter().any(|(_, step)| step.verb == "search");
        if search == (name == "capacity") {
            table.row(name, values.into_iter().map(or_no_data).collect());
        }
    }
    let mut names: Vec<&String> =
        columns.iter().flat_map(|(cell, _)| cell.settings.keys()).collect();
    names.sort_unstable();
    names.dedup();
    // All of them are among the conditions.
    let bears = |name: &&String| BEARING.iter().any(|end| name.ends_with(end));
    for name in names.into_iter().filter(bears) {
        let value = |(cell, _): &Column<'_>| cell.settings.get(name).cloned();
        let none = || "–".to_owned();
        table.row(name, columns.iter().map(|column| value(column).unwrap_or_else(none)).collect());
    }
    table
}

/// Settings without which the numbers cannot be compared, by the end of their
/// names: when a write is durable, and how much may be under way.
const BEARING: [&str; 6] =
    ["fsync", "synchronous_commit", "full_page_writes", "sync_always", " pool", "shared_buffers"];

/// `12.3 ms`, and its interval below it.
fn sure(of: &Summary, statistic: &str, value: Option<Nanos>, wanted: u64) -> String {
    let text = percentile(value, of, wanted);
    let range = of.interval.as_ref().and_then(|found| found.get(statistic));
    match range {
        Some(range) => format!("{text}\n{} to {}", range.low, range.high),
        None if value.is_some() => format!("{text}\nno interval"),
        None => text,
    }
}

fn acknowledged(step: &StepMeasurements) -> Option<String> {
    let ops = step.ops.as_ref().filter(|ops| ops.recorded > 0)?;
    let rest =
        [(ops.failed, "failed"), (ops.indeterminate, "in doubt"), (ops.missed, "never sent")];
    let rest = rest.iter().filter(|(count, _)| *count > 0);
    let rest: Vec<_> = rest.map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
    let rest = if rest.is_empty() { String::new() } else { format!("\n{}", rest.join(", ")) };
    let of = ops.scheduled.unwrap_or(ops.recorded);
    Some(format!("{} of {}{rest}", grouped(ops.ok), grouped(of)))
}

/// What a search found.
fn capacity(step: &StepMeasurements) -> Option<String> {
    let found = &step.capacity.as_ref()?.found;
    let rate = |of: Option<f64>| of.map(|rate| format!("{}/s", significant(rate)));
    let held = rate(found.held).unwrap_or_else(|| "none".to_owned());
    let broke = rate(found.broke).unwrap_or_else(|| "none".to_owned());
    Some(format!("{held} held\n{broke} broke"))
}

/// CPU time, or why it is not known.
fn cpu(step: &StepMeasurements) -> Option<String> {
    let cost = step.cost.as_ref()?;
    if !cost.unknown.is_empty() {
        return Some(format!("{NO_DATA}\n{} ended", cost.unknown.join(", ")));
    }
    Some(cost.cpu_per_op?.to_string())
}

/// How many processors the system kept busy, and how many at rest.
fn busy(step: &StepMeasurements) -> Option<String> {
    let cost = step.cost.as_ref()?;
    let rest = cost.rest_cores.map(|rest| format!("\n{} at rest", significant(rest)));
    Some(format!("{}{}", significant(cost.cores?), rest.unwrap_or_default()))
}

/// A row for each process that any of the systems has, the busiest first.
fn processes(columns: &[Column<'_>]) -> Table {
    let mut table =
        by_system("CPU time and bytes for each acknowledged operation, by process", columns);
    let shares = |step: &StepMeasurements| {
        let ok = step.ops.as_ref().map_or(0, |ops| ops.ok);
        let cost = step.cost.as_ref().filter(|_| ok > 0);
        (cost.map(|cost| cost.processes.clone()).unwrap_or_default(), ok)
    };
    let all: Vec<_> = columns.iter().map(|(_, step)| shares(step)).collect();
    let mut names: Vec<&str> = all.iter().flat_map(|(of, _)| of).map(|s| s.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let found = |of: &(Vec<Share>, u64), name: &str| {
        of.0.iter().find(|share| share.name == name).map(|share| (share.clone(), of.1))
    };
    let most = |name: &&str| {
        let each = all.iter().filter_map(|of| found(of, name));
        std::cmp::Reverse(each.map(|(share, ok)| per(share.cpu, ok)).max())
    };
    names.sort_by_key(most);
    for name in names {
        let cell = |(share, ok): (Share, u64)| {
            let written = share.written.map(|n| i64::try_from(n / ok).unwrap_or(i64::MAX));
            let written = written.map(|each| format!("\n{}", bytes(each))).unwrap_or_default();
            format!("{}{written}", per(share.cpu, ok))
        };
        let cells = all.iter().map(|of| found(of, name).map_or_else(|| "–".to_owned(), cell));
        table.row(name, cells.collect());
    }
    table
}

/// What of `length` each of `count` took.
fn per(length: Nanos, count: u64) -> Nanos {
    Nanos(length.0 / i64::try_from(count).unwrap_or(i64::MAX).max(1))
}

/// A row for each claim.
fn verdicts(judged: &Judged, columns: &[Column<'_>]) -> Table {
    let mut table = by_system("Verdicts", columns);
    let record = &judged.record;
    for claim in &judged.claims {
        let of = |cell: &CellRecord| {
            let found = record.verdicts.iter().find(|v| v.claim == claim.id && v.cell == cell.id);
            let Some(verdict) = found else { return NO_DATA.to_owned() };
            let surprise = if verdict.as_expected() { "" } else { "\nnot as expected" };
            format!("{} {}{surprise}", verdicts::symbol(verdict.verdict), verdict.verdict)
        };
        table.row(&claim.id, columns.iter().map(|(cell, _)| of(cell)).collect());
    }
    table
}

/// A row for every two systems and latency.
fn differences(pairs: &[Pair]) -> Table {
    let head = ["", "difference", "95 % interval", "ratio", "what is shown"];
    let mut table = Table::new("Differences between the systems", &head);
    for pair in pairs {
        for latency in &pair.latencies {
            let what = if latency.latency == "delivery.lag" { "lag" } else { "response" };
            let name = format!("{} less {}: {what}, {}", pair.b, pair.a, latency.statistic);
            table.row(name, difference(pair, latency));
        }
    }
    table
}

fn difference(pair: &Pair, latency: &LatencyComparison) -> Vec<String> {
    let by = signed(latency.difference);
    let Some(found) = &latency.found else {
        let none = "too few independent samples";
        return vec![by, NO_DATA.to_owned(), NO_DATA.to_owned(), none.to_owned()];
    };
    let shown = match found.direction {
        _ if !pair.conditions.is_empty() => "nothing: the machine\nwas not alike".to_owned(),
        Direction::Slower => format!("{} is slower", pair.b),
        Direction::Faster => format!("{} is faster", pair.b),
        Direction::NoneShown => "nothing: the interval\nholds 0".to_owned(),
    };
    let interval = format!("{} to {}", signed(found.interval.low), signed(found.interval.high));
    let ratio = found.ratio.map(|ratio| match found.ratio_interval {
        Some((low, high)) => {
            format!("{}\n{} to {}", significant(ratio), significant(low), significant(high))
        }
        None => significant(ratio),
    });
    vec![by, interval, or_no_data(ratio), shown]
}

/// Why nothing is said of two systems; none if it is.
fn unlike(pair: &Pair) -> Option<String> {
    let each = pair.conditions.iter().map(|c| format!("{}: {} and {}", c.what, c.a, c.b));
    let each: Vec<_> = each.collect();
    (!each.is_empty()).then(|| {
        format!(
            "The machine was not alike while {} and {} ran ({}): any difference between them may be its doing. \
             Run them again on a machine that does nothing else.",
            pair.a,
            pair.b,
            each.join("; ")
        )
    })
}

/// `+1.20 ms`.
fn signed(length: Nanos) -> String {
    if length.0 > 0 { format!("+{length}") } else { length.to_string() }
}

/// What `cell`'s system cannot do, and with which defects it was built.
fn findings(cell: &CellRecord) -> String {
    let cannot: Vec<_> = cell.differences.iter().map(|name| inability(name)).collect();
    let mut text = match cannot.is_empty() {
        true => "Declares that it does everything that the common interface has.".to_owned(),
        false => format!("Declares that {}.", cannot.join("; ")),
    };
    match cell.defects.len() {
        0 => text.push_str(" Built without any of the origin's defects."),
        n => text.push_str(&format!(
            " Built with {n} of the origin's defects: {}.",
            cell.defects.iter().map(|name| spaced(name)).collect::<Vec<_>>().join(", ")
        )),
    }
    text
}

/// What a system cannot do, in words.
fn inability(difference: &str) -> String {
    match difference {
        "noTransaction" => "several writes cannot be made one",
        "noQuery" => "every query but by code reads everything",
        "noPage" => "lists come whole, whatever limit is asked for",
        "noPrecondition" => "an update or a delete cannot be made to depend on a state",
        "oneRefusal" => "refusals cannot be told apart",
        "noRules" => "nothing that is not valid is refused",
        "positionsExpire" => "after a while, changes cannot be read from an old position any more",
        other => return spaced(other),
    }
    .to_owned()
}

/// `alwaysValid` as `always valid`.
fn spaced(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The 99th percentiles of all systems on one axis.
fn figure(columns: &[Column<'_>]) -> Result<Option<Figure>, PlotError> {
    let mut dots = Vec::new();
    let mut said = Vec::new();
    for (row, (cell, step)) in columns.iter().enumerate() {
        let lag = step.delivery.as_ref().map(|found| &found.lag);
        for (series, what, of) in [(0, "response", Some(&step.response.all)), (1, "lag", lag)] {
            let Some((of, value)) = of.and_then(|of| Some((of, of.p99?))) else { continue };
            let range = of.interval.as_ref().and_then(|found| found.p99);
            dots.push(Dot { row, series, value, range });
            said.push(format!("{} {what} {value}", cell.system));
        }
    }
    if dots.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = columns.iter().map(|(cell, _)| cell.system.as_str()).collect();
    let has = |series| dots.iter().any(|dot| dot.series == series);
    let legend = [(0, "s1", "response"), (1, "s2", "lag to the subscriber")];
    let legend = legend.into_iter().filter(|(series, ..)| has(*series));
    Ok(Some(Figure {
        title: "99 of 100 writes within".into(),
        description: format!("99th percentiles by system: {}.", said.join(", ")),
        caption: "Dots are responses, triangles lags to the subscriber; lines are 95 % intervals of the 99th \
                  percentile. One that is missing has too few independent samples."
            .into(),
        legend: legend.map(|(_, class, what)| (class, what.to_owned())).collect(),
        plot: plot::dots(&names, &dots)?,
    }))
}

//! What the servers did: a table, and plots over the time of a cell.

use kab_verdict::server::{Between, Line, Observed, OverTime, Process, Servers};
use kab_verdict::value::{bytes, grouped, percent, significant};
use kab_verdict::{CellMeasurements, Nanos};

use super::{CellPair, Figure, NO_DATA, Table, cell_name};
use crate::plot::{self, PlotError, Unit};

/// What the servers of one cell did.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSection {
    /// Of which cell.
    pub title: String,
    /// In numbers, by step.
    pub table: Table,
    /// Over time.
    pub figures: Vec<Figure>,
}

/// Of every cell of which there are series.
pub(super) fn servers<'a>(
    cells: impl Iterator<Item = CellPair<'a>>,
) -> Result<Vec<ServerSection>, PlotError> {
    let mut sections = Vec::new();
    for (cell, measured) in cells {
        let time = measured.servers_over_time.as_ref();
        let figures = time.map(figures).transpose()?.unwrap_or_default();
        let table = table(measured);
        if !table.rows.is_empty() || !figures.is_empty() {
            sections.push(ServerSection { title: cell_name(cell), table, figures });
        }
    }
    Ok(sections)
}

/// Reads one value of a stretch of time, as text.
type Cell = Box<dyn Fn(&Servers) -> Option<String>>;

/// Finds a process in a stretch of time.
type Find = fn(&Servers) -> Option<&Process>;

/// Reads one value of something, as text.
type Read<T> = fn(&T) -> Option<String>;

fn table(measured: &CellMeasurements) -> Table {
    let steps = measured.steps.iter().filter(|step| step.servers.is_some());
    let steps: Vec<_> = steps.map(|step| (step.name.as_str(), step.servers.as_ref())).collect();
    let whole = [("all steps", measured.servers.as_ref())];
    let columns: Vec<_> = whole.into_iter().chain(steps).collect();
    let head: Vec<&str> =
        std::iter::once("").chain(columns.iter().map(|(name, _)| *name)).collect();
    let mut table = Table::new("The servers, in each step", &head);
    for (name, cell) in rows() {
        let values: Vec<_> = columns.iter().map(|(_, of)| of.and_then(&cell)).collect();
        if values.iter().any(Option::is_some) {
            let shown = values.into_iter().map(|v| v.unwrap_or_else(|| NO_DATA.to_owned()));
            table.row(name, shown.collect());
        }
    }
    table
}

fn rows() -> Vec<(String, Cell)> {
    let mut rows: Vec<(String, Cell)> = Vec::new();
    let of_process: [(&str, Find); 2] =
        [("apiserver", |of| of.apiserver.as_ref()), ("etcd", |of| of.etcd.as_ref())];
    let process: [(&str, Read<Process>); 7] = [
        ("CPU time", |p| Some(p.cpu.to_string())),
        ("CPU time for each acknowledged operation", |p| p.cpu_per_ok.map(|c| c.to_string())),
        ("mean processors busy", |p| Some(significant(p.cores))),
        ("most memory resident", |p| Some(size(p.resident_peak))),
        ("most files and sockets open", |p| Some(grouped(p.open_files_peak))),
        ("most goroutines", |p| p.goroutines_peak.map(grouped)),
        ("written to the disk", |p| p.written.map(size)),
    ];
    for (name, of) in of_process {
        for (what, value) in process {
            rows.push((format!("{name}: {what}"), Box::new(move |s| of(s).and_then(value))));
        }
    }
    let other: [(&str, Read<Servers>); 30] = [
        ("requests for resources", |s| s.requests.as_ref().map(|r| grouped(r.total))),
        ("requests answered with 429", |s| s.requests.as_ref().map(|r| grouped(r.too_many))),
        ("requests answered with 5xx", |s| s.requests.as_ref().map(|r| grouped(r.server_errors))),
        ("writes inside the apiserver, p50", |s| p50(s.requests.as_ref()?.writes.as_ref())),
        ("writes inside the apiserver, p99", |s| p99(s.requests.as_ref()?.writes.as_ref())),
        ("priority and fairness: let through", |s| s.apf.as_ref().map(|a| grouped(a.dispatched))),
        ("priority and fairness: turned away", |s| s.apf.as_ref().map(|a| grouped(a.rejected))),
        ("priority and fairness: most queued", |s| s.apf.as_ref().map(|a| grouped(a.queue_peak))),
        ("priority and fairness: most seats taken", |s| {
            s.apf.as_ref().map(|a| grouped(a.seats_peak))
        }),
        ("priority and fairness: wait, p99", |s| p99(s.apf.as_ref()?.wait.as_ref())),
        ("admission webhook, p50", |s| p50(Some(&s.webhook.as_ref()?.duration))),
        ("admission webhook, p99", |s| p99(Some(&s.webhook.as_ref()?.duration))),
        ("admission webhook: refused", |s| s.webhook.as_ref().map(|w| grouped(w.rejected))),
        ("admission webhook: failed, let through", |s| {
            s.webhook.as_ref().map(|w| grouped(w.failed_open))
        }),
        ("requests to etcd, p50", |s| p50(s.etcd_requests.as_ref())),
        ("requests to etcd, p99", |s| p99(s.etcd_requests.as_ref())),
        ("etcd log synced", |s| {
            s.wal_fsync.as_ref().map(|o| format!("{} times", grouped(o.count)))
        }),
        ("etcd log sync, p50", |s| p50(s.wal_fsync.as_ref())),
        ("etcd log sync, p99", |s| p99(s.wal_fsync.as_ref())),
        ("etcd database commit, p99", |s| p99(s.backend_commit.as_ref())),
        ("etcd database at the end", |s| s.db.as_ref().map(|d| size(d.size))),
        ("etcd database grew by", |s| s.db.as_ref().map(|d| bytes(d.growth))),
        ("etcd database in use grew by", |s| s.db.as_ref().map(|d| bytes(d.in_use_growth))),
        ("etcd quota used at the end", |s| s.db.as_ref()?.quota_used.map(percent)),
        ("most watches open", |s| s.watch.as_ref().map(|w| grouped(w.open_peak))),
        ("watches ended because too slow", |s| s.watch.as_ref().map(|w| grouped(w.terminated))),
        ("watch events sent", |s| s.watch.as_ref().map(|w| grouped(w.events_sent))),
        ("watch cache: events taken in", |s| s.watch.as_ref().map(|w| grouped(w.events_received))),
        ("watch cache: filled anew", |s| s.watch.as_ref().map(|w| grouped(w.initializations))),
        ("scrapes: answered, failed", |s| {
            let scrapes = &s.scrapes;
            let answered = scrapes.apiserver + scrapes.etcd;
            Some(format!("{}, {}", grouped(answered), grouped(scrapes.failed)))
        }),
    ];
    rows.extend(other.into_iter().map(|(name, of)| (name.to_owned(), Box::new(of) as Cell)));
    rows.push((
        "scrapes: kab's CPU time for reading them".to_owned(),
        Box::new(|s| s.scrapes.cpu.map(|cpu| cpu.to_string())),
    ));
    rows
}

fn size(count: u64) -> String {
    bytes(i64::try_from(count).unwrap_or(i64::MAX))
}

fn p50(of: Option<&Observed>) -> Option<String> {
    of.map(|of| of.p50.map_or_else(|| "n < 2".to_owned(), between))
}

fn p99(of: Option<&Observed>) -> Option<String> {
    of.map(|of| of.p99.map_or_else(|| "n < 100".to_owned(), between))
}

/// `2 ms to 4 ms`.
fn between(of: Between) -> String {
    match of.at_most {
        Some(most) => format!("{} to {most}", of.above),
        None => format!("over {}", of.above),
    }
}

fn figures(time: &OverTime) -> Result<Vec<Figure>, PlotError> {
    let all: [(&str, &[Line], Unit, &str, &str); 6] = [
        (
            "Processors busy",
            &time.cpu,
            Unit::Number,
            "processors",
            "CPU time between one reading and the next, user and system, from /proc.",
        ),
        ("Memory", &time.memory, Unit::Bytes, "resident", "Resident memory, from /proc."),
        (
            "Priority and fairness",
            &time.apf,
            Unit::Number,
            "seats or requests",
            "Over all priority levels but exempt. What came and went between two readings is only in the \
             most that was asked for, which the apiserver keeps for 10 s.",
        ),
        (
            "etcd's disk, 99th percentile",
            &time.disk,
            Unit::Seconds,
            "at most",
            "Upper edge of the bucket in which the 99th percentile of the stretch between two readings lies; \
             only where that had 100 observations.",
        ),
        (
            "etcd's database",
            &time.db,
            Unit::Bytes,
            "size",
            "Size on disk never shrinks without a defragmentation; in use is what one would keep.",
        ),
        (
            "Watch events",
            &time.watch,
            Unit::Number,
            "events a second",
            "What the watch cache took in from etcd, and what was sent to all watchers together.",
        ),
    ];
    let mut figures = Vec::new();
    for (title, lines, unit, axis, caption) in all {
        let lines = fewer(lines, unit);
        if lines.is_empty() {
            continue;
        }
        let mut legend: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(i, line)| (plot::line_class(i), line.name.clone()))
            .collect();
        if !time.gaps.is_empty() {
            legend.push(("bad", "a server did not answer".to_owned()));
        }
        figures.push(Figure {
            title: title.to_owned(),
            description: format!("{title} over time: {}.", peaks(&lines, unit).join(", ")),
            caption: format!("{caption} Upright lines are where steps begin."),
            legend,
            plot: plot::lines(time, &lines, unit, axis)?,
        });
    }
    Ok(figures)
}

/// The lines that fit: the servers and kab, then those with the highest peaks,
/// and the rest of them added up.
fn fewer(lines: &[Line], unit: Unit) -> Vec<Line> {
    let mut lines = lines.to_vec();
    // In this order, so that a process has one colour in all plots.
    let first = ["kube-apiserver", "etcd", "kab"];
    let rank = |line: &Line| first.iter().position(|name| *name == line.name);
    if lines.iter().any(|line| rank(line).is_some()) {
        let place = |line: &Line| rank(line).unwrap_or(first.len());
        lines.sort_by(|a, b| place(a).cmp(&place(b)).then(peak(b).total_cmp(&peak(a))));
    }
    if lines.len() <= plot::MOST || unit == Unit::Seconds {
        lines.truncate(plot::MOST);
        return lines;
    }
    let rest = lines.split_off(plot::MOST - 1);
    // All of them are read in one go, so their times are the same.
    let mut sum: std::collections::BTreeMap<Nanos, f64> = std::collections::BTreeMap::new();
    for (at, value) in rest.iter().flat_map(|line| &line.points) {
        *sum.entry(*at).or_default() += value;
    }
    let name = format!("{} others, added up", rest.len());
    lines.push(Line { name, points: sum.into_iter().collect() });
    lines
}

fn peak(line: &Line) -> f64 {
    line.points.iter().map(|(_, value)| *value).fold(0.0, f64::max)
}

fn peaks(lines: &[Line], unit: Unit) -> Vec<String> {
    let text = |value: f64| match unit {
        Unit::Number => significant(value),
        Unit::Seconds => Nanos::from_seconds(value).to_string(),
        Unit::Bytes => size(Nanos::from_seconds(value / 1e9).0.unsigned_abs()),
    };
    lines.iter().map(|line| format!("{} at most {}", line.name, text(peak(line)))).collect()
}

//! What the servers did over the time of a cell, small enough to plot.

use kab_evidence::clock::Mono;
use kab_evidence::record::CellRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::observed::observed;
use super::series::{AllSeries, Labels, Span};
use super::{APISERVER, ETCD};
use crate::value::Nanos;

/// At most so many points a line.
const POINTS: usize = 240;

/// Rates are taken over at least so many seconds: the kernel counts CPU time
/// in hundredths of one.
const SHORTEST: f64 = 0.25;

/// The servers and the other processes of a cell over its time, which begins
/// with its first step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverTime {
    /// The steps.
    pub steps: Vec<StepSpan>,
    /// When a server did not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Processors busy, by process.
    pub cpu: Vec<Line>,
    /// Resident memory in bytes, by process.
    pub memory: Vec<Line>,
    /// Seats taken, requests queued and seats there are, over all levels of
    /// priority and fairness but `exempt`.
    pub apf: Vec<Line>,
    /// What the 99th percentile of etcd's fsyncs and commits was at most, in
    /// seconds, between one scrape and the next.
    pub disk: Vec<Line>,
    /// etcd's database in bytes: on disk, and in use.
    pub db: Vec<Line>,
    /// Watch events a second that the cache took in, and that were sent.
    pub watch: Vec<Line>,
}

/// When a step ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepSpan {
    /// Its name.
    pub name: String,
    /// When it began.
    pub from: Nanos,
    /// When it ended; none if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Nanos>,
}

/// A stretch in which a server did not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// Which.
    pub of: String,
    /// The first scrape that brought nothing.
    pub from: Nanos,
    /// The first that brought something again; none if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Nanos>,
}

/// One line of a plot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What it is of.
    pub name: String,
    /// Its points by time, in the unit of the plot.
    pub points: Vec<(Nanos, f64)>,
}

/// What `all` says over the time of `cell`; none without series or steps.
pub fn over_time(all: &AllSeries, cell: &CellRecord) -> Option<OverTime> {
    let start = cell.steps.first()?.started;
    if all.is_empty() {
        return None;
    }
    let since = |at: Mono| Nanos(at.signed_since(start));
    let steps = cell.steps.iter().map(|step| StepSpan {
        name: step.name.clone(),
        from: since(step.started),
        to: step.ended.map(since),
    });
    let from = Plotter { all, start };
    let processes = || all.all_of().filter(|of| *of != "host");
    Some(OverTime {
        steps: steps.collect(),
        gaps: from.gaps(),
        cpu: lines(processes().map(|of| from.rate(of, of, "cpu_seconds_total"))),
        memory: lines(processes().map(|of| from.gauge(of, of, "resident_bytes", |_| true))),
        apf: from.apf(),
        disk: lines([
            from.p99("log synced", "etcd_disk_wal_fsync_duration_seconds"),
            from.p99("database committed", "etcd_disk_backend_commit_duration_seconds"),
        ]),
        db: lines([
            from.gauge("on disk", ETCD, "etcd_mvcc_db_total_size_in_bytes", |_| true),
            from.gauge("in use", ETCD, "etcd_mvcc_db_total_size_in_use_in_bytes", |_| true),
        ]),
        watch: lines([
            from.rate("sent to watchers", APISERVER, "apiserver_watch_events_total"),
            from.rate(
                "taken in from etcd",
                APISERVER,
                "apiserver_watch_cache_events_received_total",
            ),
        ]),
    })
}

/// Lines that have something to show.
fn lines(of: impl IntoIterator<Item = Line>) -> Vec<Line> {
    of.into_iter().filter(|line| !line.points.is_empty()).collect()
}

struct Plotter<'a> {
    all: &'a AllSeries,
    start: Mono,
}

impl Plotter<'_> {
    fn line(&self, name: &str, points: impl IntoIterator<Item = (Mono, f64)>) -> Line {
        let since = |at: Mono| Nanos(at.signed_since(self.start));
        let points: Vec<_> = points.into_iter().map(|(at, value)| (since(at), value)).collect();
        Line { name: name.to_owned(), points }
    }

    /// The moments at which values of `of` are known: its answers to scrapes,
    /// or the kernel's samples of it.
    fn moments(&self, of: &str, metric: &str) -> Vec<Mono> {
        let scraped: Vec<Mono> =
            self.all.scrapes(of).filter(|(_, up)| *up).map(|(at, _)| at).collect();
        let sampled = metric == "cpu_seconds_total" || metric == "resident_bytes";
        if sampled || scraped.is_empty() {
            let series = self.all.get(of, metric).first();
            return series
                .map(|series| series.points.iter().map(|reading| reading.at).collect())
                .unwrap_or_default();
        }
        scraped
    }

    /// As many moments as are plotted, the first and the last among them.
    fn few(&self, of: &str, metric: &str) -> Vec<Mono> {
        let moments = self.moments(of, metric);
        let stride = moments.len().div_ceil(POINTS).max(1);
        let last = moments.last().copied();
        let mut few: Vec<Mono> = moments.into_iter().step_by(stride).collect();
        few.extend(last.filter(|last| few.last() != Some(last)));
        few
    }

    fn gauge(&self, name: &str, of: &str, metric: &str, wanted: fn(&Labels) -> bool) -> Line {
        let series = self.all.get(of, metric);
        let at = |at: Mono| {
            let wanted = series.iter().filter(|series| wanted(&series.labels));
            let known: Vec<f64> = wanted.filter_map(|series| Some(series.at(at)?.value)).collect();
            (!known.is_empty()).then(|| (at, known.iter().sum()))
        };
        self.line(name, self.few(of, metric).into_iter().filter_map(at))
    }

    /// Growth a second between one moment and the next.
    fn rate(&self, name: &str, of: &str, metric: &str) -> Line {
        let mut moments = self.few(of, metric);
        moments.dedup_by(|b, a| Span { from: *a, to: *b }.seconds() < SHORTEST);
        let rate = |pair: &[Mono]| {
            let span = Span { from: pair[0], to: pair[1] };
            let grown = self.all.growth(of, metric, span, |_| true)?;
            // Another process begins again from 0.
            (grown >= 0.0).then(|| (span.to, grown / span.seconds()))
        };
        self.line(name, moments.windows(2).filter_map(rate))
    }

    fn p99(&self, name: &str, metric: &str) -> Line {
        let moments = self.few(ETCD, metric);
        let at = |pair: &[Mono]| {
            let span = Span { from: pair[0], to: pair[1] };
            let found = observed(self.all, ETCD, metric, span, |_| true)?;
            Some((span.to, found.p99?.at_most?.seconds()))
        };
        self.line(name, moments.windows(2).filter_map(at))
    }

    fn apf(&self) -> Vec<Line> {
        fn limited(labels: &Labels) -> bool {
            labels.get("priority_level").is_some_and(|level| level != "exempt")
        }
        let gauge = |name: &str, metric: &str| {
            let metric = format!("apiserver_flowcontrol_{metric}");
            self.gauge(name, APISERVER, &metric, limited)
        };
        lines([
            gauge("seats taken", "current_executing_seats"),
            gauge("requests queued", "current_inqueue_requests"),
            gauge("most seats asked for within 10 s", "demand_seats_high_watermark"),
        ])
    }

    fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for of in [APISERVER, ETCD] {
            let mut open: Option<Gap> = None;
            for (at, up) in self.all.scrapes(of) {
                let at = Nanos(at.signed_since(self.start));
                match (&mut open, up) {
                    (None, false) => open = Some(Gap { of: of.to_owned(), from: at, to: None }),
                    (Some(gap), true) => {
                        gap.to = Some(at);
                        gaps.extend(open.take());
                    }
                    _ => {}
                }
            }
            gaps.extend(open);
        }
        gaps
    }
}

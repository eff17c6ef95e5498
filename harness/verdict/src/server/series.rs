//! The series of a cell, and what they say of a stretch of time.

use std::collections::BTreeMap;
use std::path::Path;

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::{self, JsonlError};
use kab_evidence::series::{Buckets, Sample, UP};

/// How far outside a stretch of time a reading may lie to stand for its
/// beginning or end: five times the scraper's period.
const SLACK: u64 = 10_000_000_000;

/// Labels of a series.
pub type Labels = BTreeMap<String, String>;

/// All series of a cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AllSeries(BTreeMap<String, BTreeMap<String, Vec<Series>>>);

/// One series, in the order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// What tells it from others of its metric.
    pub labels: Labels,
    /// Its readings; each holds until the next.
    pub points: Vec<Reading>,
}

/// One reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// When.
    pub at: Mono,
    /// What.
    pub value: f64,
    /// The rest of a histogram.
    pub buckets: Option<Buckets>,
}

/// A stretch of time of which both ends were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The last reading before it began.
    pub from: Mono,
    /// The first after it ended.
    pub to: Mono,
}

impl Span {
    /// Its length in seconds.
    pub fn seconds(self) -> f64 {
        self.to.since(self.from).as_secs_f64()
    }
}

/// What a process used in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Usage {
    /// So much.
    Known(Used),
    /// It was not there: it had ended before, or began after.
    Absent,
    /// It was there, but it ended or began anew in between: what it used since
    /// it was last read is lost.
    Unknown,
}

/// By how much a counter grew, and between which readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// By so much.
    pub grown: f64,
    /// The readings that stand for beginning and end.
    pub span: Span,
}

impl Series {
    /// The reading that holds at `at`.
    pub fn at(&self, at: Mono) -> Option<&Reading> {
        let after = self.points.partition_point(|reading| reading.at <= at);
        self.points[..after].last()
    }

    /// The readings from the one that holds at the beginning of `span` to its end.
    fn within(&self, span: Span) -> &[Reading] {
        let after = self.points.partition_point(|reading| reading.at <= span.to);
        let upto = &self.points[..after];
        let before = upto.partition_point(|reading| reading.at <= span.from);
        &upto[before.saturating_sub(1)..]
    }
}

impl AllSeries {
    /// Reads the series in `path`; whether the last line was cut off.
    ///
    /// # Errors
    /// If the file cannot be read, or is no evidence.
    pub fn read(path: &Path) -> Result<(Self, bool), JsonlError> {
        let mut all = Self::default();
        let truncated = jsonl::for_each(path, |sample| all.add(sample))?;
        all.in_order();
        Ok((all, truncated))
    }

    /// The series that `samples` make.
    pub fn of(samples: impl IntoIterator<Item = Sample>) -> Self {
        let mut all = Self::default();
        samples.into_iter().for_each(|sample| all.add(sample));
        all.in_order();
        all
    }

    fn add(&mut self, sample: Sample) {
        let reading = Reading { at: sample.at, value: sample.value, buckets: sample.histogram };
        let found = self.0.entry(sample.of).or_default().entry(sample.metric).or_default();
        match found.iter_mut().find(|series| series.labels == sample.labels) {
            Some(series) => series.points.push(reading),
            None => found.push(Series { labels: sample.labels, points: vec![reading] }),
        }
    }

    /// Several threads write, so lines of one moment may follow a later one's.
    fn in_order(&mut self) {
        let series = self.0.values_mut().flat_map(BTreeMap::values_mut).flatten();
        series.for_each(|series| series.points.sort_by_key(|reading| reading.at));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The processes, and the host.
    pub fn all_of(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Every series of `metric` of `of`.
    pub fn get(&self, of: &str, metric: &str) -> &[Series] {
        self.0.get(of).and_then(|metrics| metrics.get(metric)).map_or(&[], Vec::as_slice)
    }

    /// When `of` answered a scrape (`true`), and when it did not.
    pub fn scrapes(&self, of: &str) -> impl Iterator<Item = (Mono, bool)> {
        let up = self.get(of, UP).first().map_or(&[][..], |series| &series.points);
        up.iter().map(|reading| (reading.at, reading.value > 0.0))
    }

    /// `from` to `to` as scrapes of `of` cover it; none if an end was not
    /// read, or if it was another process at the end: what the first had
    /// counted since the last scrape is lost then.
    pub fn scraped(&self, of: &str, from: Mono, to: Mono) -> Option<Span> {
        let good: Vec<Mono> = self.scrapes(of).filter(|(_, up)| *up).map(|(at, _)| at).collect();
        let span = covered(&good, from, to)?;
        let starts = self.get(of, "process_start_time_seconds").first()?.within(span);
        starts.iter().all(|reading| reading.value == starts[0].value).then_some(span)
    }

    /// `from` to `to` as the kernel's numbers of process `of` cover it; none
    /// if an end was not read, or if it was another process at the end.
    pub fn sampled(&self, of: &str, from: Mono, to: Mono) -> Option<Span> {
        let series = self.get(of, "cpu_seconds_total").first()?;
        let read: Vec<Mono> = series.points.iter().map(|reading| reading.at).collect();
        let span = covered(&read, from, to)?;
        series.within(span).is_sorted_by(|a, b| a.value <= b.value).then_some(span)
    }

    /// By how much the kernel's counter `metric` of process `of` grew from
    /// `from` to `to`. A process that began in between had used nothing before.
    pub fn usage(&self, of: &str, metric: &str, from: Mono, to: Mono) -> Usage {
        let points = self.get(of, metric).first().map_or(&[][..], |series| &series.points);
        let before = points.partition_point(|reading| reading.at <= from).checked_sub(1);
        let after = points.partition_point(|reading| reading.at < to);
        let begun = points.first().is_some_and(|first| first.at < to);
        let lived = points.last().is_some_and(|last| last.at > from);
        if !begun || !lived {
            return Usage::Absent;
        }
        let Some(last) = points.get(after).filter(|last| near(to, last.at)) else {
            return Usage::Unknown;
        };
        let first = before.map(|index| &points[index]);
        if first.is_some_and(|first| !near(first.at, from)) {
            return Usage::Unknown;
        }
        let read = &points[before.unwrap_or(0)..=after];
        if !read.is_sorted_by(|a, b| a.value <= b.value) {
            return Usage::Unknown;
        }
        let grown = last.value - first.map_or(0.0, |first| first.value);
        let span = Span { from: first.map_or(from, |first| first.at), to: last.at };
        Usage::Known(Used { grown, span })
    }

    /// By how much the counters `metric` of `of` grew together, as far as
    /// `wanted` says. A counter that was not there yet was 0. None if there is
    /// no such metric at all.
    pub fn growth(
        &self,
        of: &str,
        metric: &str,
        span: Span,
        wanted: impl Fn(&Labels) -> bool,
    ) -> Option<f64> {
        let value = |series: &Series, at| series.at(at).map_or(0.0, |reading| reading.value);
        let series = Some(self.get(of, metric)).filter(|series| !series.is_empty())?;
        let wanted = series.iter().filter(|series| wanted(&series.labels));
        Some(wanted.map(|series| value(series, span.to) - value(series, span.from)).sum())
    }

    /// The sum of the gauges `metric` of `of`, as far as `wanted` says, at
    /// every reading within `span`.
    pub fn sums(
        &self,
        of: &str,
        metric: &str,
        span: Span,
        wanted: impl Fn(&Labels) -> bool,
    ) -> Vec<(Mono, f64)> {
        let series: Vec<&Series> =
            self.get(of, metric).iter().filter(|series| wanted(&series.labels)).collect();
        let mut times: Vec<Mono> = series
            .iter()
            .flat_map(|series| series.within(span).iter().map(|reading| reading.at))
            .collect();
        times.sort_unstable();
        times.dedup();
        let at = |at: Mono| series.iter().filter_map(|series| Some(series.at(at)?.value)).sum();
        times.into_iter().map(|time| (time, at(time))).collect()
    }

    /// The largest of [`Self::sums`].
    pub fn peak(
        &self,
        of: &str,
        metric: &str,
        span: Span,
        wanted: impl Fn(&Labels) -> bool,
    ) -> Option<f64> {
        self.sums(of, metric, span, wanted).into_iter().map(|(_, value)| value).reduce(f64::max)
    }
}

/// The readings around `from` and `to`, if they are close.
fn covered(read: &[Mono], from: Mono, to: Mono) -> Option<Span> {
    let first = *read[..read.partition_point(|at| *at <= from)].last()?;
    let last = *read[read.partition_point(|at| *at < to)..].first()?;
    (near(first, from) && near(to, last)).then_some(Span { from: first, to: last })
}

/// Whether `b`, which is not before `a`, is close enough to stand for it.
const fn near(a: Mono, b: Mono) -> bool {
    b.nanos() - a.nanos() <= SLACK
}

//! One page of a server's metrics, reduced to what is kept.

use std::collections::{BTreeMap, HashMap};

use kab_evidence::clock::Mono;
use kab_evidence::exposition::{self, BadLine, Line};
use kab_evidence::series::{Buckets, Sample};

use super::table::Kept;

/// What is looked for on a page, by the names that stand on it.
#[derive(Debug)]
pub struct Wanted(HashMap<Vec<u8>, (&'static Kept, Part)>);

/// Which part of a metric a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Value,
    Bucket,
    Sum,
    Count,
}

impl Wanted {
    /// What `table` names.
    pub fn new(table: &'static [Kept]) -> Self {
        let mut names = HashMap::new();
        for kept in table {
            let parts: &[(&str, Part)] = if kept.histogram {
                &[("_bucket", Part::Bucket), ("_sum", Part::Sum), ("_count", Part::Count)]
            } else {
                &[("", Part::Value)]
            };
            for (suffix, part) in parts {
                names.insert(format!("{}{suffix}", kept.name).into_bytes(), (kept, *part));
            }
        }
        Self(names)
    }
}

/// A series: its metric, and the values of the labels that are kept.
type Key = (&'static str, Vec<String>);

/// What is kept of a page.
#[derive(Debug)]
pub struct Page<'w> {
    wanted: &'w Wanted,
    series: BTreeMap<Key, Gathered>,
    /// Lines that are wanted but not of the format, and what was wrong with
    /// the first of them.
    pub bad: Option<(u64, BadLine)>,
}

/// A series under way.
#[derive(Debug)]
struct Gathered {
    kept: &'static Kept,
    value: f64,
    sum: f64,
    buckets: Vec<(f64, f64)>,
}

impl<'w> Page<'w> {
    /// A page on which nothing was read yet.
    pub fn new(wanted: &'w Wanted) -> Self {
        Self { wanted, series: BTreeMap::new(), bad: None }
    }

    /// Whether nothing that is wanted was found.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Reads the next line.
    pub fn line(&mut self, line: &[u8]) {
        let Some((kept, part)) = self.wanted.0.get(exposition::name(line)).copied() else {
            return;
        };
        match exposition::parse(line) {
            Ok(Line::Sample(sample)) => self.sample(kept, part, &sample),
            Ok(_) => {}
            Err(why) => self.bad.get_or_insert((0, why)).0 += 1,
        }
    }

    fn sample(&mut self, kept: &'static Kept, part: Part, sample: &exposition::Sample<'_>) {
        let mut values = vec![String::new(); kept.by.len()];
        let mut bound = None;
        for (label, value) in sample.labels.iter() {
            if let Some(place) = kept.by.iter().position(|by| *by == label) {
                values[place] = value.into_owned();
            } else if part == Part::Bucket && label == "le" {
                bound = value.parse::<f64>().ok();
            }
        }
        let series = self.series.entry((kept.name, values)).or_insert_with(|| Gathered {
            kept,
            value: 0.0,
            sum: 0.0,
            buckets: Vec::new(),
        });
        match part {
            Part::Value | Part::Count => series.value += sample.value,
            Part::Sum => series.sum += sample.value,
            Part::Bucket => {
                let Some(bound) = bound else { return };
                match series.buckets.iter_mut().find(|(at, _)| *at == bound) {
                    Some((_, count)) => *count += sample.value,
                    None => series.buckets.push((bound, sample.value)),
                }
            }
        }
    }
}

/// What was last written of one server's series.
#[derive(Debug, Default)]
pub struct Changes(HashMap<Key, (f64, f64)>);

impl Changes {
    /// The samples of `page` that differ from what was written last. What is
    /// no finite number has no place in JSON, and is left out.
    pub fn of(&mut self, page: Page<'_>, at: Mono, of: &str) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (key, series) in page.series {
            let now = (series.value, series.sum);
            if !(now.0.is_finite() && now.1.is_finite()) || self.0.get(&key) == Some(&now) {
                continue;
            }
            let mut sample = Sample::new(at, of, key.0, series.value);
            let named = series.kept.by.iter().zip(&key.1).filter(|(_, value)| !value.is_empty());
            sample.labels = named.map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
            if series.kept.histogram {
                let buckets = series.buckets.iter().map(|(at, n)| (*at, whole(*n))).collect();
                sample.histogram = Some(Buckets::new(series.sum, buckets, whole(series.value)));
            }
            samples.push(sample);
            self.0.insert(key, now);
        }
        samples
    }

    /// Forgets what was written, so that all is written at the next page.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

/// A count that the text format writes as a number like any other.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(count: f64) -> u64 {
    // `as` goes to the nearest that fits, and to 0 for what is no number.
    count as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Kept] = &[
        Kept { name: "seats", by: &["level"], histogram: false },
        Kept { name: "took_seconds", by: &["verb"], histogram: true },
    ];

    fn page<'w>(wanted: &'w Wanted, text: &str) -> Page<'w> {
        let mut page = Page::new(wanted);
        text.lines().for_each(|line| page.line(line.as_bytes()));
        page
    }

    const TEXT: &str = r#"
# TYPE seats gauge
seats{flow="a",level="low"} 2
seats{flow="b",level="low"} 3
seats{flow="a",level="high"} NaN
seats_of_others 9
took_seconds_bucket{code="200",verb="GET",le="0.1"} 4
took_seconds_bucket{code="200",verb="GET",le="1"} 5
took_seconds_bucket{code="200",verb="GET",le="+Inf"} 6
took_seconds_sum{code="200",verb="GET"} 3.5
took_seconds_count{code="200",verb="GET"} 6
took_seconds_bucket{code="404",verb="GET",le="0.1"} 1
took_seconds_bucket{code="404",verb="GET",le="1"} 1
took_seconds_bucket{code="404",verb="GET",le="+Inf"} 1
took_seconds_sum{code="404",verb="GET"} 0.5
took_seconds_count{code="404",verb="GET"} 1
"#;

    #[test]
    fn labels_that_are_not_kept_are_summed_over() {
        let wanted = Wanted::new(TABLE);
        let at = Mono::from_nanos(7);
        let samples = Changes::default().of(page(&wanted, TEXT), at, "etcd");
        assert_eq!(samples.len(), 2, "{samples:?}");
        assert_eq!((samples[0].value, samples[0].labels["level"].as_str()), (5.0, "low"));
        assert_eq!((samples[1].value, samples[1].metric.as_str()), (7.0, "took_seconds"));
        let buckets = samples[1].histogram.clone().unwrap();
        assert_eq!(buckets, Buckets { sum: 4.0, at_most: vec![(0.1, 5), (1.0, 6)] });
    }

    #[test]
    fn only_what_changed_is_written() {
        let (wanted, mut changes) = (Wanted::new(TABLE), Changes::default());
        let mut written = |text: &str| {
            let samples = changes.of(page(&wanted, text), Mono::from_nanos(1), "etcd");
            samples.into_iter().map(|sample| sample.metric).collect::<Vec<_>>()
        };
        assert_eq!(written(TEXT), ["seats", "took_seconds"]);
        assert_eq!(written(TEXT), Vec::<String>::new());
        assert_eq!(written(&TEXT.replace("level=\"low\"} 3", "level=\"low\"} 4")), ["seats"]);
    }

    #[test]
    fn bad_lines_are_counted_where_they_are_wanted() {
        let wanted = Wanted::new(TABLE);
        let found = page(&wanted, "seats{level=\"low\" 1\nseats one\nothers{ 1\nseats 1");
        assert_eq!(found.bad, Some((2, BadLine::Labels)));
        assert!(!found.is_empty());
        assert_eq!(page(&wanted, TEXT).bad, None);
    }

    #[test]
    fn no_metric_is_kept_twice() {
        for table in [super::super::table::APISERVER, super::super::table::ETCD] {
            let lines: usize = table.iter().map(|kept| if kept.histogram { 3 } else { 1 }).sum();
            assert_eq!(Wanted::new(table).0.len(), lines);
        }
    }
}

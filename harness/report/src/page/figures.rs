//! Plots with their words, and the tables that belong to them.

use kab_evidence::record::CellRecord;
use kab_scenario::model::System;
use kab_verdict::StepMeasurements;
use kab_verdict::distribution::Summary;
use kab_verdict::value::{grouped, percent};
use kab_verdict::waterfall::{Chain, Segment};

use super::{Row, Table, or_no_data, several};
use crate::plot::{self, Plot, PlotError, Whisker};

/// A plot with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// What is to be seen in it, for those who cannot see it.
    pub description: String,
    /// What a reader must know to read it.
    pub caption: String,
    /// Its colours: CSS class, and what it stands for.
    pub legend: Vec<(&'static str, String)>,
    /// The plot.
    pub plot: Plot,
}

/// The distribution of response and service times.
pub(super) fn distribution(step: &StepMeasurements) -> Result<Vec<Figure>, PlotError> {
    let Some(time) = step.timeline.as_ref().filter(|_| step.response.all.count > 0) else {
        return Ok(Vec::new());
    };
    let (response, service) = (&step.response.all, &step.service.all);
    let n = several(response.count, "operation");
    let legend = vec![("s1", "response".to_owned()), ("s2", "service".to_owned())];
    let mut figures = vec![Figure {
        title: "How long operations took".into(),
        description: format!(
            "Histogram of response and service times of {n}: half the responses within {}, the longest {}.",
            or_no_data(response.p50),
            or_no_data(response.max)
        ),
        caption: format!(
            "Over {n}, failed ones included. Response runs from when the operation was due, service from \
             when it was sent; where they part, operations waited in the generator. Each bin is 15 % wider than the one before."
        ),
        legend: legend.clone(),
        plot: plot::histogram(&time.response_bins, &time.service_bins)?,
    }];
    // A curve needs more than a point.
    if time.response_curve.len() > 1 {
        let mut curves = vec![
            ("response", time.response_curve.as_slice()),
            ("service", time.service_curve.as_slice()),
        ];
        let mut legend = legend;
        let mut sure = whiskers(0, response);
        sure.extend(whiskers(1, service));
        if time.lag_curve.len() > 1 {
            curves.push(("lag", &time.lag_curve));
            sure.extend(step.delivery.iter().flat_map(|found| whiskers(2, &found.lag)));
            legend.push(("s3", "lag to the subscriber".to_owned()));
        }
        figures.push(Figure {
            title: "Percentiles".into(),
            description: format!(
                "Percentile curves of response, service and lag: 99 % of responses within {}, 99 % of services within {}.",
                or_no_data(response.p99),
                or_no_data(service.p99)
            ),
            caption: format!(
                "Over {n}. Each curve ends where only one sample in a thousand, or a single one, lies beyond it: here at {}. \
                 Upright lines are 95 % intervals of the percentiles; one that is missing has too few independent samples.",
                percent(time.response_curve.last().map_or(0.0, |point| point.quantile))
            ),
            legend,
            plot: plot::percentiles(&curves, &sure)?,
        });
    }
    Ok(figures)
}

/// The intervals of the percentiles of curve number `curve`.
fn whiskers(curve: usize, of: &Summary) -> Vec<Whisker> {
    let found = of.interval.clone().unwrap_or_default();
    let of = [(0.5, found.p50), (0.9, found.p90), (0.99, found.p99), (0.999, found.p999)];
    let drawn = of
        .into_iter()
        .filter_map(|(quantile, range)| range.map(|range| Whisker { curve, quantile, range }));
    drawn.collect()
}

/// Latency and outcomes over the time of the step.
pub(super) fn overtime(step: &StepMeasurements) -> Result<Vec<Figure>, PlotError> {
    let Some(time) = &step.timeline else { return Ok(Vec::new()) };
    let mut figures = Vec::new();
    if !time.response.is_empty() {
        let each = time.response.iter().all(|point| point.count == 1);
        let mut legend = vec![("s1", "response".to_owned())];
        if !time.lag.is_empty() {
            legend.push(("s2", "lag to the subscriber".to_owned()));
        }
        let lost = step.delivery.as_ref().map_or(0, |found| found.lost);
        let dots = if each {
            "Each dot is one write."
        } else {
            "Each dot is the median of the writes due at about that time, the line above it ends at the longest."
        };
        let absent = match lost {
            0 => String::new(),
            n => format!(" {} never arrived, so they have no dot.", several(n, "notification")),
        };
        let response = &step.response.all;
        figures.push(Figure {
            title: "Lag and response over time".into(),
            description: format!(
                "Response time and lag of each write by the time it was due; responses reach from a median of {} to {}.",
                or_no_data(response.p50),
                or_no_data(response.max)
            ),
            caption: format!("{dots}{absent}"),
            legend,
            plot: plot::latency(&time.response, &time.lag)?,
        });
    }
    let ops = step.ops.clone().unwrap_or_default();
    let known = [
        ("s3", ops.ok, "acknowledged"),
        ("s2", time.outcomes.iter().map(|b| b.undelivered).sum(), "acknowledged, not delivered"),
        ("open", ops.indeterminate, "in doubt"),
        ("bad", ops.failed, "failed"),
        ("muted", ops.missed, "never sent"),
    ];
    let legend: Vec<_> = known
        .iter()
        .filter(|(_, count, _)| *count > 0)
        .map(|(class, count, what)| (*class, format!("{what}: {}", grouped(*count))))
        .collect();
    let counted: Vec<_> = legend.iter().map(|(_, text)| text.clone()).collect();
    figures.push(Figure {
        title: "Outcomes over time".into(),
        description: format!("Operations by outcome over time; {}.", counted.join(", ")),
        caption: "Operations by how they ended, by when they were due.".into(),
        legend,
        plot: plot::outcomes(&time.outcomes, time.outcome_width)?,
    });
    Ok(figures)
}

/// The two chains of `step`, each with its table.
pub(super) fn chains(
    step: &StepMeasurements,
    cell: &CellRecord,
) -> Result<Vec<(Figure, Table)>, PlotError> {
    let Some(falls) = &step.waterfall else { return Ok(Vec::new()) };
    let mut chains = Vec::new();
    for (title, chain) in
        [("To the acknowledgement", &falls.acknowledgement), ("To the subscriber", &falls.delivery)]
    {
        if chain.count > 0 {
            let words = Words::of(cell, chain);
            chains.push((bar(title, chain, words)?, table(title, chain, words)));
        }
    }
    Ok(chains)
}

fn bar(title: &str, chain: &Chain, words: Words) -> Result<Figure, PlotError> {
    let parts: Vec<_> = chain
        .segments
        .iter()
        .map(|segment| format!("{} {}", words.of_segment(&segment.name), or_no_data(segment.mean)))
        .collect();
    let negative: u64 = chain.segments.iter().map(|segment| segment.negative).sum();
    let contradiction = match negative {
        0 => String::new(),
        n => format!(
            " {} came out negative: two processes contradict each other there.",
            several(n, "segment")
        ),
    };
    Ok(Figure {
        title: title.to_owned(),
        description: format!("Mean time by segment: {}.", parts.join(", ")),
        caption: format!(
            "Over {} whose spans were all found. The numbers are those of the rows below; means add up, percentiles do not.{contradiction}",
            several(chain.count, "acknowledged write")
        ),
        legend: Vec::new(),
        plot: plot::chain(chain)?,
    })
}

fn table(title: &str, chain: &Chain, words: Words) -> Table {
    let mut table =
        Table::new(format!("{title}, by segment"), &["", "p50", "p99", "mean", "share"]);
    let whole = chain.whole.mean.unwrap_or_default().0 as f64;
    let cells = |segment: &Segment| {
        let mean = segment.mean.unwrap_or_default().0 as f64;
        let share = if whole > 0.0 {
            percent((mean / whole * 1e3).round() / 1e3)
        } else {
            super::NO_DATA.into()
        };
        let p99 = segment.p99.map_or_else(|| "n < 100".to_owned(), |p99| p99.to_string());
        vec![or_no_data(segment.p50), p99, or_no_data(segment.mean), share]
    };
    for (segment, number) in chain.segments.iter().zip(1..) {
        let name = format!("{number} {}", words.of_segment(&segment.name));
        let swatch = Some(plot::swatch(&segment.name));
        table.rows.push(Row { swatch, name, cells: cells(segment) });
    }
    table.row("whole", cells(&chain.whole));
    table
}

/// Which words name the segments of a chain.
#[derive(Debug, Clone, Copy)]
struct Words {
    /// Whether the entities are rows of a database.
    rows: bool,
    /// Whether a webhook is among the segments.
    hook: bool,
}

impl Words {
    fn of(cell: &CellRecord, chain: &Chain) -> Self {
        let hook = |segment: &Segment| segment.name.to_lowercase().contains("webhook");
        Self {
            rows: System::called(&cell.system) == Some(System::Conventional),
            hook: chain.segments.iter().any(hook),
        }
    }

    /// A segment's name in words.
    fn of_segment(self, segment: &str) -> &str {
        match (segment, self.rows, self.hook) {
            ("queue", ..) => "waits in the generator",
            ("toGateway", ..) => "to the gateway",
            ("gateway", ..) => "gateway's own work",
            ("store", true, _) => "database",
            ("store", false, true) => "apiserver and etcd",
            ("store", false, false) => "apiserver and etcd, rules included",
            ("webhookHop", ..) => "admission webhook, without the rules",
            ("rules", ..) => "business rules",
            ("back", ..) => "back to the client",
            ("toWebhook", ..) => "gateway and apiserver, up to admission",
            ("webhook", ..) => "admission webhook and business rules",
            ("storeAndWatch", true, _) => "gateway, committed, relayed, then seen by the consumer",
            ("storeAndWatch", false, true) => "stored, then seen by the informer",
            ("storeAndWatch", false, false) => "gateway, stored, then seen by the informer",
            ("notify", true, _) => "consumer tells the subscriber",
            ("notify", false, _) => "informer tells the subscriber",
            (other, ..) => other,
        }
    }
}

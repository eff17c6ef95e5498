//! Where the time goes inside the apiserver, by its own spans.

use kab_evidence::record::CellRecord;
use kab_verdict::value::{grouped, percent};
use kab_verdict::waterfall::Segment;
use kab_verdict::{Nanos, StepMeasurements};

use super::{NO_DATA, Table, or_no_data, several};

/// A paragraph and a table; none if the apiserver did not trace.
pub(super) fn inner(step: &StepMeasurements, cell: &CellRecord) -> Option<(String, Table)> {
    let of = step.apiserver.as_ref()?;
    let mut text = format!(
        "Inside the apiserver, by its own spans: of {} ({} of all). Each moment belongs to the \
         innermost span, so that the means add up. Tracing every request costs the apiserver CPU \
         time, which is in all numbers of this run.",
        several(of.count, "acknowledged write"),
        percent((of.coverage * 1e4).floor() / 1e4),
    );
    if let Some(record) = &cell.tracing {
        let clock = |nanos: u64| Nanos(i64::try_from(nanos).unwrap_or(i64::MAX)).to_string();
        text.push_str(&format!(
            " The apiserver sent {} in {}; its calendar times were put on this run's clock with an \
             error of at most {}.",
            several(record.spans, "span"),
            several(record.exports, "message"),
            clock(record.clock_error),
        ));
        if record.refused > 0 {
            text.push_str(&format!(" {} could not be read.", several(record.refused, "message")));
        }
        if !record.complete {
            text.push_str(" Its last spans did not come.");
        }
    }
    if of.outside > 0 {
        text.push_str(&format!(
            " {} of the requests began before their write was sent, or after it was acknowledged: \
             the clocks contradict each other there.",
            grouped(of.outside)
        ));
    }
    let head = ["", "p50", "p99", "mean", "share"];
    let mut table = Table::new("Inside the apiserver, by part", &head);
    if of.count > 0 {
        let whole = of.whole.mean.unwrap_or_default().0 as f64;
        let cells = |part: &Segment| {
            let share = part.mean.unwrap_or_default().0 as f64 / whole;
            let share =
                if whole > 0.0 { percent((share * 1e3).round() / 1e3) } else { NO_DATA.into() };
            let p99 = part.p99.map_or_else(|| "n < 100".to_owned(), |p99| p99.to_string());
            vec![or_no_data(part.p50), p99, or_no_data(part.mean), share]
        };
        of.segments.iter().for_each(|part| table.row(words(&part.name), cells(part)));
        table.row("whole request", cells(&of.whole));
    }
    Some((text, table))
}

/// A part's name in words.
fn words(part: &str) -> &str {
    match part {
        "entrance" => "authentication, authorization, priority and fairness",
        "handler" => "handler: reading, decoding, admission without webhooks",
        "webhook" => "calls of admission webhooks",
        "storage" => "storage layer: encoding, preconditions",
        "etcd" => "calls to etcd",
        "answer" => "writing the answer",
        "other" => "anything else",
        unknown => unknown,
    }
}

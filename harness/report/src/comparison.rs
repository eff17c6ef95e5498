//! Two runs side by side, in Markdown as GitHub renders it.

use std::fmt::Write as _;

use kab_verdict::Nanos;
use kab_verdict::compare::{Comparison, Direction, Found, LatencyComparison, StepComparison};
use kab_verdict::value::significant;

use crate::markdown::text;

/// What is true of every comparison of two runs.
const METHOD: &str = "Differences are B less A, with 95 % intervals from a block bootstrap of each run over its samples in the order \
    of their intended starts. “Would be seen” is the smallest true difference that runs as variable as these show 8 times of 10 \
    at the 5 % level. The intervals hold what varies within the runs; what varies from one run to the next (caches, placement, \
    neighbours) they do not: repeat both runs before you believe a small difference.";

/// `comparison` as Markdown.
pub fn markdown(comparison: &Comparison) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, comparison);
    out
}

fn write(out: &mut String, of: &Comparison) -> std::fmt::Result {
    writeln!(out, "# Two runs compared\n\n- A: {}\n- B: {}", text(&of.a), text(&of.b))?;
    if of.conditions.is_empty() {
        writeln!(out, "\nEvery condition on record is the same in both.")?;
    } else {
        writeln!(
            out,
            "\n> **Warning: the conditions differ.** Any of them may be the cause of any difference below.\n"
        )?;
        writeln!(out, "| condition | A | B |\n|---|---|---|")?;
        for c in &of.conditions {
            writeln!(out, "| {} | {} | {} |", text(&c.what), text(&c.a), text(&c.b))?;
        }
    }
    for line in &of.unmatched {
        writeln!(out, "\n> {}", text(line))?;
    }
    of.steps.iter().try_for_each(|step| section(out, step))?;
    let compared = of.steps.iter().flat_map(|s| &s.latencies).filter(|l| l.found.is_some()).count();
    writeln!(out, "\n## Method\n\n{METHOD}")?;
    if compared > 1 {
        writeln!(
            out,
            "\n{compared} differences were tested, each at the 5 % level: about 1 of 20 is shown by chance alone."
        )?;
    }
    Ok(())
}

fn section(out: &mut String, step: &StepComparison) -> std::fmt::Result {
    writeln!(out, "\n## {} / {}\n", text(&step.cell), text(&step.step))?;
    for latency in step.latencies.iter().filter(|latency| latency.statistic == "p99") {
        writeln!(out, "- {}", text(&sentence(latency)))?;
    }
    if !step.latencies.is_empty() {
        writeln!(
            out,
            "\n| latency | A | B | difference | 95 % interval | ratio | would be seen | B is |\n\
             |---|---:|---:|---:|---:|---:|---:|---|"
        )?;
        step.latencies.iter().try_for_each(|latency| row(out, latency))?;
    }
    if !step.counts.is_empty() {
        writeln!(out, "\n| | A | B |\n|---|---:|---:|")?;
    }
    for (name, (a, b)) in &step.counts {
        let number = |n: &Option<f64>| match n {
            None => "no data".to_owned(),
            Some(n) if name.starts_with("rate.") => format!("{}/s", significant(*n)),
            Some(n) => format!("{n}"),
        };
        writeln!(out, "| {} | {} | {} |", text(name), number(a), number(b))?;
    }
    Ok(())
}

fn row(out: &mut String, of: &LatencyComparison) -> std::fmt::Result {
    let name = text(&format!("{} {}", of.latency, of.statistic));
    let (a, b, by) = (of.a, of.b, signed(of.difference));
    let Some(found) = &of.found else {
        let none = "too few independent samples";
        return writeln!(out, "| {name} | {a} | {b} | {by} | – | – | – | {none} |");
    };
    let interval = format!("{} to {}", signed(found.interval.low), signed(found.interval.high));
    let verdict = match found.direction {
        Direction::Slower => "slower",
        Direction::Faster => "faster",
        Direction::NoneShown => "not shown to differ",
    };
    let ratio = ratio(found).unwrap_or_else(|| "–".to_owned());
    let seen = found.detectable;
    writeln!(out, "| {name} | {a} | {b} | {by} | {interval} | {ratio} | {seen} | {verdict} |")
}

/// `1.22 (1.09 to 1.36)`.
fn ratio(found: &Found) -> Option<String> {
    let (low, high) = found.ratio_interval?;
    Some(format!("{} ({} to {})", significant(found.ratio?), significant(low), significant(high)))
}

/// What the comparison of one statistic amounts to.
pub fn sentence(of: &LatencyComparison) -> String {
    let what = format!("{} {}", of.latency, of.statistic);
    let values = format!("{} in A, {} in B", of.a, of.b);
    let Some(found) = &of.found else {
        return format!(
            "{what}: nothing can be said of a difference, because too few samples are independent of each other ({values})."
        );
    };
    let interval = format!(
        "{}, 95 % interval {} to {}",
        signed(of.difference),
        signed(found.interval.low),
        signed(found.interval.high)
    );
    let seen = format!(
        "A true difference of {} or more would have been seen 8 times of 10.",
        found.detectable
    );
    match found.direction {
        Direction::Slower => format!("{what}: B is slower ({values}; {interval}). {seen}"),
        Direction::Faster => format!("{what}: B is faster ({values}; {interval}). {seen}"),
        Direction::NoneShown => {
            format!("{what}: no difference is shown ({values}; {interval}). {seen}")
        }
    }
}

/// `+2.70 ms`, `-1.00 ms`.
fn signed(length: Nanos) -> String {
    if length.0 > 0 { format!("+{length}") } else { length.to_string() }
}

//! The report in brief, in Markdown as GitHub renders it.

use std::fmt::Write as _;

use crate::page::{Card, Page, SearchSection, Section, SystemsSection, Table};
use crate::prose::Part;

/// The page as Markdown.
pub fn markdown(page: &Page) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, page);
    out
}

fn write(out: &mut String, page: &Page) -> std::fmt::Result {
    writeln!(
        out,
        "# {}\n\n**{}**\n\n{}",
        text(&page.scenario),
        text(&page.answer),
        text(&page.question)
    )?;
    writeln!(out, "\nRun {}, begun {}.", text(&page.run), text(&page.began))?;
    for note in &page.notes {
        writeln!(out, "\n> {}", text(note))?;
    }
    if !page.doubts.is_empty() {
        writeln!(out, "\n## The numbers may not be used to judge\n")?;
        for (of, reasons) in &page.doubts {
            reasons.iter().try_for_each(|why| writeln!(out, "- {}: {}", text(of), parts(why)))?;
        }
    }
    page.systems.iter().try_for_each(|of| systems(out, of))?;
    writeln!(out, "\n## Verdicts\n")?;
    if page.cards.is_empty() {
        writeln!(out, "Nothing was judged.")?;
    }
    page.cards.iter().try_for_each(|verdict| card(out, verdict))?;
    for of in &page.sections {
        section(out, of)?;
    }
    for of in &page.searches {
        search(out, of)?;
    }
    if !page.servers.is_empty() {
        writeln!(out, "\n## What the servers did")?;
        for of in &page.servers {
            writeln!(out, "\n{}", text(&of.title))?;
            table(out, &of.table)?;
        }
    }
    writeln!(out, "\n## Ledger and joins")?;
    let tables = [&page.ledger, &page.classes, &page.media, &page.coverage, &page.joins];
    for of in tables.into_iter().chain(&page.watch) {
        table(out, of)?;
    }
    writeln!(out, "\n## Events\n")?;
    if page.incidents.is_empty() {
        writeln!(out, "No process died, and nothing gave a warning.")?;
    }
    for event in &page.incidents {
        writeln!(out, "- {}: {}", text(&event.at), text(&event.text))?;
    }
    writeln!(out, "\n## Conditions\n\n{}\n", text(&page.fidelity))?;
    pairs(out, &page.conditions)?;
    writeln!(out, "\n## Method\n\n{}", text(&page.method))?;
    writeln!(out, "\n## How to reproduce\n\n```sh\n{}\n```\n", page.command.replace('`', "'"))?;
    pairs(out, &page.input)?;
    writeln!(out, "\n## What this does not show\n")?;
    page.limits.iter().try_for_each(|limit| writeln!(out, "- {}", text(limit)))
}

fn systems(out: &mut String, of: &SystemsSection) -> std::fmt::Result {
    writeln!(out, "\n## {}", text(&of.title))?;
    for of in [&of.numbers, &of.processes, &of.verdicts, &of.differences] {
        table(out, of)?;
    }
    of.unlike.iter().try_for_each(|note| writeln!(out, "\n> {}", text(note)))?;
    writeln!(out)?;
    pairs(out, &of.findings)?;
    writeln!(out, "\n{}", text(&of.how))
}

fn card(out: &mut String, card: &Card) -> std::fmt::Result {
    let surprise = if card.surprise { " **Not as expected.**" } else { "" };
    writeln!(
        out,
        "- **{} {}** ({}): {}{surprise}\n  {}\n  {}",
        card.symbol,
        card.verdict,
        text(&card.cell),
        parts(&card.statement),
        parts(&card.reason),
        text(&card.expected)
    )?;
    if let Some(origin) = &card.threshold {
        writeln!(out, "  Threshold: {}", parts(origin))?;
    }
    Ok(())
}

fn section(out: &mut String, section: &Section) -> std::fmt::Result {
    writeln!(out, "\n## {}\n", text(&section.title))?;
    writeln!(out, "| | |\n|---|---:|")?;
    for tile in &section.tiles {
        let note =
            if tile.note.is_empty() { String::new() } else { format!(" ({})", text(&tile.note)) };
        let mark = if tile.bad { "**" } else { "" };
        writeln!(out, "| {} | {mark}{}{mark}{note} |", tile.label, text(&tile.value))?;
    }
    table(out, &section.latencies)?;
    writeln!(out, "\n{}", text(&section.composition))?;
    section.kinds.iter().try_for_each(|of| table(out, of))?;
    for (figure, segments) in &section.chains {
        table(out, segments)?;
        writeln!(out, "\n{}", text(&figure.caption))?;
    }
    if let Some((words, parts)) = &section.inner {
        writeln!(out, "\n{}", text(words))?;
        table(out, parts)?;
    }
    Ok(())
}

fn search(out: &mut String, search: &SearchSection) -> std::fmt::Result {
    writeln!(out, "\n## {}\n\n{}", text(&search.title), text(&search.summary))?;
    writeln!(out, "\nObjective: `{}`", one_line(&search.hold))?;
    table(out, &search.probes)
}

fn table(out: &mut String, table: &Table) -> std::fmt::Result {
    if table.rows.is_empty() {
        return Ok(());
    }
    let head: Vec<_> = table.head.iter().map(|head| text(head)).collect();
    writeln!(out, "\n**{}**\n\n| {} |", text(&table.caption), head.join(" | "))?;
    writeln!(out, "|---|{}", "---:|".repeat(head.len().saturating_sub(1)))?;
    for row in &table.rows {
        // On a page a second line is smaller print; here it is in brackets.
        let cell = |cell: &String| match cell.split_once('\n') {
            Some((value, interval)) => format!("{} ({})", text(value), text(interval)),
            None => text(cell),
        };
        let cells: Vec<_> = row.cells.iter().map(cell).collect();
        writeln!(out, "| {} | {} |", text(&row.name), cells.join(" | "))?;
    }
    Ok(())
}

fn pairs(out: &mut String, pairs: &[(String, String)]) -> std::fmt::Result {
    writeln!(out, "| | |\n|---|---|")?;
    pairs.iter().try_for_each(|(name, value)| writeln!(out, "| {} | {} |", text(name), text(value)))
}

fn parts(of: &[Part]) -> String {
    of.iter()
        .map(
            |part| {
                if part.code { format!("`{}`", one_line(&part.text)) } else { text(&part.text) }
            },
        )
        .collect()
}

/// `raw` so that Markdown shows it as it is, on one line.
pub(crate) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in one_line(raw).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

fn one_line(raw: &str) -> String {
    raw.split(|c: char| c.is_control()).filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(text("a|b\n<script> *x* `y`"), "a\\|b &lt;script&gt; \\*x\\* \\`y\\`");
        assert_eq!(text("p99.9 (40/s) - 3 %"), "p99.9 (40/s) - 3 %");
    }
}

//! The systems side by side, as text for a terminal.

use crate::page::{Page, Table};

/// The numbers of the systems on `page`, in columns; empty where there is but
/// one system.
pub fn side_by_side(page: &Page) -> String {
    let sections = page.systems.iter();
    let tables = sections.map(|of| format!("{}\n\n{}", plain(&of.title), text(&of.numbers)));
    tables.collect::<Vec<_>>().join("\n")
}

/// `table` with its columns under each other; a second line of a cell is on the
/// line below it.
fn text(table: &Table) -> String {
    let mut lines: Vec<Vec<String>> = vec![table.head.iter().map(|head| plain(head)).collect()];
    for row in &table.rows {
        let cells: Vec<Vec<&str>> = std::iter::once(row.name.as_str())
            .chain(row.cells.iter().map(String::as_str))
            .map(|cell| cell.lines().collect())
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            let part = |cell: &Vec<&str>| plain(cell.get(line).copied().unwrap_or_default());
            lines.push(cells.iter().map(part).collect());
        }
    }
    let wide = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> =
        (0..table.head.len()).map(|column| wide(column).unwrap_or_default()).collect();
    let mut out = String::new();
    for line in &lines {
        let cells =
            line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
        out.push_str(cells.collect::<Vec<_>>().join("   ").trim_end());
        out.push('\n');
    }
    out
}

/// `text` without anything that a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Row;

    #[test]
    fn columns_stand_under_each_other() {
        let row = |name: &str, cells: [&str; 2]| Row {
            swatch: None,
            name: name.into(),
            cells: cells.map(str::to_owned).into(),
        };
        let table = Table {
            caption: String::new(),
            head: ["", "naive", "hardened"].map(str::to_owned).into(),
            rows: vec![row("p99", ["1.00 µs\n0.9 to 2", "no data"]), row("lo\u{7}st", ["0", "10"])],
        };
        let wanted = [
            "          naive   hardened",
            "p99     1.00 µs    no data",
            "       0.9 to 2",
            "lost          0         10",
            "",
        ];
        assert_eq!(text(&table), wanted.join("\n"));
    }
}

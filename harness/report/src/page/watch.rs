//! What watch streams promise, and what they gave.

use kab_evidence::record::CellRecord;
use kab_verdict::CellMeasurements;
use kab_verdict::value::grouped;
use kab_verdict::watch::{GuaranteeResult, Standing, Violation, Watch, WatchedGroup};

use super::{Table, cell_name};

/// Guarantees, violations, what became of events, what happened to streams.
pub(super) fn tables(cells: &[CellRecord], measured: &[CellMeasurements]) -> [Table; 4] {
    let watched = || {
        let cells = cells.iter().zip(measured);
        cells.filter_map(|(cell, of)| Some((cell_name(cell), of.watch.as_ref()?)))
    };
    let mut guarantees = Table::new(
        "Watch guarantees, as etcd names them",
        &["guarantee", "cell", "", "put to the test", "broken"],
    );
    let mut violations = Table::new(
        "Watch guarantees broken: the first times",
        &["guarantee", "cell", "watcher", "revision", "operation", "what", "proof"],
    );
    let mut account = Table::new(
        "What became of each event due to a watcher",
        &[
            "watchers",
            "cell",
            "due",
            "delivered",
            "relisted",
            "coalesced",
            "cut off",
            "pending at the end",
            "to silent watchers",
            "lost",
            "received again",
        ],
    );
    let mut streams = Table::new(
        "What happened to watch streams",
        &[
            "watchers",
            "cell",
            "watchers begun",
            "of these silent",
            "streams opened",
            "reconnects",
            "relists",
            "answers 410",
            "bookmarks",
            "ended unasked",
            "ends",
        ],
    );
    for (cell, watch) in watched() {
        for result in &watch.guarantees {
            guarantees.row(result.guarantee.name(), standing(&cell, result));
            for one in &result.first {
                violations.row(result.guarantee.name(), violation(&cell, one));
            }
        }
        for group in &watch.groups {
            account.row(&group.step, accounted(&cell, group));
            streams.row(&group.step, happened(&cell, group));
        }
        leftover(&mut account, &cell, watch);
    }
    [guarantees, violations, account, streams]
}

fn standing(cell: &str, result: &GuaranteeResult) -> Vec<String> {
    let standing = match result.standing {
        Standing::Held => "held".to_owned(),
        Standing::Broken => "BROKEN".to_owned(),
        Standing::NotCheckable => {
            format!("not checkable: {}", result.why.as_deref().unwrap_or_default())
        }
    };
    vec![cell.to_owned(), standing, grouped(result.checked), grouped(result.broken)]
}

fn violation(cell: &str, of: &Violation) -> Vec<String> {
    let name = of.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let op = of.op.map_or_else(|| "unknown".to_owned(), |op| op.to_string());
    vec![
        cell.to_owned(),
        format!("{} {}, stream {}", of.step, of.watcher, of.stream),
        format!("{}{name}", of.rv),
        op,
        of.what.clone(),
        format!("watch/{}.jsonl:{}", of.step, of.line),
    ]
}

fn accounted(cell: &str, group: &WatchedGroup) -> Vec<String> {
    let a = &group.account;
    let counts = [
        a.expected,
        a.delivered,
        a.relisted,
        a.coalesced,
        a.cut_off,
        a.pending,
        a.silent,
        a.lost,
        a.duplicated,
    ];
    std::iter::once(cell.to_owned()).chain(counts.map(grouped)).collect()
}

fn happened(cell: &str, group: &WatchedGroup) -> Vec<String> {
    let s = &group.streams;
    let counts = [
        s.silent_watchers,
        s.opened,
        s.reconnects,
        s.relists,
        s.expired,
        s.bookmarks,
        s.ended_early,
    ];
    let begun = format!("{} of {}", grouped(s.opened_watchers), grouped(s.watchers));
    let ends: Vec<_> = s.ends.iter().map(|(how, n)| format!("{how} {}", grouped(*n))).collect();
    let mut cells = vec![cell.to_owned(), begun];
    cells.extend(counts.map(grouped));
    cells.push(ends.join(", "));
    cells
}

/// What nothing can be said about.
fn leftover(account: &mut Table, cell: &str, watch: &Watch) {
    if watch.unplaced > 0 {
        let mut cells = vec![cell.to_owned(), grouped(watch.unplaced)];
        cells.resize(account.head.len() - 1, String::new());
        account.row("acknowledged writes of unknown revision, on no stream", cells);
    }
}

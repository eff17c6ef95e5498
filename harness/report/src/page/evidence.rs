//! The ledger, and how the evidence fitted together.

use kab_verdict::value::{grouped, percent};

use super::{CellPair, Table, cell_name, or_no_data, search};

/// `naive / write`.
fn step_name((cell, _): CellPair<'_>, step: &str) -> String {
    format!("{} / {step}", cell_name(cell))
}

/// Operations of every step.
pub(super) fn ledger<'a>(cells: impl Iterator<Item = CellPair<'a>>) -> Table {
    let head = [
        "step",
        "scheduled",
        "recorded",
        "sent",
        "acknowledged",
        "failed",
        "in doubt",
        "never sent",
    ];
    let mut table = Table::new("Operations by outcome", &head);
    for pair in cells {
        for step in pair.1.steps.iter().filter(|step| !search::is_here(step)) {
            let name = step_name(pair, &step.name);
            let Some(ops) = &step.ops else {
                table.row(name, vec![super::NO_DATA.to_owned(); 7]);
                continue;
            };
            let counts =
                [ops.recorded, ops.sent, ops.ok, ops.failed, ops.indeterminate, ops.missed];
            let scheduled = or_no_data(ops.scheduled.map(grouped));
            table.row(name, std::iter::once(scheduled).chain(counts.map(grouped)).collect());
        }
    }
    table
}

/// Operations of every step by class.
pub(super) fn classes<'a>(cells: impl Iterator<Item = CellPair<'a>>) -> Table {
    let mut table = Table::new("Operations by class", &["step", "class", "operations"]);
    for pair in cells {
        for step in pair.1.steps.iter().filter(|step| !search::is_here(step)) {
            for (class, count) in &step.classes {
                table.row(step_name(pair, &step.name), vec![class.clone(), grouped(*count)]);
            }
        }
    }
    table
}

/// Answers of every step by the encoding of their bodies.
pub(super) fn media<'a>(cells: impl Iterator<Item = CellPair<'a>>) -> Table {
    let head = ["step", "JSON", "CBOR", "protobuf", "other or not said"];
    let mut table = Table::new("Answers by encoding", &head);
    for pair in cells {
        for step in &pair.1.steps {
            let Some(of) = step.media else { continue };
            let counts = [of.json, of.cbor, of.protobuf, of.other].map(grouped);
            table.row(step_name(pair, &step.name), counts.to_vec());
        }
    }
    table
}

/// How much of every step's evidence could be joined.
pub(super) fn coverage<'a>(cells: impl Iterator<Item = CellPair<'a>>) -> Table {
    let head = ["step", "gateway", "webhook", "informer", "delivery", "all of them"];
    let mut table = Table::new("Acknowledged writes with a span of", &head);
    for pair in cells {
        for step in pair.1.steps.iter().filter(|step| !search::is_here(step)) {
            let Some(found) = &step.coverage else { continue };
            let shares = [
                (found.gateway, "not asked"),
                (found.webhook, "has none"),
                (found.informer, "nobody listened"),
                (found.delivery, "nobody listened"),
                (Some(found.complete), ""),
            ];
            let cells = shares.map(|(share, none)| share.map_or_else(|| none.into(), percent));
            table.row(step_name(pair, &step.name), cells.to_vec());
        }
    }
    table
}

/// What did not fit together.
pub(super) fn joins<'a>(cells: impl Iterator<Item = CellPair<'a>>) -> Table {
    let mut table = Table::new("What is left over", &["", "cell", "count"]);
    for (cell, measured) in cells {
        let join = &measured.join;
        let delivery = |of: fn(&kab_verdict::delivery::Delivery) -> u64| {
            measured.steps.iter().filter_map(|step| step.delivery.as_ref()).map(of).sum()
        };
        for (what, count) in [
            ("notifications of writes never acknowledged", delivery(|d| d.unacknowledged)),
            ("notifications of a later change of the entity", join.other_revisions),
            ("notifications of writes from before the subscription", join.replayed),
            ("notifications that no operation explains", join.unexplained_deliveries),
            ("requests that the ledger does not know", join.unfinished),
            ("evidence files cut off", join.truncated.len() as u64),
        ] {
            table.row(what, vec![cell_name(cell), grouped(count)]);
        }
    }
    table
}

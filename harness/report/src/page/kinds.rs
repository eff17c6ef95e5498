//! Latencies by kind of operation.

use kab_verdict::StepMeasurements;
use kab_verdict::kinds::OfKind;
use kab_verdict::value::grouped;

use super::Table;
use super::keys::{HEAD, numbers};

/// Counts and latencies of each kind that `step` sends; none if it is but one.
pub(super) fn table(step: &StepMeasurements) -> Option<Table> {
    if step.kinds.is_empty() {
        return None;
    }
    let mut head = HEAD.to_vec();
    head.insert(1, "how they ended");
    let mut table = Table::new("By kind of operation, each with its 95 % interval", &head);
    for of in &step.kinds {
        let mut row = |what: &str, ended: String, latency| {
            let cells = std::iter::once(ended).chain(numbers(latency)).collect();
            table.row(format!("{}: {what}", of.kind.name()), cells);
        };
        row("response", ended(of), &of.response.all);
        if of.ops.ok != of.response.all.count {
            row("response, acknowledged only", String::new(), &of.response.ok);
        }
        row("service", String::new(), &of.service.all);
    }
    Some(table)
}

/// `90 acknowledged, 1 failed`: what did not occur is left out.
fn ended(of: &OfKind) -> String {
    let ops = &of.ops;
    let counts = [
        (ops.ok, "acknowledged"),
        (ops.failed, "failed"),
        (ops.indeterminate, "in doubt"),
        (ops.missed, "never sent"),
    ];
    let occurred = counts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> = occurred.map(|(count, how)| format!("{} {how}", grouped(*count))).collect();
    told.join(", ")
}

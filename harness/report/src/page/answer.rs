//! The answer in a sentence.

use kab_evidence::record::Verdict;
use kab_verdict::Judged;

/// The answer, and the verdict it amounts to.
pub(super) fn answer(judged: &Judged) -> (String, &'static str) {
    let record = &judged.record;
    let of = |wanted: Verdict| record.verdicts.iter().filter(move |v| v.verdict == wanted);
    let [confirmed, refuted, open] =
        [Verdict::Confirmed, Verdict::Refuted, Verdict::Inconclusive].map(|v| of(v).count());
    let all = record.verdicts.len();
    let why = || {
        let cells = record.cells.iter().flat_map(|cell| &cell.validity.invalid_because);
        record.validity.invalid_because.iter().chain(cells).next().cloned().unwrap_or_default()
    };
    if all == 0 {
        return (format!("Nothing was judged. {}", why()).trim().to_owned(), "inconclusive");
    }
    if open == all {
        return (format!("No verdict was reached. {}", why()).trim().to_owned(), "inconclusive");
    }
    let statement = |v: &kab_evidence::record::VerdictRecord| {
        let several = record.cells.len() > 1;
        let cell = if several { format!(" ({})", v.cell) } else { String::new() };
        format!("“{}”{cell}", v.statement.trim_end_matches('.'))
    };
    let listed = |wanted| of(wanted).map(statement).collect::<Vec<_>>().join("; ");
    if confirmed == all {
        let text = match all {
            1 => format!("Confirmed: {}.", listed(Verdict::Confirmed)),
            _ => format!("All {all} claims are confirmed."),
        };
        return (text, "confirmed");
    }
    let mut parts = Vec::new();
    if refuted > 0 {
        parts.push(format!("Refuted: {}", listed(Verdict::Refuted)));
    }
    if open > 0 {
        parts.push(format!("inconclusive: {}", listed(Verdict::Inconclusive)));
    }
    if confirmed > 0 {
        let verb = if confirmed == 1 { "is" } else { "are" };
        parts.push(format!("{confirmed} of {all} claims {verb} confirmed"));
    }
    let mut text = format!("{}.", parts.join(". "));
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    (
        text.replace(". inconclusive", ". Inconclusive"),
        if refuted > 0 { "refuted" } else { "inconclusive" },
    )
}

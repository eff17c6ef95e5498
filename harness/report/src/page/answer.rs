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
    let several = record.cells.len() > 1;
    // Each claim once, with the cells of which that is so.
    let listed = |wanted| {
        let mut claims: Vec<(&str, &str, Vec<&str>)> = Vec::new();
        for v in of(wanted) {
            match claims.iter_mut().find(|(claim, ..)| *claim == v.claim) {
                Some((.., cells)) => cells.push(&v.cell),
                None => claims.push((&v.claim, &v.statement, vec![&v.cell])),
            }
        }
        let text = |(_, statement, cells): (&str, &str, Vec<&str>)| {
            let cells = if several { format!(" ({})", cells.join(", ")) } else { String::new() };
            format!("“{}”{cells}", statement.trim_end_matches('.'))
        };
        claims.into_iter().map(text).collect::<Vec<_>>().join("; ")
    };
    let what = if several { "verdicts" } else { "claims" };
    if confirmed == all {
        let text = match all {
            1 => format!("Confirmed: {}.", listed(Verdict::Confirmed)),
            _ => format!("All {all} {what} are confirmed."),
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
        parts.push(format!("{confirmed} of {all} {what} {verb} confirmed"));
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

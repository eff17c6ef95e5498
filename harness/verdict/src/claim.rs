//! One claim judged for one cell.

use std::collections::{BTreeMap, BTreeSet};

use kab_evidence::record::{Verdict, VerdictRecord};
use kab_scenario::model::{Claim, Expectation};

use crate::expression::{Answer, BadExpression, Expression};
use crate::measure::CellMeasurements;
use crate::path::Paths;
use crate::phrase::phrase;

/// How an absent measurement is written.
pub const NO_DATA: &str = "no data";

/// A claim whose expressions compile.
#[derive(Debug)]
pub struct Compiled {
    needs: Vec<Expression>,
    confirmed: Expression,
    refuted: Expression,
}

impl Compiled {
    /// Compiles the expressions of `claim`.
    ///
    /// # Errors
    /// If one of them is not CEL.
    pub fn new(claim: &Claim) -> Result<Self, BadExpression> {
        Ok(Self {
            needs: claim
                .needs
                .iter()
                .map(|text| Expression::compile(text))
                .collect::<Result<_, _>>()?,
            confirmed: Expression::compile(&claim.confirmed)?,
            refuted: Expression::compile(&claim.refuted)?,
        })
    }

    /// Every path that its expressions read.
    fn reads(&self) -> BTreeSet<&str> {
        let all = self.needs.iter().chain([&self.confirmed, &self.refuted]);
        all.flat_map(|expression| expression.reads()).map(String::as_str).collect()
    }
}

/// Judges `claim` by what was measured in `cell`. `doubts` are the reasons why
/// its numbers may not be used; with any, the verdict is inconclusive.
pub fn judge_claim(claim: &Claim, cell: &CellMeasurements, doubts: &[String]) -> VerdictRecord {
    let paths = Paths::of(cell);
    let (verdict, reason, measurements) = match Compiled::new(claim) {
        Err(bad) => (Verdict::Inconclusive, sentence(&bad.to_string()), BTreeMap::new()),
        Ok(compiled) => {
            let (verdict, reason) = decide(&compiled, cell, &paths, doubts);
            (verdict, reason, measurements(&compiled, &paths))
        }
    };
    VerdictRecord {
        claim: claim.id.clone(),
        statement: claim.statement.clone(),
        system: cell.system.clone(),
        cell: cell.cell.clone(),
        verdict,
        reason,
        expected: expected(claim, &cell.system),
        measurements,
    }
}

/// The verdict that `claim` expects of `system`.
pub fn expected(claim: &Claim, system: &str) -> Option<Verdict> {
    let (_, expectation) = claim.expect.iter().find(|(s, _)| s.to_string() == system)?;
    Some(match expectation {
        Expectation::Confirmed => Verdict::Confirmed,
        Expectation::Refuted => Verdict::Refuted,
    })
}

fn decide(
    claim: &Compiled,
    cell: &CellMeasurements,
    paths: &Paths,
    doubts: &[String],
) -> (Verdict, String) {
    let open = |reason: String| (Verdict::Inconclusive, reason);
    if !doubts.is_empty() {
        return open(format!("The numbers may not be used to judge: {}", doubts.join(" ")));
    }
    for need in &claim.needs {
        match need.ask(paths) {
            Answer::Yes => {}
            Answer::No => {
                return open(format!(
                    "What the claim needs is not given: {}",
                    because(need, "does not hold", cell, paths)
                ));
            }
            other => return open(unanswered("What the claim needs", need, other, paths)),
        }
    }
    match (shows(&claim.confirmed, paths), shows(&claim.refuted, paths)) {
        (Answer::Yes, Answer::No) => {
            (Verdict::Confirmed, because(&claim.confirmed, "holds", cell, paths))
        }
        (Answer::No, Answer::Yes) => {
            (Verdict::Refuted, because(&claim.refuted, "holds", cell, paths))
        }
        (Answer::Yes, Answer::Yes) => open(format!(
            "The claim contradicts itself: `{}` confirms it and `{}` refutes it. {}",
            claim.confirmed.text(),
            claim.refuted.text(),
            values([&claim.confirmed, &claim.refuted], paths)
        )),
        (Answer::No, Answer::No) => open(straddling(claim, cell, paths).unwrap_or_else(|| {
            format!(
                "The numbers lie between what would confirm the claim and what would refute it: {}",
                because(&claim.confirmed, "does not hold, nor does what refutes", cell, paths)
            )
        })),
        (other @ (Answer::NoData(_) | Answer::Error(_)), _) => {
            open(unanswered("What would confirm the claim", &claim.confirmed, other, paths))
        }
        (_, other) => open(unanswered("What would refute the claim", &claim.refuted, other, paths)),
    }
}

/// Why neither of the two holds, if one reads one end of an interval and one
/// the other: then the threshold lies between the ends.
fn straddling(claim: &Compiled, cell: &CellMeasurements, paths: &Paths) -> Option<String> {
    let (confirmed, refuted) = (claim.confirmed.reads(), claim.refuted.reads());
    let other_end = |path: &String| {
        let (of, end) = path.rsplit_once('.')?;
        let other = match end {
            "low" => "high",
            "high" => "low",
            _ => return None,
        };
        let (group, statistic) = of.split_once(".interval.")?;
        let there = refuted.contains(&format!("{of}.{other}"));
        there.then(|| (of.to_owned(), group.to_owned(), statistic.to_owned()))
    };
    let (of, group, statistic) = confirmed.iter().find_map(other_end)?;
    let value = |name: String| paths.get(&name).map(|value| value.to_string());
    let (low, high) = (value(format!("{of}.low"))?, value(format!("{of}.high"))?);
    let n = value(format!("{group}.count"))?;
    let worth = value(format!("{group}.effectiveSamples"))
        .map(|worth| format!(", for the mean as good as {worth} independent ones"))
        .unwrap_or_default();
    Some(format!(
        "The threshold lies inside the 95 % interval of {group}.{statistic}, {low} to {high} (n = {n}{worth}): \
         this run cannot tell on which side of it the true value is; a longer run could. {}",
        because(&claim.confirmed, "does not hold, nor does what refutes", cell, paths)
    ))
}

/// What `expression` evaluates to, if it looks at anything that was measured.
fn shows(expression: &Expression, paths: &Paths) -> Answer {
    match expression.ask(paths) {
        Answer::Yes if !expression.sees(paths) => {
            Answer::NoData(expression.reads().iter().cloned().collect())
        }
        answer => answer,
    }
}

/// `1 of 800 notifications was not delivered; because ...`
fn because(expression: &Expression, how: &str, cell: &CellMeasurements, paths: &Paths) -> String {
    let phrases: Vec<_> = expression.reads().iter().filter_map(|path| phrase(cell, path)).collect();
    let rule = format!("`{}` {how}: {}", expression.text(), values([expression], paths));
    if phrases.is_empty() { rule } else { format!("{}. {rule}", sentence(&phrases.join("; "))) }
        .replace(".. ", ". ")
}

/// `write.delivery.lost = 1, write.ops.ok = 800.`
fn values<'a>(of: impl IntoIterator<Item = &'a Expression>, paths: &Paths) -> String {
    let reads: BTreeSet<_> = of.into_iter().flat_map(|e| e.reads()).collect();
    let listed: Vec<_> =
        reads.into_iter().map(|path| format!("{path} = {}", shown(path, paths))).collect();
    format!("{}.", listed.join(", "))
}

fn unanswered(what: &str, expression: &Expression, answer: Answer, paths: &Paths) -> String {
    let problem = match answer {
        Answer::NoData(missing) if missing.is_empty() => {
            "it looks at nothing that was measured".into()
        }
        Answer::NoData(missing) => {
            missing.iter().map(|path| absence(path, paths)).collect::<Vec<_>>().join(", ")
        }
        Answer::Error(problem) => problem,
        Answer::Yes | Answer::No => String::new(),
    };
    format!("{what}, `{}`, cannot be said: {problem}.", expression.text())
}

/// `no data for write.delivery.lag.p99`, or why there is none.
fn absence(path: &str, paths: &Paths) -> String {
    if let Some((group, end)) = path.split_once(".interval.") {
        let statistic = end.split('.').next().unwrap_or(end);
        if let Some(n) = paths.get(&format!("{group}.count")) {
            return format!(
                "no 95 % interval for {group}.{statistic}: of its n = {n} samples, too few are independent of each other"
            );
        }
    }
    let siblings = path.rsplit_once('.').map(|(group, _)| format!("{group}.count"));
    match siblings.and_then(|count| paths.get(&count)) {
        Some(count) => format!("too few samples for {path} (n = {count})"),
        None => format!("{NO_DATA} for {path}"),
    }
}

fn measurements(claim: &Compiled, paths: &Paths) -> BTreeMap<String, String> {
    claim.reads().into_iter().map(|path| (path.to_owned(), shown(path, paths))).collect()
}

fn shown(path: &str, paths: &Paths) -> String {
    match paths.get(path) {
        Some(value) => value.to_string(),
        None if paths.names(path) => NO_DATA.to_owned(),
        None if paths.groups(path) => "a group of measurements".to_owned(),
        None => "no such measurement".to_owned(),
    }
}

/// `text` with a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

//! Single requests of a scenario, and what came of them.

use std::collections::BTreeMap;
use std::path::Path;

use kab_evidence::attempt::{AttemptRecord, Class, Selected};
use kab_evidence::jsonl::{self, JsonlError};
use kab_evidence::record::CellRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::Nanos;

/// What came of the requests of one `attempt` step: of the last one, unless it
/// says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempted {
    /// The step.
    pub step: String,
    /// Who asked whom: `load at the apiserver`.
    pub who: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The status; none if there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What that means.
    pub class: Class,
    /// From the sending until the answer was read, or given up.
    pub took: Nanos,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// What was picked out of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<Selected>,
    /// The beginning of the answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
    /// How many requests there were.
    pub attempts: u64,
    /// How many of them were answered.
    pub answered: u64,
    /// How many of them ended how.
    pub outcomes: BTreeMap<String, u64>,
}

/// The attempts in the file `path`, by step, in the order of their first lines;
/// and whether its last line was cut off. No file, no attempts.
///
/// # Errors
/// If the file cannot be read, or is no evidence.
pub(crate) fn read(path: &Path) -> Result<(Vec<Attempted>, bool), JsonlError> {
    if !path.is_file() {
        return Ok((Vec::new(), false));
    }
    let lines = jsonl::read::<AttemptRecord>(path)?;
    let mut found: Vec<Attempted> = Vec::new();
    for line in lines.values {
        let before = found.iter().position(|known| known.step == line.step);
        let before = before.map(|place| found.remove(place));
        found.push(of(line, before));
    }
    Ok((found, lines.truncated))
}

/// `line`, after what came `before` it in the same step.
fn of(line: AttemptRecord, before: Option<Attempted>) -> Attempted {
    let (attempts, answered, mut outcomes) =
        before.map_or_else(Default::default, |a| (a.attempts, a.answered, a.outcomes));
    *outcomes.entry(line.class.name().to_owned()).or_default() += 1;
    Attempted {
        who: match line.via.as_str() {
            "gateway" => "anybody at the gateway".to_owned(),
            via => format!("{} at the {via}", line.identity),
        },
        step: line.step,
        method: line.method,
        path: line.path,
        status: line.status,
        class: line.class,
        took: Nanos(line.done.signed_since(line.sent)),
        bytes: line.bytes_in,
        selected: line.selected,
        excerpt: line.excerpt,
        attempts: attempts + 1,
        answered: answered + u64::from(line.status.is_some()),
        outcomes,
    }
}

/// What speaks against the attempts of `cell`: steps of which not every request
/// is there.
pub(crate) fn doubts(cell: &CellRecord, found: &[Attempted]) -> Vec<String> {
    let made = cell.steps.iter().filter(|step| step.verb == "attempt" && step.ended.is_some());
    made.filter_map(|step| {
        let said = step.results.get("attempts").and_then(serde_json::Value::as_u64);
        let there = found.iter().find(|a| a.step == step.name).map_or(0, |a| a.attempts);
        (said != Some(there)).then(|| match said {
            Some(said) => {
                format!("Step {} made {said} requests, but the evidence holds {there}.", step.name)
            }
            None => format!("Step {} does not say how many requests it made.", step.name),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use kab_evidence::clock::Mono;
    use kab_evidence::jsonl::JsonlWriter;
    use kab_evidence::record::StepRecord;

    use super::*;

    fn line(step: &str, status: Option<u16>, selected: Option<Selected>) -> AttemptRecord {
        AttemptRecord {
            step: step.into(),
            via: "apiserver".into(),
            identity: "load".into(),
            method: "GET".into(),
            path: "/x".into(),
            sent: Mono::from_nanos(10),
            done: Mono::from_nanos(30),
            status,
            class: status.map_or(Class::Indeterminate, Class::of_status),
            bytes_out: 0,
            bytes_in: 7,
            selected,
            excerpt: String::new(),
        }
    }

    fn written(lines: Vec<AttemptRecord>) -> Vec<Attempted> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attempts.jsonl");
        let file = JsonlWriter::append_to(&path).unwrap();
        lines.into_iter().for_each(|line| file.append(line));
        file.finish().unwrap();
        read(&path).unwrap().0
    }

    #[test]
    fn the_last_request_speaks_for_the_step_and_all_are_counted() {
        let found = written(vec![
            line("a", Some(409), None),
            line("b", None, None),
            line("a", Some(200), Some(Selected::Entries(3))),
        ]);
        assert_eq!(found.iter().map(|a| a.step.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        let a = &found[1];
        assert_eq!((a.status, a.attempts, a.answered), (Some(200), 2, 2));
        assert_eq!(a.outcomes, BTreeMap::from([("conflict".into(), 1), ("applied".into(), 1)]));
        assert_eq!((a.took, &a.selected), (Nanos(20), &Some(Selected::Entries(3))));
        assert_eq!((found[0].status, found[0].answered), (None, 0));
    }

    #[test]
    fn a_request_without_evidence_is_a_doubt() {
        let step = |said: u64| StepRecord {
            name: "a".into(),
            verb: "attempt".into(),
            started: Mono::from_nanos(1),
            ended: Some(Mono::from_nanos(2)),
            results: BTreeMap::from([("attempts".into(), said.into())]),
        };
        let cell = |said| CellRecord { steps: vec![step(said)], ..CellRecord::default() };
        let found = written(vec![line("a", Some(200), None)]);
        assert_eq!(doubts(&cell(1), &found), Vec::<String>::new());
        assert_eq!(doubts(&cell(2), &found).len(), 1);
        assert_eq!(doubts(&cell(1), &[]).len(), 1);
    }
}

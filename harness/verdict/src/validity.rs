//! What forbids to judge at all. Each rule yields a sentence.

use std::collections::BTreeMap;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::event::{Event, Happening};
use kab_evidence::folder::CellFolder;
use kab_evidence::process::kind_of;
use kab_evidence::record::{CellRecord, RunRecord, RunState, StepRecord, Validity};

use crate::attempt;
use crate::measure::{CellMeasurements, StepMeasurements, subscribers_of};
use crate::outcome::scheduled;
use crate::value::{Nanos, grouped};

/// A generator this late (99th percentile, or the maximum of fewer than 100
/// operations) kept no schedule at all. Claims ask for less through `needs`;
/// this limit is only there so that no claim can forget to.
pub const GROSS_LATENESS: Duration = Duration::from_millis(500);

/// Adds `reasons` to `validity`, each only once: a run may be judged again.
pub fn doubt(validity: &mut Validity, reasons: impl IntoIterator<Item = String>) {
    for reason in reasons {
        if !validity.invalid_because.contains(&reason) {
            validity.doubt(reason);
        }
    }
}

/// What speaks against the whole run.
pub fn run_doubts(record: &RunRecord, events: &[Event]) -> Vec<String> {
    let mut doubts = Vec::new();
    match &record.state {
        RunState::Complete => {}
        RunState::Running => {
            doubts.push("The run is incomplete: kab was killed, or is still at it.".into());
        }
        RunState::Interrupted => doubts.push("The run was interrupted.".into()),
        RunState::Failed { reason } => {
            doubts.push(format!("The run could not go on: {}.", reason.trim_end_matches('.')));
        }
    }
    if record.cells.is_empty() {
        doubts.push("Nothing was measured: no cell was begun.".into());
        doubts.extend(events.iter().filter_map(death));
    }
    doubts
}

/// What speaks against cell `index` of `record`.
pub fn cell_doubts(
    record: &RunRecord,
    index: usize,
    measured: &CellMeasurements,
    events: &[Event],
) -> Vec<String> {
    let Some(cell) = record.cells.get(index) else { return Vec::new() };
    let mut doubts = Vec::new();
    for step in &cell.steps {
        doubts.extend(step_doubts(step, measured.step(&step.name)));
    }
    for lost in &cell.lost {
        doubts.push(format!("Evidence was lost: {}.", lost.trim_end_matches('.')));
    }
    // What a process was killed in the middle of, the scenario asked for.
    let killed: Vec<String> = during(record, index, events)
        .filter_map(|event| match &event.what {
            Happening::Fault { fault, pid: Some(pid), .. } if fault == "kill" => {
                Some(format!("-{pid}.jsonl"))
            }
            _ => None,
        })
        .collect();
    let unasked = |file: &&String| !killed.iter().any(|end| file.ends_with(end));
    for file in measured.join.truncated.iter().filter(unasked) {
        doubts.push(format!(
            "{file} ends in the middle of a line: its writer was killed, or the disk was full."
        ));
    }
    if measured.join.unfinished > 0 {
        doubts.push(format!(
            "The gateway saw {} that the ledger does not know.",
            several(measured.join.unfinished, "request")
        ));
    }
    if let Some(watch) = measured.watch.as_ref().filter(|watch| watch.foreign > 0) {
        doubts.push(format!(
            "{} of the watch files can be of none of their watchers.",
            several(watch.foreign, "line")
        ));
    }
    doubts.extend(attempt::doubts(cell, &measured.attempts));
    // Some may die: whether they do is the question.
    let mortal = |event: &&Event| match &event.what {
        Happening::ChildDied { name, .. } => {
            kind_of(name).is_some_and(|kind| cell.may_die.iter().any(|mortal| mortal == kind))
        }
        _ => false,
    };
    let deaths = during(record, index, events).filter(|event| !mortal(event));
    doubts.extend(deaths.filter_map(death));
    doubts
}

/// How many processes of each kind ended during cell `index` of `record`
/// although nobody asked them to: of the kinds of which any was started.
pub fn died(record: &RunRecord, index: usize, events: &[Event]) -> BTreeMap<String, u64> {
    let mut died = BTreeMap::new();
    for event in during(record, index, events) {
        let (name, count) = match &event.what {
            Happening::ChildStarted { name, .. } => (name, 0),
            Happening::ChildDied { name, .. } => (name, 1),
            _ => continue,
        };
        if let Some(kind) = kind_of(name) {
            *died.entry(kind.to_owned()).or_default() += count;
        }
    }
    died
}

/// What happened during cell `index` of `record`.
///
/// Times of other parts of the run are on another clock, and what happened
/// there happened to another cell, or to one whose evidence was set aside.
fn during<'e>(
    record: &RunRecord,
    index: usize,
    events: &'e [Event],
) -> impl Iterator<Item = &'e Event> + use<'e> {
    let cell = record.cells.get(index);
    let part = cell.map_or(0, |cell| cell.part);
    let before = index.checked_sub(1).and_then(|i| record.cells.get(i));
    let after = before.filter(|before| before.part == part).and_then(end);
    let until = cell.and_then(end);
    events_of(events, part).iter().filter(move |event| {
        after.is_none_or(|after| event.at > after) && until.is_none_or(|end| event.at <= end)
    })
}

/// The events of part `part` of a run.
fn events_of(events: &[Event], part: u32) -> &[Event] {
    let begins = |wanted: u32| {
        let resumed = |event: &Event| event.what == Happening::Resumed { part: wanted };
        events.iter().position(resumed)
    };
    let from = if part == 0 { 0 } else { begins(part).unwrap_or(events.len()) };
    let to = begins(part.saturating_add(1)).unwrap_or(events.len()).max(from);
    &events[from..to]
}

/// What is not in the folder of `cell` any more, or not as it was when the cell
/// ended. Evidence that is gone must not look like writes that were lost.
pub fn missing_evidence(folder: &CellFolder, cell: &CellRecord) -> Vec<String> {
    let Some(written) = &cell.evidence else { return Vec::new() };
    let there = match folder.inventory() {
        Ok(there) => there,
        Err(error) => return vec![format!("The evidence cannot be counted: {error}.")],
    };
    let changed = written.iter().filter(|(file, lines)| there.get(*file) != Some(lines));
    changed
        .map(|(file, lines)| {
            let now =
                there.get(file).map_or("is gone".to_owned(), |n| format!("has {}", grouped(*n)));
            format!("{file} had {} when the cell ended, and {now}.", several(*lines, "line"))
        })
        .collect()
}

fn step_doubts(step: &StepRecord, measured: Option<&StepMeasurements>) -> Vec<String> {
    let name = &step.name;
    let mut doubts = Vec::new();
    if step.ended.is_none() {
        doubts.push(format!("Step {name} did not end."));
    } else if step.verb == "load" && scheduled(step).is_none() {
        doubts.push(format!(
            "Step {name} does not say how many operations it scheduled, so nothing says that the ledger is whole."
        ));
    }
    if step.verb == "subscribe" && step.ended.is_some() && subscribers_of(step).is_none() {
        doubts.push(format!("Step {name} does not say how many subscribers it started."));
    }
    let lost = step.results.get("lostWorkers").and_then(serde_json::Value::as_array);
    for worker in lost.into_iter().flatten().filter_map(serde_json::Value::as_str) {
        doubts.push(format!("A worker of step {name} was lost: {worker}."));
    }
    let Some(measured) = measured else { return doubts };
    if let Some(count) = measured.classes.get("own-limit") {
        doubts.push(format!(
            "In step {name} kab itself ran out of what the operating system grants it, and did \
             not send {}.",
            several(*count, "operation")
        ));
    }
    if let Some(capacity) = &measured.capacity {
        doubts.extend(capacity.disagreements.iter().cloned());
    } else if step.verb == "search" && step.ended.is_some() {
        doubts.push(format!("Step {name} does not say what it found."));
    }
    if let Some(ops) = &measured.ops {
        let planned = ops.scheduled.unwrap_or(ops.recorded);
        if ops.recorded != planned {
            doubts.push(format!(
                "Step {name} scheduled {}, but the ledger holds {}.",
                several(planned, "operation"),
                grouped(ops.recorded)
            ));
        }
    }
    if let Some(delivery) = measured.delivery.as_ref().filter(|d| d.unknown > 0) {
        doubts.push(format!(
            "{} of step {name} came from a subscriber that no step started.",
            several(delivery.unknown, "notification")
        ));
    }
    let late = measured.lateness.p99.or(measured.lateness.max).unwrap_or_default();
    if step.verb == "load" && late > Nanos::from_seconds(GROSS_LATENESS.as_secs_f64()) {
        doubts.push(format!(
            "The generator of step {name} was late by {late} (limit {}): it kept no schedule.",
            Nanos::from_seconds(GROSS_LATENESS.as_secs_f64())
        ));
    }
    doubts
}

/// When the last step of `cell` ended; none if one did not.
fn end(cell: &CellRecord) -> Option<Mono> {
    let ends: Option<Vec<Mono>> = cell.steps.iter().map(|step| step.ended).collect();
    ends?.into_iter().max()
}

fn death(event: &Event) -> Option<String> {
    let Happening::ChildDied { name, how, .. } = &event.what else { return None };
    Some(format!("Process {name} ended although nobody asked it to: {how}."))
}

fn several(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

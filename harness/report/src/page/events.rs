//! What happened to the run itself.

use kab_evidence::event::{Event, Happening};
use kab_verdict::{Judged, Nanos};

/// At most so many are shown; the rest is counted.
const SHOWN: usize = 300;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Since the run began.
    pub at: String,
    /// What happened.
    pub text: String,
    /// The last lines of a log, if it has some to show.
    pub log: Vec<String>,
}

/// Deaths and warnings.
pub(super) fn incidents(judged: &Judged) -> Vec<EventRow> {
    let grave = |event: &&Event| {
        matches!(event.what, Happening::ChildDied { .. } | Happening::Warning { .. })
    };
    rows(judged, judged.events.iter().filter(grave).collect())
}

/// Everything, in order.
pub(super) fn all(judged: &Judged) -> Vec<EventRow> {
    rows(judged, judged.events.iter().collect())
}

fn rows(judged: &Judged, events: Vec<&Event>) -> Vec<EventRow> {
    let begun = judged.record.clock.monotonic;
    let mut rows: Vec<_> = events
        .iter()
        .take(SHOWN)
        .map(|event| {
            let (text, log) = words(&event.what);
            EventRow { at: Nanos(event.at.signed_since(begun)).to_string(), text, log }
        })
        .collect();
    if events.len() > SHOWN {
        let text = format!("{} more in events.jsonl", events.len() - SHOWN);
        rows.push(EventRow { at: String::new(), text, log: Vec::new() });
    }
    rows
}

fn words(what: &Happening) -> (String, Vec<String>) {
    let plain = |text: String| (text, Vec::new());
    match what {
        Happening::StepStarted { step } => plain(format!("step {step} began")),
        Happening::StepEnded { step } => plain(format!("step {step} ended")),
        Happening::Ready { what } => plain(format!("{what} is ready")),
        Happening::ChildStarted { name, pid } => plain(format!("{name} started, process {pid}")),
        Happening::ChildDied { name, pid, how, log_tail } => {
            let text = format!("{name}, process {pid}, ended although nobody asked it to: {how}");
            (text, log_tail.clone())
        }
        Happening::Warning { text } => plain(format!("warning: {text}")),
    }
}

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
    let mut rows: Vec<_> = events
        .iter()
        .take(SHOWN)
        .map(|event| {
            let (text, log) = words(&event.what);
            EventRow { at: since_begin(judged, event).to_string(), text, log }
        })
        .collect();
    if events.len() > SHOWN {
        let text = format!("{} more in events.jsonl", events.len() - SHOWN);
        rows.push(EventRow { at: String::new(), text, log: Vec::new() });
    }
    rows
}

/// Time from the run's begin to `event`. Parts of a resumed run are apart by the
/// calendar, as the monotonic clock begins anew when the machine does.
fn since_begin(judged: &Judged, event: &Event) -> Nanos {
    let record = &judged.record;
    let earlier = judged.events.iter().take_while(|other| !std::ptr::eq(*other, event));
    let part = earlier.chain([event]).filter_map(|event| match event.what {
        Happening::Resumed { part } => Some(part),
        _ => None,
    });
    let part = part.last().unwrap_or(0);
    let clock = record.clock_of(part);
    let apart = if part == 0 {
        0
    } else {
        let apart = clock.wall.as_nanosecond() - record.clock.wall.as_nanosecond();
        i64::try_from(apart).unwrap_or(i64::MAX)
    };
    Nanos(event.at.signed_since(clock.monotonic).saturating_add(apart))
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
        Happening::Fault { fault, target, pid } => {
            let process = pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
            plain(format!("the scenario: {fault} {target}{process}"))
        }
        Happening::Resumed { part } => plain(format!("the run was resumed (part {part})")),
        Happening::Warning { text } => plain(format!("warning: {text}")),
    }
}

//! Processes that ended although nobody asked them to: told at once, and
//! written down.

use kab_evidence::event::Happening;
use kab_lab::process::{Death, Deaths};
use kab_lab::progress::Progress;

use crate::recorder::Recorder;

/// Reports every death until the future is dropped.
pub async fn report(deaths: &mut Deaths, recorder: &Recorder, progress: &dyn Progress) {
    while let Some(death) = deaths.recv().await {
        tell(death, recorder, progress);
    }
}

/// Reports the deaths that are known by now.
pub fn report_rest(deaths: &mut Deaths, recorder: &Recorder, progress: &dyn Progress) {
    while let Ok(death) = deaths.try_recv() {
        tell(death, recorder, progress);
    }
}

fn tell(death: Death, recorder: &Recorder, progress: &dyn Progress) {
    let Death { name, pid, how, log_tail } = death;
    let mut sentence = format!("{name} (pid {pid}) ended although nobody asked it to: {how}");
    if !log_tail.is_empty() {
        sentence.push_str("; the end of its log:");
        log_tail.iter().for_each(|line| sentence.push_str(&format!("\n           {line}")));
    }
    progress.say(&sentence);
    recorder.event(Happening::ChildDied { name, pid, how, log_tail });
}

//! What the user sees while something takes its time: sentences with the
//! elapsed time on stderr, and a bar under them on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kab_evidence::clock::Mono;
use kab_lab::progress::Progress;

/// Tells progress on stderr. On a terminal a bar is drawn for downloads;
/// elsewhere only sentences are printed, one a line.
#[derive(Debug)]
pub struct Teller {
    start: Mono,
    bar: ProgressBar,
}

impl Teller {
    /// Counts elapsed time from now.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg} {bytes} of {total_bytes} ({eta})") {
            bar.set_style(style);
        }
        Self { start: Mono::now(), bar }
    }

    fn elapsed(&self) -> Duration {
        Mono::now().since(self.start)
    }
}

impl Progress for Teller {
    fn say(&self, sentence: &str) {
        self.bar.suspend(|| {
            anstream::eprintln!("{:>6.1}s  {sentence}", self.elapsed().as_secs_f64());
        });
    }

    fn bytes(&self, what: &str, done: u64, total: Option<u64>) {
        self.bar.set_message(what.to_owned());
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
        if total == Some(done) {
            self.bar.reset();
        }
    }
}

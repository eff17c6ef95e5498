//! A run of several systems, each in a cell of its own.

use std::path::Path;

use kab_evidence::folder::RunFolder;
use kab_evidence::series::Sample;
use kab_evidence::span::Span;

use super::Synthetic;
use super::servers::{sample, when};

/// What a process uses in a second: CPU seconds, and bytes written.
pub type Process = (&'static str, f64, f64);

/// Readings of `processes` every half second, from before the first step to
/// after the last.
pub fn series(processes: &[Process]) -> Vec<Sample> {
    let mut all = Vec::new();
    for n in 0..=124u32 {
        let seconds = f64::from(n) / 2.0;
        for (name, cpu, bytes) in processes {
            all.push(sample(seconds, name, "cpu_seconds_total", 7.0 + seconds * cpu));
            all.push(sample(seconds, name, "written_bytes_total", 4096.0 + seconds * bytes));
            all.push(sample(seconds, name, "resident_bytes", 1e6));
            all.push(sample(seconds, name, "open_files", 9.0));
        }
    }
    all
}

impl Synthetic {
    /// The same run of another system.
    pub fn of_system(mut self, system: &str) -> Self {
        let cell = &mut self.record.cells[0];
        cell.id = system.into();
        cell.system = system.into();
        self
    }

    /// The same without a webhook on the way.
    pub fn unhooked(mut self) -> Self {
        self.spans.retain(|s| !matches!(s, Span::Webhook { .. } | Span::Validate { .. }));
        self
    }

    /// Adds a step in which nothing was asked, from `from` to `to` seconds.
    pub fn rest(&mut self, from: f64, to: f64) {
        let mut step = super::step("linger", "wait", &[("until", "elapsed".into())]);
        step.started = when(from);
        step.ended = Some(when(to));
        self.record.cells[0].steps.push(step);
    }
}

/// Writes `runs` to `dir` as the cells of one run.
pub fn save(runs: &[Synthetic], dir: &Path) -> RunFolder {
    let folder = runs[0].save(dir);
    let mut record = runs[0].record.clone();
    for run in &runs[1..] {
        run.save_cell(&folder.cell(&run.record.cells[0].id));
        record.cells.extend(run.record.cells.clone());
    }
    folder.write_record(&record).unwrap();
    folder
}

/// One run of three systems, as different as they should be: one of the writes
/// of the first is lost, and the third is 20 ms slower.
pub fn three() -> Vec<Synthetic> {
    let kubernetes: [Process; 6] = [
        ("etcd", 0.02, 8_192.0),
        ("kube-apiserver", 0.1, 0.0),
        ("gateway", 0.03, 100_000.0),
        ("webhook", 0.01, 100_000.0),
        ("kab", 0.5, 1e6),
        ("write-worker-0", 0.5, 1e6),
    ];
    let mut naive = Synthetic::noisy(2_000, 0).of_system("naive");
    naive.lose(super::op(17));
    naive.series = series(&kubernetes);
    let mut hardened = Synthetic::noisy(2_000, 0).of_system("hardened");
    hardened.series = series(&kubernetes);
    let mut conventional = Synthetic::noisy(2_000, 20_000).of_system("conventional").unhooked();
    conventional.series = series(&[
        ("postgres", 0.04, 4_096.0),
        ("nats", 0.01, 4_096.0),
        ("gateway", 0.03, 100_000.0),
        ("relay", 0.01, 100_000.0),
        ("kab", 0.5, 1e6),
    ]);
    let text = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let cell = &mut naive.record.cells[0];
    cell.defects = text(&["alwaysValid", "oneStatus"]);
    cell.differences = text(&["noTransaction", "oneRefusal"]);
    cell.settings = [("etcd fsync".to_owned(), "on".to_owned())].into();
    let cell = &mut hardened.record.cells[0];
    cell.differences = text(&["noTransaction", "positionsExpire"]);
    cell.settings = [("etcd fsync".to_owned(), "on".to_owned())].into();
    let cell = &mut conventional.record.cells[0];
    cell.settings = [("PostgreSQL fsync".to_owned(), "on".to_owned())].into();
    let mut all = vec![naive, hardened, conventional];
    all.iter_mut().for_each(|run| run.rest(50.0, 53.0));
    all
}

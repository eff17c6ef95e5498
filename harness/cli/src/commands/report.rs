//! `kab report`: judge and draw a run, offline.

use kab_evidence::folder::RunFolder;
use kab_evidence::record::RunState;

use super::print;
use crate::args::Report;
use crate::exit::{Exit, Failure, OrExit};

pub fn run(args: &Report) -> Result<Exit, Failure> {
    let folder = RunFolder::open(&args.run).or_exit(Exit::Usage)?;
    // A record of a newer kab, or none at all, is a wrong argument.
    folder.read_record().or_exit(Exit::Usage)?;
    let exit = conclude(&folder)?;
    print(&format!("{}", folder.path().display()))?;
    Ok(exit)
}

/// Judges the run, keeps the verdicts in its record, writes the reports, and
/// tells the verdicts on stderr.
pub fn conclude(folder: &RunFolder) -> Result<Exit, Failure> {
    let rendered = kab_report::render(folder).or_exit(Exit::Environment)?;
    let record = &rendered.judged.record;
    // A record that still says `running` may be another kab's to write.
    if record.state != RunState::Running {
        folder.write_record(record).or_exit(Exit::Environment)?;
    }
    for verdict in &record.verdicts {
        let unexpected = if verdict.as_expected() { "" } else { " (not as expected)" };
        anstream::eprintln!(
            "{:>12}{unexpected}: {} [{}]\n{:14}{}",
            verdict.verdict.to_string(),
            verdict.statement,
            verdict.cell,
            "",
            verdict.reason
        );
    }
    for note in &rendered.judged.notes {
        anstream::eprintln!("        note: {note}");
    }
    if !rendered.side_by_side.is_empty() {
        anstream::eprintln!("\n{}", rendered.side_by_side);
    }
    anstream::eprintln!("report: {}", rendered.html.display());
    Ok(match kab_verdict::exit_code(record) {
        0 => Exit::AsExpected,
        1 => Exit::Unexpected,
        _ => Exit::Inconclusive,
    })
}

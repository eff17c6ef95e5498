//! `kab calibrate`: kab itself on trial.

use std::path::PathBuf;

use kab_calibrate::{Program, Suite, calibrate};
use kab_evidence::calibration::{Calibration, Finding, Status};
use kab_lab::progress::Progress;
use kab_verdict::value::{grouped, significant};

use super::{block_on, print};
use crate::args::Calibrate;
use crate::exit::{Exit, Failure, OrExit};
use crate::progress::Teller;
use crate::signals;

pub fn run(args: &Calibrate) -> Result<Exit, Failure> {
    let program = Program::kab(std::env::current_exe().or_exit(Exit::Environment)?);
    let teller = Teller::new();
    let calibration = block_on(async {
        let stop = signals::listen().or_exit(Exit::Environment)?;
        let suite = Suite { quick: args.quick };
        tokio::select! {
            biased;
            () = stop.wait() => Ok(None),
            done = calibrate(program, suite, &teller) => done.map(Some).or_exit(Exit::Environment),
        }
    })?;
    let Some(calibration) = calibration else { return Ok(Exit::Interrupted) };
    if args.json {
        print(&serde_json::to_string_pretty(&calibration).or_exit(Exit::Environment)?)?;
    } else {
        print(&text(&calibration))?;
    }
    match folder() {
        Some(folder) => {
            let kept = calibration.keep(&folder).or_exit(Exit::Environment)?;
            teller.say(&format!("kept in {}", kept.display()));
        }
        None => teller.say("not kept: no home folder is known; set KAB_CACHE"),
    }
    Ok(exit(&calibration))
}

/// The latest calibration of this kab on this machine.
pub fn latest() -> Option<Calibration> {
    let host = kab_lab::local::host(&std::env::temp_dir());
    let (version, optimised) = (env!("CARGO_PKG_VERSION"), !cfg!(debug_assertions));
    Calibration::latest(&folder()?, |kept| kept.is_of(version, optimised, &host))
}

/// Where calibrations are kept.
fn folder() -> Option<PathBuf> {
    kab_lab::assets::default_cache().map(|cache| cache.join("calibrations"))
}

fn exit(calibration: &Calibration) -> Exit {
    if calibration.findings.iter().any(|finding| finding.status == Status::Fail) {
        return Exit::Unexpected;
    }
    let all = calibration.findings.iter().all(|finding| finding.status == Status::Pass);
    let sound = all && !calibration.findings.is_empty() && calibration.ceiling.is_some();
    if sound { Exit::AsExpected } else { Exit::Inconclusive }
}

fn text(calibration: &Calibration) -> String {
    let findings = &calibration.findings;
    let width = findings.iter().map(|finding| finding.property.len()).max().unwrap_or(0);
    let mut lines: Vec<String> = findings.iter().map(|finding| line(finding, width)).collect();
    lines.push(match &calibration.ceiling {
        Some(ceiling) => format!(
            "ceiling  {}/s kept{}; {} operations a second of one processor; {}",
            rate(ceiling.per_second),
            ceiling.not_kept.map_or(String::new(), |at| format!(", {}/s not", rate(at))),
            rate(ceiling.per_core_second),
            ceiling.transport,
        ),
        None => "ceiling  none: not even the lowest rate was kept".to_owned(),
    });
    let count = |status| calibration.with(status).len();
    lines.push(format!(
        "{} pass, {} fail, {} invalid",
        count(Status::Pass),
        count(Status::Fail),
        count(Status::Invalid)
    ));
    lines.join("\n")
}

/// One line, and more only where something is to be explained.
fn line(finding: &Finding, width: usize) -> String {
    let Finding { property, set, truth, observed, tolerance, status, because } = finding;
    let mut text = format!("{status:7}  {property:width$}  {observed}");
    if *status != Status::Pass {
        text.push_str(&format!("\n         set: {set}\n         truth: {truth}"));
        text.push_str(&format!("\n         tolerance: {tolerance}"));
        for why in because {
            text.push_str(&format!("\n         {why}"));
        }
    }
    text
}

fn rate(per_second: f64) -> String {
    let whole = std::time::Duration::try_from_secs_f64(per_second).unwrap_or_default().as_secs();
    if whole < 100 { significant(per_second) } else { grouped(whole) }
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::Ceiling;
    use kab_evidence::record::HostRecord;

    use super::*;

    fn calibration(statuses: &[Status], ceiling: bool) -> Calibration {
        let finding = |status: &Status| Finding {
            property: "stall".into(),
            set: "1,000/s".into(),
            truth: "2,000 late".into(),
            observed: "1 late".into(),
            tolerance: "none".into(),
            status: *status,
            because: Vec::new(),
        };
        Calibration {
            kab_version: "0.1.0".into(),
            optimised: true,
            at: "2026-11-22T10:00:00Z".parse().unwrap(),
            quick: true,
            host: HostRecord::default(),
            findings: statuses.iter().map(finding).collect(),
            ceiling: ceiling.then(|| Ceiling {
                per_second: 64_000.0,
                not_kept: Some(80_000.0),
                per_core_second: 91_234.5,
                transport: "HTTP/2".into(),
            }),
        }
    }

    #[test]
    fn a_failure_outweighs_what_is_invalid() {
        use Status::{Fail, Invalid, Pass};
        let exit = |statuses: &[Status]| exit(&calibration(statuses, true));
        assert_eq!(exit(&[Pass, Pass]), Exit::AsExpected);
        assert_eq!(exit(&[Pass, Invalid]), Exit::Inconclusive);
        assert_eq!(exit(&[Invalid, Fail, Pass]), Exit::Unexpected);
        assert_eq!(exit(&[]), Exit::Inconclusive, "nothing was tried");
        assert_eq!(super::exit(&calibration(&[Pass], false)), Exit::Inconclusive, "no ceiling");
    }

    #[test]
    fn a_line_a_property_and_reasons_where_it_does_not_hold() {
        let passed = text(&calibration(&[Status::Pass], true));
        assert_eq!(passed.lines().count(), 3, "{passed}");
        assert!(passed.contains("64,000/s kept, 80,000/s not; 91,234 operations"), "{passed}");
        let failed = text(&calibration(&[Status::Fail], true));
        assert!(failed.contains("truth: 2,000 late"), "{failed}");
    }
}

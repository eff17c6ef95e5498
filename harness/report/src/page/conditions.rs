//! The conditions that every number was taken under, and how to run it again.

use kab_evidence::calibration::{Calibration, Status};
use kab_evidence::record::{CellRecord, RunRecord, RunState};
use kab_verdict::Nanos;
use kab_verdict::value::{grouped, percent, significant};

use super::NO_DATA;

/// A program that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Which component.
    pub name: String,
    /// Where it came from, and its SHA-256.
    pub origin: Vec<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// The conditions, as label and value.
pub(super) fn conditions(record: &RunRecord) -> Vec<(String, String)> {
    let c = &record.conditions;
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |label: &str, value: String| {
        let value = if value.is_empty() { NO_DATA.to_owned() } else { value };
        rows.push((label.to_owned(), value));
    };
    row("provider", c.provider.clone());
    let versions: Vec<_> = c.versions.iter().map(|(of, v)| format!("{of} {v}")).collect();
    row("versions", versions.join(", "));
    row("kab", record.kab_version.clone());
    if !c.provider.is_empty() && c.etcd_members > 0 {
        row("topology", format!("{} etcd, {} kube-apiserver", c.etcd_members, c.apiservers));
        let fsync = if c.fsync && c.host.file_system == "tmpfs" {
            "on, but the lab's data is in memory (tmpfs): no write waits for a disk"
        } else if c.fsync {
            "on: a write is acknowledged only when it is on disk"
        } else {
            "OFF: an acknowledged write may not survive a power cut"
        };
        row("etcd fsync", fsync.to_owned());
        row("etcd quota", bytes(c.etcd_quota_bytes));
        if c.apiserver_tracing {
            let on = "on: every request, which costs the apiserver CPU time";
            row("apiserver tracing", on.to_owned());
        }
    }
    // What is told above with what it means is not told again.
    for (name, value) in c.settings.iter().filter(|(name, _)| *name != "etcd fsync") {
        row(name, value.clone());
    }
    let host = &c.host;
    if host.cores > 0 {
        row("processors", format!("{} x {}", host.cores, host.cpu));
        row("memory", bytes(host.memory_bytes));
        row("kernel", host.kernel.clone());
        row("file system of the lab's data", host.file_system.clone());
    }
    for cell in &record.cells {
        pressure(cell, &mut row);
    }
    row("generator", cited(c.calibration.as_ref()));
    row("began", record.clock.wall.to_string());
    for resumption in &record.resumed {
        row("resumed", resumption.clock.wall.to_string());
    }
    let clock = record.clock_of(record.last_part());
    let took = record.ended.map(|end| Nanos(end.signed_since(clock.monotonic)).to_string());
    let took_label = if record.resumed.is_empty() { "took" } else { "last part took" };
    row(took_label, took.unwrap_or_default());
    row(
        "state",
        match &record.state {
            RunState::Running => "did not end".to_owned(),
            RunState::Complete => "complete".to_owned(),
            RunState::Interrupted => "interrupted".to_owned(),
            RunState::Failed { reason } => format!("could not go on: {reason}"),
        },
    );
    rows
}

/// How the generator stood against a server whose answers are known.
fn cited(calibration: Option<&Calibration>) -> String {
    let Some(of) = calibration else {
        return "not calibrated: run kab calibrate".to_owned();
    };
    let mut text = format!("calibrated on {}", of.at.strftime("%Y-%m-%d %H:%M UTC"));
    text.push_str(if of.quick { " (quick)" } else { "" });
    text.push_str(&format!(
        ": {} of {} properties hold",
        of.with(Status::Pass).len(),
        of.findings.len()
    ));
    for (status, what) in [(Status::Fail, "DO NOT HOLD"), (Status::Invalid, "could not be judged")]
    {
        let names = of.with(status);
        if !names.is_empty() {
            text.push_str(&format!("; {what}: {}", names.join(", ")));
        }
    }
    match &of.ceiling {
        Some(ceiling) => text.push_str(&format!(
            "; ceiling {} operations a second over {}",
            grouped(whole(ceiling.per_second)),
            ceiling.transport
        )),
        None => text.push_str("; no ceiling found"),
    }
    text
}

/// A rate without its fraction.
fn whole(per_second: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(per_second).unwrap_or_default().as_secs()
}

/// What the machine did while the steps of `cell` ran.
fn pressure(cell: &CellRecord, row: &mut impl FnMut(&str, String)) {
    let Some(p) = &cell.pressure else {
        row(&format!("machine during {}", cell.id), NO_DATA.to_owned());
        return;
    };
    let share = |of: Option<f64>| of.map_or_else(|| NO_DATA.to_owned(), percent);
    row(
        &format!("machine during {}", cell.id),
        format!(
            "{} processors busy with this run, {} with anything else; {} stolen by the hypervisor; \
             some task waited for a processor {} of the time, for the disk {}, for memory {} (PSI)",
            significant(p.own_cores),
            significant(p.foreign_cores()),
            percent(p.steal),
            share(p.cpu_some),
            share(p.io_some),
            share(p.memory_some),
        ),
    );
}

/// The programs that were run, by component.
pub(super) fn programs(record: &RunRecord) -> Vec<Program> {
    let c = &record.conditions;
    let mut names: Vec<&String> = c.command_lines.keys().collect();
    names.extend(
        c.assets
            .iter()
            .map(|asset| &asset.name)
            .filter(|name| !c.command_lines.contains_key(*name)),
    );
    let origin = |name: &str| {
        let assets = c.assets.iter().filter(|asset| asset.name == name);
        assets.map(|a| format!("{}; SHA-256 {}", a.origin, a.sha256)).collect()
    };
    let program = |name: &String| Program {
        name: name.clone(),
        origin: origin(name),
        arguments: c.command_lines.get(name).cloned().unwrap_or_default(),
    };
    names.into_iter().map(program).collect()
}

/// The command that runs it again.
pub(super) fn command(record: &RunRecord) -> String {
    let scenario = &record.scenario;
    let mut command = format!("kab run {} --seed {}", quoted(&scenario.name), scenario.seed);
    for set in &scenario.set {
        command.push_str(&format!(" --set {}", quoted(set)));
    }
    command
}

/// What identifies the run's input.
pub(super) fn input(record: &RunRecord) -> Vec<(String, String)> {
    let scenario = &record.scenario;
    let set = if scenario.set.is_empty() { "none".to_owned() } else { scenario.set.join(", ") };
    [
        ("run", record.run.clone()),
        ("kab", record.kab_version.clone()),
        ("scenario", scenario.name.clone()),
        ("SHA-256 of the scenario", scenario.sha256.clone()),
        ("seed", scenario.seed.to_string()),
        ("settings (--set)", set),
    ]
    .map(|(label, value)| (label.to_owned(), value))
    .to_vec()
}

/// `text` as a shell reads one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn bytes(count: u64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.iter().find(|(_, size)| count >= *size);
    unit.map_or_else(
        || format!("{count} B"),
        |(name, size)| format!("{} {name}", significant(count as f64 / *size as f64)),
    )
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::{Ceiling, Finding};
    use kab_evidence::record::HostRecord;

    use super::*;

    #[test]
    fn the_calibration_is_cited_with_what_does_not_hold() {
        let finding = |property: &str, status| Finding {
            property: property.into(),
            set: String::new(),
            truth: String::new(),
            observed: String::new(),
            tolerance: String::new(),
            status,
            because: Vec::new(),
        };
        let findings = [("stall", Status::Pass), ("lateness", Status::Fail)];
        let calibration = Calibration {
            kab_version: "0.1.0".into(),
            optimised: true,
            at: "2026-11-22T10:15:00Z".parse().unwrap(),
            quick: false,
            host: HostRecord::default(),
            findings: findings.map(|(property, status)| finding(property, status)).into(),
            ceiling: Some(Ceiling {
                per_second: 48_000.0,
                not_kept: None,
                per_core_second: 1.0,
                transport: "HTTP/2".into(),
            }),
        };
        assert_eq!(
            cited(Some(&calibration)),
            "calibrated on 2026-11-22 10:15 UTC: 1 of 2 properties hold; DO NOT HOLD: lateness; \
             ceiling 48,000 operations a second over HTTP/2"
        );
        assert_eq!(cited(None), "not calibrated: run kab calibrate");
    }

    #[test]
    fn a_word_stays_one_word_in_a_shell() {
        assert_eq!(quoted("steps.write.load.rate=40/s"), "steps.write.load.rate=40/s");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("$(x)'"), "'$(x)'\\'''");
    }
}

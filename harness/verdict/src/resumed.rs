//! What a reader must know of a run that was not made in one go.

use kab_evidence::record::{Conditions, RunRecord, RunState};

/// Sentences on the parts of `record`'s run; none if it was made in one go.
pub(crate) fn notes(record: &RunRecord) -> Vec<String> {
    let mut notes = Vec::new();
    for (resumption, part) in record.resumed.iter().zip(1..) {
        let found = match &resumption.found {
            RunState::Running => "killed".to_owned(),
            RunState::Interrupted => "interrupted".to_owned(),
            RunState::Complete => "complete".to_owned(),
            RunState::Failed { reason } => {
                format!("given up ({})", reason.trim_end_matches('.'))
            }
        };
        let cells: Vec<&str> =
            record.cells.iter().filter(|cell| cell.part == part).map(|c| c.id.as_str()).collect();
        let ran = match cells.as_slice() {
            [] => "no cell was run".to_owned(),
            cells => format!("run then: {}", cells.join(", ")),
        };
        notes.push(format!(
            "The run had been {found}, and was resumed at {}; {ran}.",
            resumption.clock.wall
        ));
        for left in &resumption.set_aside {
            let place = left.folder.as_ref();
            let place = place.map(|at| format!("; what it left lies in {at}")).unwrap_or_default();
            notes.push(format!(
                "Cell {} had been begun before and was run again from its beginning{place}.",
                left.cell.id
            ));
        }
        if resumption.kab_version != record.kab_version {
            notes.push(format!(
                "It was begun by kab {}, and gone on with by kab {}: their cells may not be comparable.",
                record.kab_version, resumption.kab_version
            ));
        }
        let now = resumption.conditions.as_ref();
        for what in now.map(|now| differences(&record.conditions, now)).unwrap_or_default() {
            notes.push(format!("The conditions of the cells run then are others: {what}."));
        }
    }
    notes
}

/// What is not the same `then` and `now`. Command lines are left out: ports and
/// folders are never the same.
fn differences(then: &Conditions, now: &Conditions) -> Vec<String> {
    // Nothing is known of a part that brought up no cell.
    if then.provider.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut compare = |what: &str, then: String, now: String| {
        if then != now {
            found.push(format!("{what} {now} instead of {then}"));
        }
    };
    let versions = |of: &Conditions| {
        of.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>()
    };
    compare("provider", then.provider.clone(), now.provider.clone());
    compare("versions", versions(then).join(", "), versions(now).join(", "));
    let programs = |of: &Conditions| {
        let mut sums: Vec<_> =
            of.assets.iter().map(|a| format!("{} {}", a.name, a.sha256)).collect();
        sums.sort();
        sums.join(", ")
    };
    compare("programs", programs(then), programs(now));
    compare("processors", then.host.cores.to_string(), now.host.cores.to_string());
    compare("processor", then.host.cpu.clone(), now.host.cpu.clone());
    compare(
        "bytes of memory",
        then.host.memory_bytes.to_string(),
        now.host.memory_bytes.to_string(),
    );
    compare("kernel", then.host.kernel.clone(), now.host.kernel.clone());
    compare("file system", then.host.file_system.clone(), now.host.file_system.clone());
    found
}

//! `kab list`: the scenarios.

use std::path::Path;

use kab_scenario::Entry;
use serde_json::json;

use super::print;
use crate::args::List;
use crate::exit::{Exit, Failure};

pub fn run(args: &List) -> Result<Exit, Failure> {
    let folder = args.scenarios.as_deref().unwrap_or(Path::new(kab_scenario::catalogue::FOLDER));
    let entries = kab_scenario::catalogue(folder);
    if args.json {
        let entries: Vec<_> = entries.iter().map(as_json).collect();
        print(&format!("{:#}", serde_json::Value::from(entries)))?;
    } else {
        let widest = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
        for entry in &entries {
            print(&format!("{:widest$}  {}", entry.name, in_a_line(entry)))?;
        }
    }
    let bad = entries.iter().any(|entry| entry.about.is_err());
    Ok(if bad { Exit::Usage } else { Exit::AsExpected })
}

fn in_a_line(entry: &Entry) -> String {
    match &entry.about {
        Ok(about) => {
            let risk = about.risk.as_ref().map(|risk| format!(", {risk}")).unwrap_or_default();
            format!("{} ({}{risk})", about.summary, json!(about.tier).as_str().unwrap_or_default())
        }
        Err(_) => format!("cannot be run; `kab run {} --dry-run` says why", entry.name),
    }
}

fn as_json(entry: &Entry) -> serde_json::Value {
    match &entry.about {
        Ok(about) => json!({
            "name": entry.name,
            "path": entry.path,
            "summary": about.summary,
            "tier": about.tier,
            "risk": about.risk,
        }),
        Err(problems) => json!({
            "name": entry.name, "path": entry.path, "error": problems.to_string(),
        }),
    }
}

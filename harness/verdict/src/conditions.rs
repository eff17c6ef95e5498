//! Conditions under which two runs were not alike.

use std::collections::BTreeSet;

use kab_evidence::record::{CellRecord, Pressure, RunRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{percent, significant};

/// A difference below this many processors busy with anything else is noise.
const CORES: f64 = 0.1;
/// A difference below this share of time taken by the hypervisor is noise.
const STEAL: f64 = 0.02;

/// One condition under which two runs were not alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Differing {
    /// Which condition.
    pub what: String,
    /// In run A.
    pub a: String,
    /// In run B.
    pub b: String,
}

/// Every condition in which `a` and `b` differ.
pub fn differing(a: &RunRecord, b: &RunRecord) -> Vec<Differing> {
    let mut found = Vec::new();
    let mut hold = |what: &str, a: String, b: String| {
        if a != b {
            found.push(Differing { what: what.to_owned(), a, b });
        }
    };
    hold("kab", a.kab_version.clone(), b.kab_version.clone());
    let (of_a, of_b) = (&a.scenario, &b.scenario);
    hold("scenario", of_a.name.clone(), of_b.name.clone());
    hold("scenario's SHA-256", of_a.sha256.clone(), of_b.sha256.clone());
    hold("settings (--set)", listed(&of_a.set), listed(&of_b.set));
    hold("seed", of_a.seed.to_string(), of_b.seed.to_string());
    let (of_a, of_b) = (&a.conditions, &b.conditions);
    hold("provider", of_a.provider.clone(), of_b.provider.clone());
    for name in of_a.versions.keys().chain(of_b.versions.keys()).collect::<BTreeSet<_>>() {
        let version = |of: &kab_evidence::record::Conditions| {
            of.versions.get(name).cloned().unwrap_or_else(|| "none".to_owned())
        };
        hold(&format!("version of {name}"), version(of_a), version(of_b));
    }
    hold("etcd members", of_a.etcd_members.to_string(), of_b.etcd_members.to_string());
    hold("apiservers", of_a.apiservers.to_string(), of_b.apiservers.to_string());
    let fsync = |on: bool| if on { "on" } else { "off" }.to_owned();
    hold("etcd fsync", fsync(of_a.fsync), fsync(of_b.fsync));
    let tracing = |on: bool| if on { "on" } else { "off" }.to_owned();
    hold("apiserver tracing", tracing(of_a.apiserver_tracing), tracing(of_b.apiserver_tracing));
    let quota = |bytes: u64| format!("{bytes} B");
    hold("etcd quota", quota(of_a.etcd_quota_bytes), quota(of_b.etcd_quota_bytes));
    let (host_a, host_b) = (&of_a.host, &of_b.host);
    let processors = |h: &kab_evidence::record::HostRecord| format!("{} x {}", h.cores, h.cpu);
    hold("processors", processors(host_a), processors(host_b));
    let memory = |bytes: u64| format!("{} MiB", bytes >> 20);
    hold("memory", memory(host_a.memory_bytes), memory(host_b.memory_bytes));
    hold("kernel", host_a.kernel.clone(), host_b.kernel.clone());
    hold("file system", host_a.file_system.clone(), host_b.file_system.clone());
    found.extend(flags(a, b));
    found.extend(programs(a, b));
    for cell in &a.cells {
        if let Some(other) = b.cells.iter().find(|other| other.id == cell.id) {
            found.extend(built(cell, other));
            let during = format!(" during {}", cell.id);
            found.extend(machine(cell.pressure.as_ref(), other.pressure.as_ref(), &during));
        }
    }
    found
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(" ") }
}

/// Flags that only one of the runs gave a component. A value that names a
/// file, a folder or an address of the run itself differs always, and is only
/// compared by the flag's name.
fn flags(a: &RunRecord, b: &RunRecord) -> Vec<Differing> {
    let (a, b) = (&a.conditions.command_lines, &b.conditions.command_lines);
    let components: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let mut found = Vec::new();
    for component in components {
        let of = |all: &std::collections::BTreeMap<String, Vec<String>>| -> BTreeSet<String> {
            all.get(component).into_iter().flatten().map(|flag| lasting(flag)).collect()
        };
        let (of_a, of_b) = (of(a), of(b));
        let only = |here: &BTreeSet<String>, there: &BTreeSet<String>| {
            listed(&here.difference(there).cloned().collect::<Vec<_>>())
        };
        if of_a != of_b {
            found.push(Differing {
                what: format!("flags of {component}"),
                a: only(&of_a, &of_b),
                b: only(&of_b, &of_a),
            });
        }
    }
    found
}

/// `flag` without what is the run's own: paths, addresses, ports.
fn lasting(flag: &str) -> String {
    match flag.split_once('=') {
        Some((name, value)) if value.contains('/') || value.contains("127.0.0.1") => {
            format!("{name}=...")
        }
        Some((name, _)) if name.ends_with("-port") => format!("{name}=..."),
        _ => flag.to_owned(),
    }
}

/// Programs that are not the same file.
fn programs(a: &RunRecord, b: &RunRecord) -> Vec<Differing> {
    let pairs = a.conditions.assets.iter().filter_map(|asset| {
        let other = b.conditions.assets.iter().find(|other| other.name == asset.name)?;
        (asset.sha256 != other.sha256).then(|| Differing {
            what: format!("program of {} (SHA-256)", asset.name),
            a: asset.sha256.clone(),
            b: other.sha256.clone(),
        })
    });
    pairs.collect()
}

/// With which defects a system was built, and what it was set to; as far as
/// both records say, which older ones do not.
fn built(a: &CellRecord, b: &CellRecord) -> Vec<Differing> {
    let mut found = Vec::new();
    let mut hold = |what: String, a: Option<&String>, b: Option<&String>| {
        if a != b {
            let [a, b] = [a, b].map(|value| value.cloned().unwrap_or_else(|| "none".to_owned()));
            found.push(Differing { what, a, b });
        }
    };
    let [with_a, with_b] = [a, b].map(|cell| listed(&cell.defects));
    let says = |cell: &CellRecord| !(cell.defects.is_empty() && cell.differences.is_empty());
    if says(a) == says(b) {
        hold(format!("defects of {}", a.id), Some(&with_a), Some(&with_b));
    }
    let names = a.settings.keys().chain(b.settings.keys()).collect::<BTreeSet<_>>();
    for name in names.into_iter().filter(|_| !a.settings.is_empty() && !b.settings.is_empty()) {
        hold(format!("{name} of {}", a.id), a.settings.get(name), b.settings.get(name));
    }
    found
}

/// What the machine did beside two cells; `during` says which, if need be.
pub(crate) fn machine(a: Option<&Pressure>, b: Option<&Pressure>, during: &str) -> Vec<Differing> {
    let mut found = Vec::new();
    let (Some(of_a), Some(of_b)) = (a, b) else {
        if a.is_some() != b.is_some() {
            let known = |there: bool| if there { "known" } else { "no data" }.to_owned();
            found.push(Differing {
                what: format!("what the machine did{during}"),
                a: known(a.is_some()),
                b: known(b.is_some()),
            });
        }
        return found;
    };
    let cores = [of_a, of_b].map(Pressure::foreign_cores);
    if (cores[0] - cores[1]).abs() >= CORES {
        let [a_cores, b_cores] = cores.map(significant);
        let what = format!("processors busy with anything else{during}");
        found.push(Differing { what, a: a_cores, b: b_cores });
    }
    if (of_a.steal - of_b.steal).abs() >= STEAL {
        let what = format!("time taken by the hypervisor (steal){during}");
        found.push(Differing { what, a: percent(of_a.steal), b: percent(of_b.steal) });
    }
    found
}

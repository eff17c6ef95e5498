//! The conditions of a run whose cells run different servers.

use super::{AssetRecord, Conditions};

impl Conditions {
    /// Adds the conditions of one more cell, whose system may run other
    /// servers: what is known by name is joined, and a setting that had another
    /// value keeps both. Of what there is one of, such as whether etcd waits for
    /// the disk, the latest cell that has it is told.
    pub fn merge(&mut self, mut more: Self) {
        let before = std::mem::take(self);
        for (name, version) in before.versions {
            more.versions.entry(name).or_insert(version);
        }
        for (name, line) in before.command_lines {
            more.command_lines.entry(name).or_insert(line);
        }
        let known = |of: &[AssetRecord], asset: &AssetRecord| of.iter().any(|a| a.is(asset));
        let mut assets = before.assets;
        assets.extend(
            more.assets.into_iter().filter(|asset| !known(&assets, asset)).collect::<Vec<_>>(),
        );
        more.assets = assets;
        for (name, value) in before.settings {
            let now = more.settings.entry(name).or_insert_with(|| value.clone());
            let had = |of: &str| of.split(OR).any(|one| one == now);
            if *now != value {
                *now = if had(&value) { value } else { format!("{value}{OR}{now}") };
            }
        }
        if more.fidelity != before.fidelity && !before.fidelity.contains(&more.fidelity) {
            let both = [before.fidelity, more.fidelity];
            more.fidelity = both.join(" ").trim().to_owned();
        } else {
            more.fidelity = before.fidelity;
        }
        if more.etcd_members == 0 && more.apiservers == 0 {
            more.etcd_members = before.etcd_members;
            more.apiservers = before.apiservers;
            more.fsync = before.fsync;
            more.etcd_quota_bytes = before.etcd_quota_bytes;
        }
        more.apiserver_tracing |= before.apiserver_tracing;
        more.calibration = more.calibration.or(before.calibration);
        *self = more;
    }
}

/// Between the values of a setting that differs between cells.
const OR: &str = " or ";

impl AssetRecord {
    /// Whether both are the same file, serving as the same component.
    fn is(&self, other: &Self) -> bool {
        (&self.name, &self.sha256) == (&other.name, &other.sha256)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::record::CellRecord;

    fn asset(name: &str, sha256: &str) -> AssetRecord {
        let (origin, path) = (String::new(), PathBuf::new());
        AssetRecord { name: name.into(), origin, sha256: sha256.into(), path }
    }

    fn of(server: &str, fsync: bool, settings: &[(&str, &str)]) -> Conditions {
        let text = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        Conditions {
            provider: "local".into(),
            fidelity: format!("Real {server}."),
            etcd_members: u32::from(server == "etcd"),
            fsync,
            versions: [text(&(server, "1"))].into(),
            command_lines: [(server.to_owned(), vec!["--a".to_owned()])].into(),
            assets: vec![asset(server, "ab"), asset("shared", "cd")],
            settings: settings.iter().map(text).collect(),
            ..Conditions::default()
        }
    }

    #[test]
    fn conditions_of_cells_that_run_other_servers_are_joined() {
        let mut all = Conditions::default();
        all.merge(of("etcd", true, &[("pool", "8"), ("replicas", "1")]));
        assert_eq!(all, of("etcd", true, &[("pool", "8"), ("replicas", "1")]));
        for _ in 0..2 {
            all.merge(of("postgres", false, &[("pool", "16"), ("durable", "yes")]));
        }
        // There is no etcd in the second, so it says nothing of it.
        assert!(all.fsync);
        assert_eq!((all.etcd_members, all.fidelity.as_str()), (1, "Real etcd. Real postgres."));
        assert_eq!(all.versions.len(), 2);
        assert_eq!(all.command_lines.len(), 2);
        let names: Vec<_> = all.assets.iter().map(|asset| asset.name.as_str()).collect();
        assert_eq!(names, ["etcd", "shared", "postgres"]);
        let settings: Vec<_> = all.settings.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(settings, ["durable=yes", "pool=8 or 16", "replicas=1"]);
    }

    #[test]
    fn a_record_of_an_older_kab_says_nothing_of_what_it_did_not_know() {
        let old = r#"{"id":"naive","system":"naive","steps":[],"validity":{"invalidBecause":[]}}"#;
        let cell: CellRecord = serde_json::from_str(old).unwrap();
        assert!(cell.defects.is_empty() && cell.differences.is_empty() && cell.settings.is_empty());
        assert_eq!(serde_json::to_string(&cell).unwrap(), old);
    }
}

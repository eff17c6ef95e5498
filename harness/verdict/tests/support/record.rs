//! The record of a synthetic run: a quickstart on a made-up machine.

use std::collections::BTreeMap;

use kab_evidence::clock::ClockAnchor;
use kab_evidence::record::*;

use super::{CELL, at};

pub fn record(steps: Vec<StepRecord>) -> RunRecord {
    let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let flags = ["--quota-backend-bytes=2147483648", "--data-dir=data"].map(str::to_owned);
    RunRecord {
        schema_version: SCHEMA_VERSION,
        kab_version: "0.1.0".into(),
        run: "quickstart-20261122T101500Z-5eed".into(),
        scenario: ScenarioRef {
            name: "quickstart".into(),
            question: "Does every acknowledged write reach the subscriber, and how soon?".into(),
            risk: None,
            sha256: "ab".repeat(32),
            set: vec!["steps.write.load.rate=40/s".into()],
            seed: 42,
        },
        state: RunState::Complete,
        clock: ClockAnchor { monotonic: at(0), wall: "2026-11-22T10:15:00Z".parse().unwrap() },
        ended: Some(at(61_000_000_000)),
        conditions: Conditions {
            apiserver_tracing: false,
            fidelity: "Real etcd and kube-apiserver as local processes; one machine, no network between them.".into(),
            provider: "local".into(),
            versions: text(&[("kubernetes", "v1.36.3"), ("etcd", "3.6.8")]),
            etcd_members: 1,
            apiservers: 1,
            fsync: true,
            etcd_quota_bytes: 2 << 30,
            command_lines: [("etcd".to_owned(), flags.to_vec())].into(),
            assets: vec![AssetRecord {
                name: "etcd".into(),
                origin: "built from controlplane/".into(),
                sha256: "cd".repeat(32),
                path: "cache/controlplane".into(),
            }],
            host: HostRecord {
                cores: 2,
                cpu: "Example CPU".into(),
                memory_bytes: 8 << 30,
                kernel: "Linux 6.12".into(),
                file_system: "ext4".into(),
            },
            calibration: None,
        },
        resumed: Vec::new(),
        validity: Validity::default(),
        cells: vec![CellRecord {
            id: CELL.into(),
            part: 0,
            system: "naive".into(),
            axes: BTreeMap::new(),
            defects: Vec::new(),
            may_die: Vec::new(),
            steps,
            pressure: Some(Pressure {
                cpu_some: Some(0.12),
                io_some: Some(0.031),
                memory_some: Some(0.0),
                steal: 0.004,
                busy_cores: 1.4,
                own_cores: 1.2,
            }),
            evidence: None,
            lost: Vec::new(),
            tracing: None,
            validity: Validity::default(),
        }],
        verdicts: Vec::new(),
    }
}

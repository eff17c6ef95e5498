//! What servers would tell of themselves in the synthetic run.

use kab_evidence::clock::Mono;
use kab_evidence::series::{Buckets, Sample, UP};

use super::at;

pub const API: &str = "kube-apiserver";
pub const ETCD: &str = "etcd";

/// `seconds` after the run's start, or before it.
pub fn when(seconds: f64) -> Mono {
    let nanos = std::time::Duration::from_secs_f64(seconds.abs()).as_nanos();
    let nanos = u64::try_from(nanos).unwrap();
    if seconds < 0.0 { Mono::from_nanos(super::START - nanos) } else { at(nanos) }
}

pub fn sample(seconds: f64, of: &str, metric: &str, value: f64) -> Sample {
    Sample::new(when(seconds), of, metric, value)
}

pub fn labelled(mut sample: Sample, labels: &[(&str, &str)]) -> Sample {
    sample.labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    sample
}

/// A histogram's reading, from the bounds with what is at or below each.
pub fn histogram(seconds: f64, of: &str, metric: &str, sum: f64, all: &[(f64, u64)]) -> Sample {
    let count = all.last().map_or(0, |(_, count)| *count);
    let mut sample = sample(seconds, of, metric, f64::from(u32::try_from(count).unwrap()));
    sample.histogram = Some(Buckets::new(sum, all.to_vec(), count));
    sample
}

/// Two servers that are read every 2 s from just before the run until 62 s
/// into it, and that do more as time goes by.
pub fn healthy() -> Vec<Sample> {
    let mut all = Vec::new();
    for i in 0..=32u32 {
        let seconds = f64::from(i) * 2.0 - 1.0;
        let n = f64::from(i);
        for of in [API, ETCD] {
            all.extend([
                sample(seconds, of, UP, 1.0),
                sample(seconds, of, "process_start_time_seconds", 1e9),
                sample(seconds, of, "cpu_seconds_total", n * 0.5),
                sample(seconds, of, "resident_bytes", 2e8 + n * 1e6),
                sample(seconds, of, "open_files", 50.0),
                sample(seconds, of, "written_bytes_total", n * 4096.0),
            ]);
        }
        let level = |level| [("priority_level", level)];
        let apf = |what: &str, value: f64| {
            sample(seconds, API, &format!("apiserver_flowcontrol_{what}"), value)
        };
        all.extend([
            labelled(apf("dispatched_requests_total", n * 80.0), &level("workload-low")),
            labelled(apf("dispatched_requests_total", n), &level("exempt")),
            labelled(apf("current_executing_seats", n % 5.0), &level("workload-low")),
            labelled(apf("current_executing_seats", 9.0), &level("exempt")),
            labelled(apf("current_inqueue_requests", 0.0), &level("workload-low")),
        ]);
        let count = u64::from(i) * 200;
        all.push(histogram(
            seconds,
            ETCD,
            "etcd_disk_wal_fsync_duration_seconds",
            n * 0.3,
            &[(0.001, count / 2), (0.002, count * 95 / 100), (0.004, count), (0.008, count)],
        ));
        all.extend([
            sample(seconds, ETCD, "etcd_mvcc_db_total_size_in_bytes", 1e6 + n * 65_536.0),
            sample(seconds, ETCD, "etcd_mvcc_db_total_size_in_use_in_bytes", 8e5 + n * 50_000.0),
            sample(seconds, ETCD, "etcd_server_quota_backend_bytes", 2_147_483_648.0),
        ]);
    }
    all
}

/// The same, but `of` gives no answer from `seconds` on.
pub fn silent_from(of: &str, seconds: f64) -> Vec<Sample> {
    let mut all = healthy();
    all.retain(|sample| sample.of != of || sample.at < when(seconds));
    let mut asked = seconds;
    while asked < 62.0 {
        all.push(sample(asked, of, UP, 0.0));
        asked += 2.0;
    }
    all
}

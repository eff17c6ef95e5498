//! What the apiserver and etcd told of themselves, and what the kernel says of
//! their processes, in a stretch of time.
//!
//! Counts are differences between the last reading before the stretch and the
//! first after it; the runner reads everything between steps. Where one of the
//! two is missing, because a server was down or was never asked, there is no
//! number. Peaks are the largest value seen at a reading: what came and went
//! between two readings is not in them.

mod observed;
mod over_time;
mod series;

use kab_evidence::clock::Mono;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use observed::{Between, Observed, observed};
pub use over_time::{Gap, Line, OverTime, StepSpan, over_time};
pub use series::{AllSeries, Labels, Reading, Series, Span, Usage, Used};

use crate::value::Nanos;
use observed::whole;

/// Names of the processes in the series.
pub(crate) const APISERVER: &str = "kube-apiserver";
pub(crate) const ETCD: &str = "etcd";

/// Everything measured of the servers in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Servers {
    /// How the apiserver's process fared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apiserver: Option<Process>,
    /// How etcd's process fared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd: Option<Process>,
    /// Priority and fairness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apf: Option<Apf>,
    /// Requests for resources, whoever made them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    /// Admission webhooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Watches, and the cache that serves them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// Requests to etcd, as the apiserver sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd_requests: Option<Observed>,
    /// Syncs of etcd's log to the disk, which a write waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_fsync: Option<Observed>,
    /// Commits of etcd's database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_commit: Option<Observed>,
    /// etcd's database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db: Option<Database>,
    /// How often they were asked.
    #[serde(default)]
    pub scrapes: Scrapes,
}

/// How a process fared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// CPU time used, user and system, kab's own scrapes included.
    pub cpu: Nanos,
    /// The same for each acknowledged operation; none without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_per_ok: Option<Nanos>,
    /// Mean processors busy with it.
    pub cores: f64,
    /// Most memory resident, in bytes.
    pub resident_peak: u64,
    /// Most files and sockets open.
    pub open_files_peak: u64,
    /// Bytes handed to the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// Most bytes in live Go objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_peak: Option<u64>,
    /// Most goroutines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goroutines_peak: Option<u64>,
}

/// Priority and fairness, over all levels but `exempt`, at which nothing waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Apf {
    /// Requests let through.
    pub dispatched: u64,
    /// Requests turned away.
    pub rejected: u64,
    /// Most requests queued.
    pub queue_peak: u64,
    /// Most seats taken.
    pub seats_peak: u64,
    /// How long requests that were let through had waited for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Observed>,
}

/// Requests for resources, as the apiserver counts them when it has answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// All of them.
    pub total: u64,
    /// Answered with 429.
    pub too_many: u64,
    /// Answered with 5xx.
    pub server_errors: u64,
    /// How long POST, PUT, PATCH, APPLY and DELETE took inside the apiserver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Observed>,
}

/// Admission webhooks, as the apiserver sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// How long their answers took.
    pub duration: Observed,
    /// Requests that they refused, or that were refused because they failed.
    pub rejected: u64,
    /// Requests let through although they failed.
    pub failed_open: u64,
}

/// Watches, and the cache that serves them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// Most watches open.
    pub open_peak: u64,
    /// Watches that the server ended because their reader was too slow.
    pub terminated: u64,
    /// Events sent, over all watches.
    pub events_sent: u64,
    /// Events that the cache took in from etcd.
    pub events_received: u64,
    /// Caches filled anew, after which their watchers must list again.
    pub initializations: u64,
    /// Times that a cache's window of past events was made larger or smaller.
    pub capacity_changes: u64,
}

/// etcd's database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Its size on disk at the end, in bytes.
    pub size: u64,
    /// By how much that grew; negative after a defragmentation.
    pub growth: i64,
    /// How much of it is in use at the end, in bytes.
    pub in_use: u64,
    /// By how much that grew; negative after a compaction.
    pub in_use_growth: i64,
    /// Size on disk as a share of the quota at which etcd refuses writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_used: Option<f64>,
}

/// How often servers were asked for their metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scrapes {
    /// Answers of the apiserver.
    pub apiserver: u64,
    /// Answers of etcd.
    pub etcd: u64,
    /// Scrapes of either that brought nothing.
    pub failed: u64,
    /// CPU time that kab took to read the answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Nanos>,
}

/// What was measured between `from` and `to`, in which `ok` operations were
/// acknowledged; none without any series.
pub fn servers(all: &AllSeries, from: Mono, to: Mono, ok: u64) -> Option<Servers> {
    if all.is_empty() {
        return None;
    }
    let api = all.scraped(APISERVER, from, to);
    let etcd = all.scraped(ETCD, from, to);
    let observed = |of: &str, metric: &str, span: Option<Span>| {
        observed(all, of, metric, span?, |_| true).filter(|observed| observed.count > 0)
    };
    Some(Servers {
        apiserver: process(all, APISERVER, from, to, ok),
        etcd: process(all, ETCD, from, to, ok),
        apf: api.and_then(|span| apf(all, span)),
        requests: api.and_then(|span| requests(all, span)),
        webhook: api.and_then(|span| webhook(all, span)),
        watch: api.and_then(|span| watch(all, span)),
        etcd_requests: observed(APISERVER, "etcd_request_duration_seconds", api),
        wal_fsync: observed(ETCD, "etcd_disk_wal_fsync_duration_seconds", etcd),
        backend_commit: observed(ETCD, "etcd_disk_backend_commit_duration_seconds", etcd),
        db: etcd.and_then(|span| database(all, span)),
        scrapes: scrapes(all, from, to),
    })
}

fn process(all: &AllSeries, of: &str, from: Mono, to: Mono, ok: u64) -> Option<Process> {
    let span = all.sampled(of, from, to)?;
    let any = |_: &Labels| true;
    let cpu = all.growth(of, "cpu_seconds_total", span, any)?;
    let peak = |metric| all.peak(of, metric, span, any).map(whole);
    let told = |metric| all.peak(of, metric, all.scraped(of, from, to)?, any).map(whole);
    Some(Process {
        cpu: Nanos::from_seconds(cpu),
        cpu_per_ok: (ok > 0).then(|| Nanos::from_seconds(cpu / ok as f64)),
        cores: cpu / span.seconds().max(f64::EPSILON),
        resident_peak: peak("resident_bytes")?,
        open_files_peak: peak("open_files")?,
        written: all.growth(of, "written_bytes_total", span, any).map(whole),
        heap_peak: told("go_memstats_heap_alloc_bytes"),
        goroutines_peak: told("go_goroutines"),
    })
}

fn apf(all: &AllSeries, span: Span) -> Option<Apf> {
    let limited =
        |labels: &Labels| labels.get("priority_level").is_some_and(|level| level != "exempt");
    let name = |what: &str| format!("apiserver_flowcontrol_{what}");
    let growth = |what: &str| all.growth(APISERVER, &name(what), span, limited).map(whole);
    let peak = |what: &str| all.peak(APISERVER, &name(what), span, limited).map_or(0, whole);
    let wait = observed(all, APISERVER, &name("request_wait_duration_seconds"), span, |labels| {
        limited(labels) && labels.get("execute").is_some_and(|executed| executed == "true")
    });
    Some(Apf {
        // Counters with labels appear when they first count: beside this one,
        // which is always there, an absent one is 0.
        dispatched: growth("dispatched_requests_total")?,
        rejected: growth("rejected_requests_total").unwrap_or(0),
        queue_peak: peak("current_inqueue_requests"),
        seats_peak: peak("current_executing_seats"),
        wait: wait.filter(|wait| wait.count > 0),
    })
}

fn requests(all: &AllSeries, span: Span) -> Option<Requests> {
    let of_resource = |labels: &Labels| labels.contains_key("resource");
    let coded = |wanted: fn(&str) -> bool| {
        all.growth(APISERVER, "apiserver_request_total", span, |labels| {
            of_resource(labels) && labels.get("code").is_some_and(|code| wanted(code))
        })
        .map(whole)
    };
    let writes = observed(all, APISERVER, "apiserver_request_duration_seconds", span, |labels| {
        let verb = labels.get("verb").map_or("", String::as_str);
        of_resource(labels) && ["POST", "PUT", "PATCH", "APPLY", "DELETE"].contains(&verb)
    });
    Some(Requests {
        total: coded(|_| true)?,
        too_many: coded(|code| code == "429")?,
        server_errors: coded(|code| code.starts_with('5'))?,
        writes: writes.filter(|writes| writes.count > 0),
    })
}

fn webhook(all: &AllSeries, span: Span) -> Option<Webhook> {
    let name = |what: &str| format!("apiserver_admission_webhook_{what}");
    let any = |_: &Labels| true;
    let growth = |what: &str| all.growth(APISERVER, &name(what), span, any).map_or(0, whole);
    let duration = observed(all, APISERVER, &name("admission_duration_seconds"), span, any)?;
    Some(Webhook {
        duration: Some(duration).filter(|duration| duration.count > 0)?,
        rejected: growth("rejection_count"),
        failed_open: growth("fail_open_count"),
    })
}

fn watch(all: &AllSeries, span: Span) -> Option<Watch> {
    let any = |_: &Labels| true;
    let growth = |metric: &str| all.growth(APISERVER, metric, span, any).map(whole);
    let open = all.peak(APISERVER, "apiserver_longrunning_requests", span, |labels| {
        labels.get("verb").is_some_and(|verb| verb == "WATCH")
    });
    let changed = |metric: &str| growth(metric).unwrap_or(0);
    Some(Watch {
        // Always there, unlike the counters of what never happened.
        events_received: growth("apiserver_watch_cache_events_received_total")?,
        events_sent: growth("apiserver_watch_events_total")?,
        open_peak: open.map(whole)?,
        terminated: changed("apiserver_terminated_watchers_total"),
        initializations: growth("apiserver_watch_cache_initializations_total")?,
        capacity_changes: changed("watch_cache_capacity_increase_total")
            + changed("watch_cache_capacity_decrease_total"),
    })
}

fn database(all: &AllSeries, span: Span) -> Option<Database> {
    let at = |metric: &str, at: Mono| Some(all.get(ETCD, metric).first()?.at(at)?.value);
    let (size, used) =
        ("etcd_mvcc_db_total_size_in_bytes", "etcd_mvcc_db_total_size_in_use_in_bytes");
    let last = |metric: &str| at(metric, span.to).map(whole);
    let grown = |metric: &str| {
        let [before, after] = [at(metric, span.from)?, at(metric, span.to)?].map(whole);
        i64::try_from(i128::from(after) - i128::from(before)).ok()
    };
    let quota = at("etcd_server_quota_backend_bytes", span.to).filter(|quota| *quota > 0.0);
    Some(Database {
        size: last(size)?,
        growth: grown(size)?,
        in_use: last(used)?,
        in_use_growth: grown(used)?,
        quota_used: at(size, span.to).zip(quota).map(|(size, quota)| size / quota),
    })
}

fn scrapes(all: &AllSeries, from: Mono, to: Mono) -> Scrapes {
    let count = |of: &str, wanted: bool| {
        let within = |(at, up): &(Mono, bool)| *at >= from && *at <= to && *up == wanted;
        all.scrapes(of).filter(within).count() as u64
    };
    Scrapes {
        apiserver: count(APISERVER, true),
        etcd: count(ETCD, true),
        failed: count(APISERVER, false) + count(ETCD, false),
        cpu: all.sampled("kab", from, to).and_then(|span| {
            let cpu = all.growth("kab", "scrape_cpu_seconds_total", span, |_| true);
            cpu.map(Nanos::from_seconds)
        }),
    }
}

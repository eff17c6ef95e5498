//! Which of a server's metrics are kept, and why. Everything else on the page
//! is passed over: most of it is of no use to a verdict, and a page is
//! megabytes. Labels that are not named are summed over.

/// A metric that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: &'static str,
    /// The labels that tell its series apart.
    pub by: &'static [&'static str],
    /// Whether it is a histogram.
    pub histogram: bool,
}

const fn plain(name: &'static str, by: &'static [&'static str]) -> Kept {
    Kept { name, by, histogram: false }
}

const fn histogram(name: &'static str, by: &'static [&'static str]) -> Kept {
    Kept { name, by, histogram: true }
}

/// What the apiserver tells of itself.
///
/// Left out with intent: `apiserver_watch_cache_resource_version` (changes for
/// every resource with every write to any), `process_network_*` (of the whole
/// host, not of the process).
pub const APISERVER: &[Kept] = &[
    // Priority and fairness: whether requests wait for seats, how long, and
    // whether they are turned away. By level, as only some levels are users'.
    plain("apiserver_flowcontrol_current_inqueue_requests", &["priority_level"]),
    plain("apiserver_flowcontrol_current_executing_seats", &["priority_level"]),
    plain("apiserver_flowcontrol_nominal_limit_seats", &["priority_level"]),
    plain("apiserver_flowcontrol_current_limit_seats", &["priority_level"]),
    // The most seats asked for within 10 s, which a look every 2 s would miss.
    plain("apiserver_flowcontrol_demand_seats_high_watermark", &["priority_level"]),
    plain("apiserver_flowcontrol_rejected_requests_total", &["priority_level", "reason"]),
    plain("apiserver_flowcontrol_dispatched_requests_total", &["priority_level"]),
    histogram(
        "apiserver_flowcontrol_request_wait_duration_seconds",
        &["priority_level", "execute"],
    ),
    // The most requests at a time within a second.
    plain("apiserver_current_inflight_requests", &["request_kind"]),
    // What was asked and how it was answered: the server's own side of the
    // ledger. `subresource` tells kab's own scrapes from the rest.
    plain("apiserver_request_total", &["verb", "resource", "subresource", "code"]),
    histogram("apiserver_request_duration_seconds", &["verb", "resource", "subresource"]),
    plain("apiserver_request_terminations_total", &["code"]),
    plain("apiserver_request_aborts_total", &["verb", "resource"]),
    // Watches: how many are open, what they were sent, and whether the server
    // cut any off because it read too slowly.
    plain("apiserver_longrunning_requests", &["verb", "resource"]),
    plain("apiserver_terminated_watchers_total", &["resource"]),
    plain("apiserver_watch_events_total", &["resource"]),
    histogram("apiserver_watch_events_sizes", &["resource"]),
    // The watch cache: how far back a watch may resume is its capacity; a new
    // initialisation makes every watcher of the resource list again.
    plain("apiserver_watch_cache_events_received_total", &["resource"]),
    plain("apiserver_watch_cache_events_dispatched_total", &["resource"]),
    plain("apiserver_watch_cache_initializations_total", &["resource"]),
    plain("watch_cache_capacity", &["resource"]),
    plain("watch_cache_capacity_increase_total", &["resource"]),
    plain("watch_cache_capacity_decrease_total", &["resource"]),
    // A consistent read waits until the cache is as fresh as the store.
    histogram("apiserver_watch_cache_read_wait_seconds", &["resource"]),
    plain("apiserver_watch_cache_consistent_read_total", &["resource", "success", "fallback"]),
    // etcd as the apiserver sees it, network and queueing included.
    histogram("etcd_request_duration_seconds", &["operation", "resource"]),
    plain("etcd_request_errors_total", &["operation", "resource"]),
    plain("apiserver_storage_objects", &["resource"]),
    // Admission webhooks as the apiserver sees them, and what they refused.
    histogram("apiserver_admission_webhook_admission_duration_seconds", &["name", "operation"]),
    plain("apiserver_admission_webhook_rejection_count", &["name", "error_type", "rejection_code"]),
    plain("apiserver_admission_webhook_fail_open_count", &["name"]),
    plain("apiserver_admission_webhook_request_total", &["name", "code", "rejected"]),
    // The process: garbage that a load makes, and goroutines that it leaves.
    plain("go_goroutines", &[]),
    plain("go_memstats_heap_alloc_bytes", &[]),
    plain("go_gc_duration_seconds_sum", &[]),
    plain("process_cpu_seconds_total", &[]),
    plain("process_resident_memory_bytes", &[]),
    plain("process_open_fds", &[]),
    // Another start means that all counters began anew.
    plain("process_start_time_seconds", &[]),
];

/// What etcd tells of itself.
pub const ETCD: &[Kept] = &[
    // A write is acknowledged after an fsync of the log; a commit of the
    // database holds up reads and writes.
    histogram("etcd_disk_wal_fsync_duration_seconds", &[]),
    histogram("etcd_disk_backend_commit_duration_seconds", &[]),
    plain("etcd_disk_wal_write_bytes_total", &[]),
    // Size on disk against the quota, and how much of it a defragmentation
    // would keep.
    plain("etcd_mvcc_db_total_size_in_bytes", &[]),
    plain("etcd_mvcc_db_total_size_in_use_in_bytes", &[]),
    plain("etcd_server_quota_backend_bytes", &[]),
    plain("etcd_debugging_mvcc_current_revision", &[]),
    plain("etcd_debugging_mvcc_compact_revision", &[]),
    // Consensus: whether there is a leader, and whether proposals pile up.
    plain("etcd_server_has_leader", &[]),
    plain("etcd_server_leader_changes_seen_total", &[]),
    plain("etcd_server_proposals_pending", &[]),
    plain("etcd_server_proposals_committed_total", &[]),
    plain("etcd_server_proposals_failed_total", &[]),
    plain("etcd_server_slow_apply_total", &[]),
    plain("etcd_server_slow_read_indexes_total", &[]),
    histogram("etcd_server_apply_duration_seconds", &["op"]),
    // Watches of the apiserver that etcd is behind with.
    plain("etcd_debugging_mvcc_watcher_total", &[]),
    plain("etcd_debugging_mvcc_slow_watcher_total", &[]),
    plain("etcd_debugging_mvcc_pending_events_total", &[]),
    // The process, as above.
    plain("go_goroutines", &[]),
    plain("go_memstats_heap_alloc_bytes", &[]),
    plain("go_gc_duration_seconds_sum", &[]),
    plain("process_cpu_seconds_total", &[]),
    plain("process_resident_memory_bytes", &[]),
    plain("process_open_fds", &[]),
    plain("process_start_time_seconds", &[]),
];

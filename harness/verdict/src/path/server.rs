//! What the servers did, by the names that claims use: `server.apf.rejected`,
//! `write.server.walFsync.p99.atMost`.

use super::Place;
use crate::server::{Between, Observed, Process, Servers};
use crate::value::Value;

pub(super) fn servers(at: &mut Place<'_>, of: Option<&Servers>) {
    at.group("apiserver", of.and_then(|s| s.apiserver.as_ref()), process);
    at.group("etcd", of.and_then(|s| s.etcd.as_ref()), process);
    let apf = of.and_then(|s| s.apf.as_ref());
    at.count("apf.dispatched", apf.map(|a| a.dispatched));
    at.count("apf.rejected", apf.map(|a| a.rejected));
    at.count("apf.queuePeak", apf.map(|a| a.queue_peak));
    at.count("apf.seatsPeak", apf.map(|a| a.seats_peak));
    at.group("apf.wait", apf.and_then(|a| a.wait.as_ref()), observed);
    let requests = of.and_then(|s| s.requests.as_ref());
    at.count("requests.total", requests.map(|r| r.total));
    at.count("requests.tooMany", requests.map(|r| r.too_many));
    at.count("requests.serverErrors", requests.map(|r| r.server_errors));
    at.group("requests.writes", requests.and_then(|r| r.writes.as_ref()), observed);
    let webhook = of.and_then(|s| s.webhook.as_ref());
    at.group("webhook.duration", webhook.map(|w| &w.duration), observed);
    at.count("webhook.rejected", webhook.map(|w| w.rejected));
    at.count("webhook.failedOpen", webhook.map(|w| w.failed_open));
    let watch = of.and_then(|s| s.watch.as_ref());
    at.count("watch.openPeak", watch.map(|w| w.open_peak));
    at.count("watch.terminated", watch.map(|w| w.terminated));
    at.count("watch.eventsSent", watch.map(|w| w.events_sent));
    at.count("watch.eventsReceived", watch.map(|w| w.events_received));
    at.count("watch.initializations", watch.map(|w| w.initializations));
    at.count("watch.capacityChanges", watch.map(|w| w.capacity_changes));
    at.group("etcdRequests", of.and_then(|s| s.etcd_requests.as_ref()), observed);
    at.group("walFsync", of.and_then(|s| s.wal_fsync.as_ref()), observed);
    at.group("backendCommit", of.and_then(|s| s.backend_commit.as_ref()), observed);
    let db = of.and_then(|s| s.db.as_ref());
    at.bytes("db.size", db.map(|d| d.size));
    at.put("db.growth", db.map(|d| Value::Bytes(d.growth)));
    at.bytes("db.inUse", db.map(|d| d.in_use));
    at.put("db.inUseGrowth", db.map(|d| Value::Bytes(d.in_use_growth)));
    at.put("db.quotaUsed", db.and_then(|d| d.quota_used).map(Value::Ratio));
    at.count("scrapes.apiserver", of.map(|s| s.scrapes.apiserver));
    at.count("scrapes.etcd", of.map(|s| s.scrapes.etcd));
    at.count("scrapes.failed", of.map(|s| s.scrapes.failed));
    at.length("scrapes.cpu", of.and_then(|s| s.scrapes.cpu));
}

fn process(at: &mut Place<'_>, of: Option<&Process>) {
    at.length("cpu", of.map(|p| p.cpu));
    at.length("cpuPerOk", of.and_then(|p| p.cpu_per_ok));
    at.put("cores", of.map(|p| Value::Cores(p.cores)));
    at.bytes("residentPeak", of.map(|p| p.resident_peak));
    at.count("openFilesPeak", of.map(|p| p.open_files_peak));
    at.bytes("written", of.and_then(|p| p.written));
    at.bytes("heapPeak", of.and_then(|p| p.heap_peak));
    at.count("goroutinesPeak", of.and_then(|p| p.goroutines_peak));
}

fn observed(at: &mut Place<'_>, of: Option<&Observed>) {
    // Nothing observed is no data, not a count of 0 that might satisfy a claim.
    at.count("count", of.map(|o| o.count).filter(|count| *count > 0));
    at.length("mean", of.and_then(|o| o.mean));
    at.group("p50", of.and_then(|o| o.p50.as_ref()), between);
    at.group("p99", of.and_then(|o| o.p99.as_ref()), between);
}

fn between(at: &mut Place<'_>, of: Option<&Between>) {
    at.length("above", of.map(|b| b.above));
    at.length("atMost", of.and_then(|b| b.at_most));
}

//! The apiserver's own spans, by the operation that caused them.
//!
//! Only the span of a request names its operation, and it ends last, so that
//! the spans within it are read before: they are sorted out at the end.

use std::collections::HashMap;

use super::line::ServerLine;
use super::{Interval, OpIndex};
use crate::id::OpId;

/// What part of the apiserver's work a span is about, by the name that the
/// apiserver (v1.36) gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The whole request: `POST /apis/GROUP/VERSION/RESOURCE`.
    Request,
    /// Auditing, priority and fairness, authorization: what a request passes
    /// before its handler. Authentication comes before the trace begins: its time
    /// is the request's own, which counts from when the request was received.
    Filter,
    /// The handler: `Create`, `Update`, `Patch`, `Delete`, `Get`, `List`.
    Handler,
    /// A call of an admission webhook.
    Webhook,
    /// The storage layer: encoding, preconditions, the watch cache.
    Storage,
    /// A call to etcd.
    Etcd,
    /// Writing the answer: `SerializeObject`.
    Answer,
    /// Anything else.
    Other,
}

impl Layer {
    /// Which one `name` is about.
    pub fn of(name: &str) -> Self {
        const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        match name {
            "audit"
            | "authentication"
            | "authorization"
            | "impersonation"
            | "constrainedimpersonation"
            | "priorityandfairness"
            | "maxinflight" => Self::Filter,
            "Create" | "Update" | "Patch" | "Delete" | "Get" | "List" => Self::Handler,
            "Call validating webhook" | "Call mutating webhook" => Self::Webhook,
            "SerializeObject" => Self::Answer,
            _ if name.starts_with("etcdserverpb.") => Self::Etcd,
            // How the apiserver's own client names its requests; here to webhooks.
            _ if name.starts_with("HTTP ") => Self::Webhook,
            _ if name.ends_with(" etcd3") || name.starts_with("cacher.") => Self::Storage,
            _ if METHODS.contains(&name.split(' ').next().unwrap_or_default()) => Self::Request,
            _ => Self::Other,
        }
    }
}

/// A span of the apiserver that belongs to an operation of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSpan {
    /// The operation, as an index into [`super::Joined::traces`].
    pub trace: u32,
    /// Its id.
    pub id: u64,
    /// The id of the span around it; for a request's, that of the client, or 0.
    pub parent: u64,
    /// What it is about.
    pub layer: Layer,
    /// From when to when.
    pub interval: Interval,
}

/// Spans whose operation is not known yet.
#[derive(Default)]
pub(super) struct Unresolved {
    spans: Vec<ServerLine>,
    /// By the apiserver's own trace: the operation that its link names.
    links: HashMap<OpId, u32>,
}

impl Unresolved {
    pub(super) fn add(&mut self, index: &OpIndex, line: ServerLine) {
        if let Some(trace) = line.op.and_then(|op| index.get(op)) {
            self.links.insert(line.trace, trace);
        }
        self.spans.push(line);
    }

    /// Those that belong to operations of `index`, and how many do not.
    pub(super) fn resolve(self, index: &OpIndex) -> (Vec<ServerSpan>, u64) {
        let all = self.spans.len();
        let mut found: Vec<ServerSpan> = Vec::new();
        for ServerLine { trace, id, parent, layer, interval, .. } in self.spans {
            let linked = self.links.get(&trace).copied();
            if let Some(trace) = linked.or_else(|| index.get(trace)) {
                found.push(ServerSpan { trace, id, parent, layer, interval });
            }
        }
        found.sort_by_key(|span| span.trace);
        let others = (all - found.len()) as u64;
        (found, others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Mono;

    fn line(trace: u64, op: Option<u64>, id: u64, parent: u64, layer: Layer) -> ServerLine {
        let interval = Interval { start: Mono::from_nanos(1), end: Mono::from_nanos(2) };
        let [trace, op] = [Some(trace), op].map(|n| n.map(|n| OpId::new(n, 0)));
        ServerLine { trace: trace.unwrap(), op, id, parent, layer, interval }
    }

    #[test]
    fn names_of_the_apiserver_are_known_and_others_are_not() {
        for (name, layer) in [
            ("POST /apis/kab.dev/v1/namespaces/{:namespace}/todos", Layer::Request),
            ("GET", Layer::Request),
            ("priorityandfairness", Layer::Filter),
            ("Create", Layer::Handler),
            ("Call validating webhook", Layer::Webhook),
            ("HTTP POST", Layer::Webhook),
            ("Create etcd3", Layer::Storage),
            ("List(recursive=true) etcd3", Layer::Storage),
            ("cacher.GetList", Layer::Storage),
            ("etcdserverpb.KV/Txn", Layer::Etcd),
            ("SerializeObject", Layer::Answer),
            ("Creation", Layer::Other),
            ("", Layer::Other),
        ] {
            assert_eq!(Layer::of(name), layer, "{name}");
        }
    }

    #[test]
    fn spans_find_their_operation_by_link_or_by_trace_in_any_order() {
        let index: OpIndex = [OpId::new(1, 0), OpId::new(2, 0)].into_iter().collect();
        let mut spans = Unresolved::default();
        for line in [
            // A trace of the apiserver's own, which names the operation last.
            line(70, None, 2, 1, Layer::Handler),
            line(70, Some(2), 1, 0, Layer::Request),
            // A privileged client's trace.
            line(1, None, 3, 9, Layer::Request),
            // Of nobody, and of an operation that nobody knows.
            line(80, None, 4, 0, Layer::Request),
            line(90, Some(8), 5, 0, Layer::Request),
        ] {
            spans.add(&index, line);
        }
        let (found, others) = spans.resolve(&index);
        let of: Vec<(u32, u64)> = found.iter().map(|span| (span.trace, span.id)).collect();
        assert_eq!((of, others), (vec![(0, 3), (1, 2), (1, 1)], 2));
    }
}

//! One trace a write, from the intended start to the subscriber's receipt.
//!
//! Spans are joined to the ledger by operation id. A notification counts as a
//! delivery of the write only if it also names the write's resourceVersion, or
//! if either side does not know it: a later change of the same entity carries
//! the same annotation and is not a duplicate.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::clock::Mono;
use crate::folder::CellFolder;
use crate::id::OpId;
use crate::jsonl::{self, JsonlError};
use crate::ledger::{OpKind, OpRecord, Outcome};
use crate::span::Span;

/// Start and end of one process's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// When it began.
    pub start: Mono,
    /// When it ended.
    pub end: Mono,
}

/// What the gateway saw of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayTimes {
    /// Request read, response handed back.
    pub whole: Interval,
    /// Request to the store handed to the transport, its answer read.
    pub api: Interval,
}

/// One notification of a write, received by one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Which subscriber, from 0.
    pub subscriber: u32,
    /// When it was read.
    pub received: Mono,
}

/// Everything known about one operation of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Which operation.
    pub op: OpId,
    /// Its step, as an index into [`Joined::steps`].
    pub step: u16,
    /// What it asked for.
    pub kind: OpKind,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, as an index into [`Joined::classes`].
    pub class: u16,
    /// When the schedule wanted it sent.
    pub intended: Mono,
    /// When it was sent.
    pub sent: Option<Mono>,
    /// When its outcome was known.
    pub done: Option<Mono>,
    /// The gateway's part.
    pub gateway: Option<GatewayTimes>,
    /// The gateway's judgement for the webhook.
    pub validate: Option<Interval>,
    /// The webhook's part.
    pub webhook: Option<Interval>,
    /// First decoded by an informer.
    pub seen: Option<Mono>,
    /// resourceVersion of the write, if the gateway or an informer knew it.
    pub revision: Option<u64>,
    /// Notifications of this very write, in the order received.
    pub receipts: Vec<Receipt>,
}

/// The joined evidence of one cell.
#[derive(Debug, Default)]
pub struct Joined {
    /// One a line of the ledger, in ledger order.
    pub traces: Vec<Trace>,
    /// Names of the steps.
    pub steps: Vec<String>,
    /// Names of the outcome classes.
    pub classes: Vec<String>,
    /// Notifications that name an operation of the ledger but another
    /// resourceVersion than the write's: later changes of the entity.
    pub other_revisions: u64,
    /// Notifications that name no operation of the ledger.
    pub unexplained_deliveries: u64,
    /// Gateway spans whose operation is not in the ledger: requests whose
    /// sender was killed before it could write down how they ended.
    pub unfinished: u64,
    /// Evidence files whose last line was cut off.
    pub truncated: Vec<PathBuf>,
}

impl Joined {
    /// Reads and joins all evidence of `cell`.
    pub fn read(cell: &CellFolder) -> Result<Self, JsonlError> {
        let mut joined = Self::default();
        let mut index = joined.read_ledger(cell)?;
        let mut late = Vec::new();
        for path in span_files(cell)? {
            let cut = jsonl::for_each(&path, |span| match span {
                Span::Delivery { .. } => late.push(span),
                other => joined.add(&mut index, other),
            })?;
            if cut {
                joined.truncated.push(path);
            }
        }
        // Deliveries last: by now every write's resourceVersion is known.
        late.into_iter().for_each(|span| joined.add(&mut index, span));
        for trace in &mut joined.traces {
            trace.receipts.sort_by_key(|receipt| receipt.received);
        }
        Ok(joined)
    }

    fn read_ledger(&mut self, cell: &CellFolder) -> Result<HashMap<OpId, usize>, JsonlError> {
        let mut index = HashMap::new();
        let path = cell.ops_path();
        let cut = jsonl::for_each(&path, |op: OpRecord| {
            index.insert(op.op, self.traces.len());
            let trace = Trace {
                op: op.op,
                step: intern(&mut self.steps, &op.step),
                kind: op.kind,
                outcome: op.outcome,
                class: intern(&mut self.classes, &op.class),
                intended: op.intended,
                sent: op.sent,
                done: op.done,
                gateway: None,
                validate: None,
                webhook: None,
                seen: None,
                revision: None,
                receipts: Vec::new(),
            };
            self.traces.push(trace);
        })?;
        if cut {
            self.truncated.push(path);
        }
        Ok(index)
    }

    fn add(&mut self, index: &mut HashMap<OpId, usize>, span: Span) {
        match span {
            Span::Gateway { op, start, api_sent, api_done, end, rv, .. } => {
                let Some(trace) = self.find(index, op) else {
                    self.unfinished += u64::from(op.is_some());
                    return;
                };
                trace.gateway = Some(GatewayTimes {
                    whole: Interval { start, end },
                    api: Interval { start: api_sent, end: api_done },
                });
                trace.revision = rv.and_then(|rv| rv.parse().ok()).or(trace.revision);
            }
            Span::Validate { op, start, end, .. } => {
                if let Some(trace) = self.find(index, op) {
                    trace.validate = Some(Interval { start, end });
                }
            }
            Span::Webhook { op, start, end, .. } => {
                if let Some(trace) = self.find(index, op) {
                    trace.webhook = Some(Interval { start, end });
                }
            }
            Span::Informer { op, rv, seen, .. } => {
                if let Some(trace) = self.find(index, op) {
                    let revision = rv.parse().ok();
                    if trace.seen.is_none_or(|first| seen < first) {
                        trace.seen = Some(seen);
                        trace.revision = trace.revision.or(revision);
                    }
                }
            }
            Span::Delivery { op, subscriber, rv, received, .. } => {
                let Some(trace) = self.find(index, op) else {
                    self.unexplained_deliveries += 1;
                    return;
                };
                let named: Option<u64> = rv.and_then(|rv| rv.parse().ok());
                let another = matches!((named, trace.revision), (Some(a), Some(b)) if a != b);
                if another {
                    self.other_revisions += 1;
                } else {
                    trace.receipts.push(Receipt { subscriber, received });
                }
            }
        }
    }

    fn find(&mut self, index: &HashMap<OpId, usize>, op: Option<OpId>) -> Option<&mut Trace> {
        self.traces.get_mut(*index.get(&op?)?)
    }
}

fn span_files(cell: &CellFolder) -> Result<Vec<PathBuf>, JsonlError> {
    let dir = cell.spans_dir();
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(JsonlError::Io { action: "listing", path: dir, source }),
    };
    let mut files: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    Ok(files)
}

/// The index of `name` in `names`, added if it is new. The sets are small.
fn intern(names: &mut Vec<String>, name: &str) -> u16 {
    let place = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    });
    u16::try_from(place).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::RunFolder;
    use crate::jsonl::JsonlWriter;

    const AT: Mono = Mono::from_nanos(1_000);

    fn op(n: u64) -> OpId {
        OpId::new(7, n)
    }

    fn ledger_line(n: u64) -> OpRecord {
        OpRecord {
            op: op(n),
            step: "write".into(),
            kind: OpKind::Create,
            key: None,
            intended: AT,
            sent: Some(AT),
            done: Some(AT),
            outcome: Outcome::Ok,
            class: "http-201".into(),
            uid: None,
            rv: None,
            bytes_out: 0,
            bytes_in: 0,
            detail: None,
        }
    }

    fn gateway(n: u64, rv: &str) -> Span {
        Span::Gateway {
            op: Some(op(n)),
            start: AT,
            api_sent: AT,
            api_done: AT,
            end: AT,
            status: 201,
            api_status: Some(201),
            uid: None,
            rv: Some(rv.into()),
        }
    }

    fn delivery(n: u64, rv: Option<&str>, at: u64) -> Span {
        Span::Delivery {
            op: Some(op(n)),
            subscriber: 0,
            uid: String::new(),
            rv: rv.map(Into::into),
            received: Mono::from_nanos(at),
        }
    }

    fn join(ops: Vec<OpRecord>, spans: Vec<Span>) -> Joined {
        let dir = tempfile::tempdir().unwrap();
        let cell = RunFolder::create(dir.path()).unwrap().cell("naive");
        let ledger = JsonlWriter::append_to(&cell.ops_path()).unwrap();
        ops.into_iter().for_each(|op| ledger.append(op));
        ledger.finish().unwrap();
        let file = JsonlWriter::append_to(&cell.spans_dir().join("a.jsonl")).unwrap();
        spans.into_iter().for_each(|span| file.append(span));
        file.finish().unwrap();
        Joined::read(&cell).unwrap()
    }

    #[test]
    fn deliveries_meet_their_write_in_any_file_order() {
        let spans = vec![delivery(0, Some("5"), 30), gateway(0, "5"), delivery(0, Some("5"), 20)];
        let joined = join(vec![ledger_line(0), ledger_line(1)], spans);
        let at: Vec<_> = joined.traces[0].receipts.iter().map(|r| r.received.nanos()).collect();
        assert_eq!(at, [20, 30]);
        assert!(joined.traces[1].receipts.is_empty());
    }

    #[test]
    fn a_later_revision_of_the_entity_is_not_a_duplicate() {
        let spans = vec![gateway(0, "5"), delivery(0, Some("5"), 20), delivery(0, Some("6"), 30)];
        let joined = join(vec![ledger_line(0)], spans);
        assert_eq!(joined.traces[0].receipts.len(), 1);
        assert_eq!(joined.other_revisions, 1);
    }

    #[test]
    fn what_the_ledger_does_not_know_is_counted() {
        let joined = join(vec![ledger_line(0)], vec![gateway(8, "5"), delivery(9, None, 20)]);
        assert_eq!((joined.unfinished, joined.unexplained_deliveries), (1, 1));
    }
}

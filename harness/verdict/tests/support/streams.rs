//! Synthetic watch streams over a synthetic history, written through the
//! writers that a real run uses.

use std::collections::BTreeSet;

use kab_evidence::clock::Mono;
use kab_evidence::folder::RunFolder;
use kab_evidence::id::OpId;
use kab_evidence::join::Joined;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
use kab_evidence::span::Span;
use kab_evidence::watch::{StreamEnd, WatchClient, WatchGroup, WatchKind, WatchLine, WatchLog};
use kab_verdict::watch::{self, Guarantee, Standing, Watch};

/// One change: the write that made it is in the ledger under its index.
#[derive(Debug, Clone)]
pub struct Change {
    pub rv: u64,
    pub uid: String,
}

/// What happens to a watcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Ask(u64),
    Event(usize),
    Bookmark(u64),
    End(StreamEnd),
    /// The state at a revision: these changes, by index.
    List(u64, Vec<usize>),
}

pub use Item::{Ask, Bookmark, End, Event, List};

/// A history, and what each watcher made of it.
#[derive(Debug, Clone, Default)]
pub struct Run {
    pub history: Vec<Change>,
    pub watchers: Vec<Vec<Item>>,
    /// Changes whose revision the ledger does not know, by index.
    pub unknown: Vec<usize>,
    /// Changes that no write of the ledger made, by index.
    pub foreign: Vec<usize>,
}

/// Short enough for the histogram to tell it apart exactly.
pub const AFTER: u64 = 2_000;

impl Run {
    /// Changes of objects of their own, at these revisions.
    pub fn of(revisions: impl IntoIterator<Item = u64>, watcher: Vec<Item>) -> Self {
        let change = |(n, rv)| Change { rv, uid: format!("uid-{n}") };
        let history = revisions.into_iter().enumerate().map(change).collect();
        Self { history, watchers: vec![watcher], ..Self::default() }
    }

    /// Writes the evidence, reads it again and holds it against the guarantees.
    pub fn check(&self) -> Watch {
        let dir = tempfile::tempdir().unwrap();
        let cell = RunFolder::create(dir.path()).unwrap().cell("naive");
        self.save_ledger(&cell);
        let group = WatchGroup {
            step: "listen".into(),
            client: WatchClient::Raw,
            count: u32::try_from(self.watchers.len()).unwrap(),
            path: "/apis/g/v1/todos".into(),
            bookmarks: true,
        };
        let mut log = WatchLog::open(&cell.watch_dir(), group).unwrap();
        for (w, items) in (0..).zip(&self.watchers) {
            items.iter().enumerate().for_each(|(n, item)| self.write(&mut log, w, n, item));
        }
        log.finish().unwrap();
        watch::read(&cell, &Joined::read(&cell).unwrap()).unwrap().unwrap()
    }

    fn save_ledger(&self, cell: &kab_evidence::folder::CellFolder) {
        let ops = JsonlWriter::append_to(&cell.ops_path()).unwrap();
        let spans = JsonlWriter::append_to(&cell.spans_dir().join("gateway.jsonl")).unwrap();
        for (n, change) in self.history.iter().enumerate() {
            if self.foreign.contains(&n) {
                continue;
            }
            let (op, at) = (op(n), due(n));
            ops.append(OpRecord {
                op,
                step: "write".into(),
                kind: OpKind::Create,
                key: None,
                intended: at,
                sent: Some(at),
                done: Some(at),
                outcome: Outcome::Ok,
                class: "http-201".into(),
                uid: None,
                rv: None,
                bytes_out: 0,
                bytes_in: 0,
                detail: None,
            });
            spans.append(Span::Gateway {
                op: Some(op),
                start: at,
                api_sent: at,
                api_done: at,
                end: at,
                status: 201,
                api_status: Some(201),
                uid: None,
                rv: (!self.unknown.contains(&n)).then(|| change.rv.to_string()),
            });
        }
        ops.finish().unwrap();
        spans.finish().unwrap();
    }

    fn write(&self, log: &mut WatchLog, w: u32, n: usize, item: &Item) {
        let at = Mono::from_nanos(10_000_000 + n as u64);
        let describe = |log: &mut WatchLog, i: usize, kind| {
            let change = &self.history[i];
            let op = (!self.foreign.contains(&i)).then(|| op(i));
            log.describe(change.rv, kind, &change.uid, &format!("todo-{i}"), op)
        };
        match item {
            Ask(rv) => {
                log.line(WatchLine::Asked { w, at, rv: Some(*rv), initial: false });
                log.line(WatchLine::Opened { w, at });
            }
            Event(i) => {
                let e = describe(log, *i, WatchKind::Added);
                log.got(w, due(*i).plus(std::time::Duration::from_nanos(AFTER)), e);
            }
            Bookmark(rv) => log.line(WatchLine::Bookmark { w, at, rv: *rv }),
            End(how) => {
                let status = (*how == StreamEnd::Failed).then_some(410);
                log.line(WatchLine::Ended { w, at, how: *how, status, detail: String::new() });
            }
            List(rv, held) => {
                let held = held.iter().map(|i| describe(log, *i, WatchKind::Listed)).collect();
                log.listed(w, at, *rv, held);
            }
        }
    }
}

pub fn op(n: usize) -> OpId {
    OpId::new(9, n as u64)
}

fn due(n: usize) -> Mono {
    Mono::from_nanos(1_000_000 + n as u64 * 1_000)
}

/// The guarantees that were broken.
pub fn broken(watch: &Watch) -> BTreeSet<Guarantee> {
    watch.broken().map(|result| result.guarantee).collect()
}

pub fn standing(watch: &Watch, guarantee: Guarantee) -> Standing {
    watch.guarantee(guarantee).unwrap().standing
}

//! One trace a write, from the intended start to the subscriber's receipt.
//!
//! Spans are joined to the ledger by operation id. A notification counts as a
//! delivery of the write only if it also names the write's resourceVersion, or
//! if either side does not know it: a later change of the same entity carries
//! the same annotation and is not a duplicate.
//!
//! A million traces are to be joined in seconds on two cores, so that lines are
//! read by several threads, without allocating, and reduced at once to what a
//! trace keeps; put together they are by one, in the order of the files, so
//! that the result does not depend on who was faster.

mod chunks;
mod index;
mod line;
mod receipts;
mod scan;
mod server;
#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use crate::clock::Mono;
use crate::folder::CellFolder;
use crate::id::OpId;
use crate::jsonl::JsonlError;
use crate::ledger::{OpKind, Outcome};
use chunks::{failed, read_in_order};
pub use index::OpIndex;
use line::{Op, Part};
pub use receipts::{Receipt, Receipts};
use server::Unresolved;
pub use server::{Layer, ServerSpan};

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
    pub revision: Option<NonZeroU64>,
    /// Notifications of this very write, in the order received.
    pub receipts: Receipts,
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
    /// Notifications that were received, all together.
    pub notifications: u64,
    /// Those of them that do not say what they are about.
    pub nameless: u64,
    /// Notifications that name an operation of the ledger but another
    /// resourceVersion than the write's: later changes of the entity.
    pub other_revisions: u64,
    /// Notifications that name no operation of the ledger.
    pub unexplained_deliveries: u64,
    /// Gateway spans whose operation is not in the ledger: requests whose
    /// sender was killed before it could write down how they ended.
    pub unfinished: u64,
    /// The apiserver's own spans of operations of the ledger, in the order of
    /// [`Self::traces`]; none unless its tracing was on.
    pub server: Vec<ServerSpan>,
    /// Spans of the apiserver that belong to no operation of the ledger.
    pub other_server_spans: u64,
    /// Evidence files whose last line was cut off.
    pub truncated: Vec<PathBuf>,
}

/// What waits until everything is read.
#[derive(Default)]
struct Waiting {
    notifications: Vec<Pending>,
    server: Unresolved,
}

/// A notification that waits until every write's resourceVersion is known.
struct Pending {
    trace: u32,
    receipt: Receipt,
    revision: Option<NonZeroU64>,
}

impl Joined {
    /// Reads and joins all evidence of `cell`.
    ///
    /// # Errors
    /// If a file cannot be read, or a line in the middle of one is not what it
    /// should be.
    pub fn read(cell: &CellFolder) -> Result<Self, JsonlError> {
        let mut joined = Self::default();
        joined.read_ledgers(&ledger_files(cell)?)?;
        let index: OpIndex = joined.traces.iter().map(|trace| trace.op).collect();
        let mut waiting = Waiting::default();
        let cut = read_in_order(
            &span_files(cell)?,
            |parts: &mut Vec<Part>, line| {
                parts.push(Part::read(line)?);
                Ok(())
            },
            |_, parts| parts.into_iter().for_each(|part| joined.add(&index, part, &mut waiting)),
        )?;
        joined.truncated.extend(cut);
        // By now every write's resourceVersion is known.
        waiting.notifications.into_iter().for_each(|pending| joined.deliver(pending));
        (joined.server, joined.other_server_spans) = waiting.server.resolve(&index);
        joined.traces.iter_mut().for_each(|trace| trace.receipts.sort());
        Ok(joined)
    }

    /// The operations in the ledgers `files`, without any span: for whoever must
    /// know how they ended before the cell has.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn ledgers(files: &[PathBuf]) -> Result<Self, JsonlError> {
        let mut joined = Self::default();
        joined.read_ledgers(files)?;
        Ok(joined)
    }

    fn read_ledgers(&mut self, files: &[PathBuf]) -> Result<(), JsonlError> {
        #[derive(Default)]
        struct Lines {
            ops: Vec<Op>,
            steps: Vec<String>,
            classes: Vec<String>,
        }
        let cut = read_in_order(
            files,
            |Lines { ops, steps, classes }, line| {
                ops.push(Op::read(line, |name| intern(steps, name), |name| intern(classes, name))?);
                Ok(())
            },
            |_, lines: Lines| {
                // Each piece numbers names by itself, in the order of its lines.
                let renumber = |known: &mut Vec<String>, names: &[String]| {
                    names.iter().map(|name| intern(known, name)).collect::<Vec<u16>>()
                };
                let steps = renumber(&mut self.steps, &lines.steps);
                let classes = renumber(&mut self.classes, &lines.classes);
                let place = |of: &[u16], number: u16| {
                    of.get(usize::from(number)).copied().unwrap_or(u16::MAX)
                };
                self.traces.extend(lines.ops.into_iter().map(|op| {
                    Trace::begin(place(&steps, op.step), place(&classes, op.class), &op)
                }));
            },
        )?;
        self.truncated.extend(cut);
        Ok(())
    }

    fn add(&mut self, index: &OpIndex, part: Part, waiting: &mut Waiting) {
        match part {
            Part::Gateway { op, times, revision } => {
                let Some(trace) = self.find(index, op) else {
                    self.unfinished += u64::from(op.is_some());
                    return;
                };
                trace.gateway = Some(times);
                trace.revision = revision.or(trace.revision);
            }
            Part::Validate { op, interval } => {
                if let Some(trace) = self.find(index, op) {
                    trace.validate = Some(interval);
                }
            }
            Part::Webhook { op, interval } => {
                if let Some(trace) = self.find(index, op) {
                    trace.webhook = Some(interval);
                }
            }
            Part::Informer { op, seen, revision } => {
                if let Some(trace) = self.find(index, op)
                    && trace.seen.is_none_or(|first| seen < first)
                {
                    trace.seen = Some(seen);
                    trace.revision = trace.revision.or(revision);
                }
            }
            Part::Delivery { op, receipt, revision, nameless } => {
                self.notifications += 1;
                self.nameless += u64::from(nameless);
                match op.and_then(|op| index.get(op)) {
                    Some(trace) => waiting.notifications.push(Pending { trace, receipt, revision }),
                    None => self.unexplained_deliveries += 1,
                }
            }
            Part::Server(line) => waiting.server.add(index, line),
        }
    }

    fn deliver(&mut self, Pending { trace, receipt, revision }: Pending) {
        let Some(trace) = self.traces.get_mut(trace as usize) else { return };
        if matches!((revision, trace.revision), (Some(a), Some(b)) if a != b) {
            self.other_revisions += 1;
        } else {
            trace.receipts.push(receipt);
        }
    }

    fn find(&mut self, index: &OpIndex, op: Option<OpId>) -> Option<&mut Trace> {
        self.traces.get_mut(index.get(op?)? as usize)
    }
}

impl Trace {
    /// What the ledger alone knows.
    fn begin(step: u16, class: u16, op: &Op) -> Self {
        Self {
            op: op.op,
            step,
            kind: op.kind,
            outcome: op.outcome,
            class,
            intended: op.intended,
            sent: op.sent,
            done: op.done,
            gateway: None,
            validate: None,
            webhook: None,
            seen: None,
            // That of a read is of somebody else's write.
            revision: op.revision.filter(|_| op.kind.is_write()),
            receipts: Receipts::default(),
        }
    }
}

/// The operations that the store of `cell` names, and whether its evidence was
/// cut off; none if the store was never read.
///
/// # Errors
/// As [`Joined::read`].
pub fn read_store(cell: &CellFolder) -> Result<Option<(OpIndex, bool)>, JsonlError> {
    let path = cell.store_path();
    if !path.is_file() {
        return Ok(None);
    }
    let mut found = Vec::new();
    let cut = read_in_order(
        &[path],
        |ops: &mut Vec<OpId>, line| {
            ops.extend(line::stored(line)?);
            Ok(())
        },
        |_, ops| found.extend(ops),
    )?;
    Ok(Some((found.into_iter().collect(), !cut.is_empty())))
}

/// The ledgers of `cell`: `ops.jsonl`, or one of each of several workers.
///
/// # Errors
/// If the folder cannot be read.
pub fn ledger_files(cell: &CellFolder) -> Result<Vec<PathBuf>, JsonlError> {
    let mut files = lines_in(cell.path())?;
    files.retain(|path| {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        stem.is_some_and(|stem| stem == "ops" || stem.starts_with("ops-"))
    });
    Ok(files)
}

/// The files of spans of `cell`, one for each process, by name.
///
/// # Errors
/// If the folder cannot be read.
pub fn span_files(cell: &CellFolder) -> Result<Vec<PathBuf>, JsonlError> {
    lines_in(&cell.spans_dir())
}

/// Files of JSON lines in `dir`, by name; none if there is no such folder.
fn lines_in(dir: &Path) -> Result<Vec<PathBuf>, JsonlError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed("listing", dir)(source)),
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

//! Every change that is known to have happened to one collection.

use std::collections::{HashMap, HashSet};

use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_evidence::join::{Joined, Trace};
use kab_evidence::ledger::Outcome;
use kab_evidence::watch::{Described, Revision};

use super::files::WatchFile;

/// The number of a change: changes are numbered by revision, then UID.
pub(super) type Place = u32;

/// One change of one object.
#[derive(Debug)]
pub(super) struct Change {
    pub rv: Revision,
    /// Empty if only the ledger knows of it.
    uid: Box<str>,
    pub name: Option<Box<str>>,
    pub op: Option<OpId>,
    /// When its write was due, if the change is of a write in the ledger.
    pub intended: Option<Mono>,
}

/// All changes, in order.
#[derive(Debug)]
pub(super) struct Universe {
    changes: Vec<Change>,
    /// The last change whose write the ledger has as acknowledged.
    last_acknowledged: Option<Place>,
}

/// What the ledger says of its writes.
pub(super) struct Ledger<'a> {
    by_op: HashMap<OpId, &'a Trace>,
    /// Writes acknowledged, but for removals.
    pub acknowledged: u64,
}

impl<'a> Ledger<'a> {
    pub fn of(joined: &'a Joined) -> Self {
        // A removal's event carries the id of the write before it, and its answer
        // no revision of its own: it cannot be found among the changes.
        let all = joined.traces.iter().filter(|trace| trace.kind.leaves_its_id());
        let by_op: HashMap<_, _> = all.map(|trace| (trace.op, trace)).collect();
        let ok = by_op.values().filter(|trace| trace.outcome == Outcome::Ok).count();
        Self { by_op, acknowledged: ok as u64 }
    }

    fn acknowledged(&self) -> impl Iterator<Item = &'a Trace> + '_ {
        self.by_op.values().copied().filter(|trace| trace.outcome == Outcome::Ok)
    }

    /// How many acknowledged writes have no revision and are none of `seen`.
    pub fn unplaced(&self, seen: &HashSet<OpId>) -> u64 {
        let unplaced = |trace: &&Trace| trace.revision.is_none() && !seen.contains(&trace.op);
        self.acknowledged().filter(unplaced).count() as u64
    }
}

impl Universe {
    /// What `files`, which watched the same collection, and the ledger know.
    pub fn of(files: &[&WatchFile], ledger: &Ledger<'_>) -> Self {
        let mut changes: Vec<Change> =
            files.iter().flat_map(|file| &file.events).map(Change::of).collect();
        changes.sort_by(|a, b| (a.rv, &a.uid).cmp(&(b.rv, &b.uid)));
        changes.dedup_by(|a, b| (a.rv, &a.uid) == (b.rv, &b.uid));
        let known: HashSet<Revision> = changes.iter().map(|change| change.rv).collect();
        let unseen = ledger.acknowledged().filter_map(|trace| Some((trace, trace.revision?.get())));
        let unseen = unseen.filter(|(_, rv)| !known.contains(rv));
        changes.extend(unseen.map(|(trace, rv)| Change::unseen(trace, rv)));
        changes.sort_by(|a, b| (a.rv, &a.uid).cmp(&(b.rv, &b.uid)));
        changes.dedup_by(|a, b| (a.rv, &a.uid) == (b.rv, &b.uid));
        let mut universe = Self { changes, last_acknowledged: None };
        universe.join(ledger);
        universe
    }

    /// Finds the write behind each change: it has the write's operation and its
    /// revision or, where that is not known, is the first with its operation.
    fn join(&mut self, ledger: &Ledger<'_>) {
        let mut joined: HashSet<OpId> = HashSet::new();
        for (place, change) in (0..).zip(&mut self.changes) {
            let Some(trace) = change.op.and_then(|op| ledger.by_op.get(&op)) else { continue };
            if trace.revision.is_none_or(|rv| rv.get() == change.rv) && joined.insert(trace.op) {
                change.intended = Some(trace.intended);
                if trace.outcome == Outcome::Ok {
                    self.last_acknowledged = Some(place);
                }
            }
        }
    }

    pub fn len(&self) -> Place {
        Place::try_from(self.changes.len()).unwrap_or(Place::MAX)
    }

    pub fn get(&self, place: Place) -> Option<&Change> {
        self.changes.get(place as usize)
    }

    /// The change that `event` is of.
    pub fn find(&self, event: &Described) -> Option<Place> {
        let key = (event.rv, event.uid.as_str());
        let place = self.changes.binary_search_by(|c| (c.rv, &*c.uid).cmp(&key)).ok()?;
        Place::try_from(place).ok()
    }

    /// The first change at or after `rv`.
    pub fn at_or_after(&self, rv: Revision) -> Place {
        let place = self.changes.partition_point(|change| change.rv < rv);
        Place::try_from(place).unwrap_or(Place::MAX)
    }

    /// The first change after `rv`.
    pub fn after(&self, rv: Revision) -> Place {
        rv.checked_add(1).map_or(self.len(), |next| self.at_or_after(next))
    }

    /// The other changes of the same revision.
    pub fn siblings(&self, place: Place) -> impl Iterator<Item = Place> {
        let rv = self.get(place).map_or(0, |change| change.rv);
        (self.at_or_after(rv)..self.after(rv)).filter(move |other| *other != place)
    }

    /// Whether an acknowledged write is among the changes from `from` on.
    pub fn acknowledged_from(&self, from: Place) -> bool {
        self.last_acknowledged.is_some_and(|last| last >= from)
    }
}

impl Change {
    fn of(event: &Described) -> Self {
        Self {
            rv: event.rv,
            uid: event.uid.as_str().into(),
            name: Some(event.name.as_str().into()),
            op: event.op,
            intended: None,
        }
    }

    fn unseen(trace: &Trace, rv: Revision) -> Self {
        let op = Some(trace.op);
        Self { rv, uid: "".into(), name: None, op, intended: None }
    }
}

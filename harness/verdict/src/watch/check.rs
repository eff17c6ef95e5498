//! Every line of every watch file, held against the universe of its
//! collection.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::histogram::Latencies;
use kab_evidence::id::OpId;
use kab_evidence::join::Joined;
use kab_evidence::jsonl::{self, JsonlError};
use kab_evidence::watch::{EXPIRED, Revision, WatchLine, Watcher};

use super::account::{Account, Streams};
use super::files::WatchFile;
use super::guarantee::{Guarantee, Tally};
use super::lineage::{Fault, Lineage};
use super::scene::{Of, Scene};
use super::universe::{Ledger, Place, Universe};
use super::{Watch, WatchedGroup};
use crate::distribution::Summary;
use crate::value::Nanos;

/// More watchers than any file has.
const MOST_WATCHERS: u32 = 1 << 20;

/// Holds all of `files` against the ledger and each other.
pub(super) fn check(files: &[WatchFile], joined: &Joined) -> Result<Watch, JsonlError> {
    let ledger = Ledger::of(joined);
    let mut by_path: BTreeMap<&str, Vec<&WatchFile>> = BTreeMap::new();
    for file in files {
        by_path.entry(&file.group.path).or_default().push(file);
    }
    let universes: BTreeMap<&str, Universe> =
        by_path.iter().map(|(path, files)| (*path, Universe::of(files, &ledger))).collect();

    let mut found = Found::default();
    let mut watch = Watch::default();
    for file in files {
        let Some(universe) = universes.get(file.group.path.as_str()) else { continue };
        let group = Reader::new(file, universe, &mut found).read()?;
        watch.account.add(&group.account);
        watch.streams.add(&group.streams);
        watch.groups.push(group);
    }
    let seen: HashSet<OpId> =
        files.iter().flat_map(|file| &file.events).filter_map(|event| event.op).collect();
    watch.acknowledged = ledger.acknowledged;
    watch.unplaced = ledger.unplaced(&seen);
    watch.lag = summary(&found.lags);
    watch.negative_lags = found.negative_lags;
    watch.foreign = found.foreign;
    let mut tallies = found.tallies;
    watch.guarantees = Guarantee::ALL
        .into_iter()
        .map(|guarantee| tallies.remove(&guarantee).unwrap_or_default().result(guarantee))
        .collect();
    Ok(watch)
}

/// What is found out over all files.
#[derive(Default)]
struct Found {
    tallies: HashMap<Guarantee, Tally>,
    lags: Latencies,
    negative_lags: u64,
    foreign: u64,
}

impl Found {
    fn tally(&mut self, guarantee: Guarantee) -> &mut Tally {
        self.tallies.entry(guarantee).or_default()
    }
}

/// Reads one file for the second time, now with its receipts.
struct Reader<'a> {
    file: &'a WatchFile,
    universe: &'a Universe,
    found: &'a mut Found,
    /// The change behind each number of the file.
    places: Vec<Option<Place>>,
    lists: HashMap<u32, (Revision, HashSet<Place>)>,
    lineages: Vec<Lineage>,
    streams: Streams,
    line: u32,
}

impl<'a> Reader<'a> {
    fn new(file: &'a WatchFile, universe: &'a Universe, found: &'a mut Found) -> Self {
        let places = file.events.iter().map(|event| universe.find(event)).collect();
        let watchers = u64::from(file.group.count);
        Self {
            file,
            universe,
            found,
            places,
            lists: HashMap::new(),
            lineages: Vec::new(),
            streams: Streams { watchers, ..Streams::default() },
            line: 0,
        }
    }

    fn read(mut self) -> Result<WatchedGroup, JsonlError> {
        jsonl::for_each(&self.file.path, |line| {
            self.line += 1;
            self.take(line);
        })?;
        let account = self.settle();
        self.streams.opened_watchers = self.lineages.iter().filter(|l| l.opened).count() as u64;
        let group = &self.file.group;
        Ok(WatchedGroup {
            step: group.step.clone(),
            client: group.client,
            path: group.path.clone(),
            account,
            streams: self.streams,
        })
    }

    fn take(&mut self, line: WatchLine) {
        match line {
            WatchLine::Group(_) | WatchLine::Event(_) => {}
            WatchLine::List { list, rv, e } => {
                let held = e.into_iter().filter_map(|e| self.place(e)).collect();
                self.lists.insert(list, (rv, held));
            }
            WatchLine::Asked { w, rv, .. } => {
                let universe = self.universe;
                let Some(lineage) = self.lineage(w) else { return };
                lineage.ask(universe, rv);
                let again = lineage.asked > 1;
                self.streams.reconnects += u64::from(again);
            }
            WatchLine::Opened { w, .. } => {
                let Some(lineage) = self.lineage(w) else { return };
                lineage.opened = true;
                self.streams.opened += 1;
            }
            WatchLine::Got { at, e, w } => {
                for watcher in w {
                    e.iter().for_each(|e| self.receive(watcher, at, *e));
                }
            }
            WatchLine::Bookmark { w, rv, .. } => self.bookmark(w, rv),
            WatchLine::Listed { w, list, .. } => self.list(w, list),
            WatchLine::Unlisted { status, .. } => {
                self.streams.failed_lists += 1;
                self.streams.expired += u64::from(status == Some(EXPIRED));
            }
            WatchLine::Ended { w, how, status, .. } => {
                let Some(lineage) = self.lineage(w) else { return };
                lineage.end(how);
                self.streams.end(how);
                self.streams.expired += u64::from(status == Some(EXPIRED));
            }
        }
    }

    fn receive(&mut self, w: Watcher, at: Mono, e: u32) {
        let (line, universe) = (self.line, self.universe);
        let Some(place) = self.place(e) else {
            self.found.foreign += 1;
            if let Some(lineage) = self.lineage(w) {
                lineage.heard = true;
            }
            return;
        };
        let Some(lineage) = self.lineage(w) else { return };
        let receipt = lineage.receive(universe, place, line);
        self.found.tally(Guarantee::Unique).checked += 1;
        self.found.tally(Guarantee::Ordered).checked += u64::from(receipt.follows);
        self.found.tally(Guarantee::Resumable).checked += u64::from(receipt.resumes);
        let pieces = universe.siblings(place).next().is_some();
        self.found.tally(Guarantee::Atomic).checked += u64::from(pieces);
        if let Some(fault) = receipt.fault {
            self.broke(w, Of::Change(place), fault);
        }
        let intended = universe.get(place).and_then(|change| change.intended);
        if let Some(intended) = intended.filter(|_| receipt.first) {
            match u64::try_from(at.signed_since(intended)) {
                Ok(nanos) => self.found.lags.record_nanos(nanos),
                Err(_) => self.found.negative_lags += 1,
            }
        }
    }

    fn bookmark(&mut self, w: Watcher, rv: Revision) {
        let (line, universe) = (self.line, self.universe);
        let Some(lineage) = self.lineage(w) else { return };
        let fault = lineage.bookmark(universe, rv, line);
        self.streams.bookmarks += 1;
        self.found.tally(Guarantee::Bookmarkable).checked += 1;
        if let Some(fault) = fault {
            self.broke(w, Of::Bookmark(rv), fault);
        }
    }

    fn list(&mut self, w: Watcher, list: u32) {
        let universe = self.universe;
        let Some((rv, held)) = self.lists.remove(&list) else {
            self.found.foreign += 1;
            return;
        };
        let again = self.lineage(w).is_some_and(|l| !l.list(universe, rv, |p| held.contains(&p)));
        self.streams.relists += u64::from(again);
        self.lists.insert(list, (rv, held));
    }

    fn place(&self, e: u32) -> Option<Place> {
        let place = *self.places.get(e as usize)?;
        place.filter(|_| self.file.events.get(e as usize).is_some_and(|event| event.e == e))
    }

    fn lineage(&mut self, w: Watcher) -> Option<&mut Lineage> {
        if w >= self.file.group.count.min(MOST_WATCHERS) {
            self.found.foreign += 1;
            return None;
        }
        for next in self.lineages.len()..=w as usize {
            self.lineages.push(Lineage::new(Watcher::try_from(next).unwrap_or(w)));
        }
        self.lineages.get_mut(w as usize)
    }

    /// Counts what each watcher was due; what never came breaks a guarantee.
    fn settle(&mut self) -> Account {
        let mut account = Account::default();
        let universe = self.universe;
        let mut covered = 0;
        for lineage in &self.lineages {
            let of = lineage.account(universe);
            let known = lineage.start().is_some_and(|from| universe.acknowledged_from(from));
            covered += if known { of.delivered + of.lost } else { 0 };
            account.add(&of);
            self.streams.silent_watchers += u64::from(of.silent > 0);
            for (place, proof) in lineage.missing() {
                let scene = Scene { file: self.file, universe, lineage, line: proof.line };
                let tally = self.found.tallies.entry(proof.guarantee).or_default();
                tally.broke(proof.line, || scene.missing(place, proof));
            }
        }
        self.found.tally(Guarantee::Reliable).checked += covered;
        account
    }

    fn broke(&mut self, w: Watcher, of: Of, fault: Fault) {
        let Some(lineage) = self.lineages.get(w as usize) else { return };
        let scene = Scene { file: self.file, universe: self.universe, lineage, line: self.line };
        let tally = self.found.tallies.entry(fault.guarantee).or_default();
        tally.broke(self.line, || scene.fault(of, fault));
    }
}

/// In a few numbers; a percentile needs a sample beyond it, as everywhere.
fn summary(lags: &Latencies) -> Summary {
    let count = lags.count();
    let nanos = |length: Duration| Nanos(i64::try_from(length.as_nanos()).unwrap_or(i64::MAX));
    let percentile =
        |share: f64, wanted: u64| lags.quantile(share).filter(|_| count >= wanted).map(nanos);
    Summary {
        count,
        p50: percentile(0.5, 2),
        p90: percentile(0.9, 10),
        p99: percentile(0.99, 100),
        p999: percentile(0.999, 1_000),
        max: lags.max().map(nanos),
        mean: lags.mean().map(nanos),
        // Only counted, not kept in order: nothing says how they hang together.
        ..Summary::default()
    }
}

//! Loads as an engine would have written them down, for the tests to break.

use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::folder::RunFolder;
use kab_evidence::id::OpId;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};

use super::Asked;
use crate::machine::MachineLoad;
use crate::observed::{Observed, STEP};
use crate::server::evidence::{Absence, Seen, Witness};

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The two sides of a load.
pub(crate) struct Engine {
    pub start: Mono,
    pub due: Vec<Mono>,
    pub ledger: Vec<OpRecord>,
    pub seen: Vec<Seen>,
    pub absences: Vec<Absence>,
    pub machine: MachineLoad,
}

impl Engine {
    /// 1,000 operations in a second, each answered at once.
    pub(crate) fn flawless() -> Self {
        Self::answering(1000, 1000, |due| due + Duration::from_micros(200))
    }

    /// `count` operations at `rate` a second; `done` says when one that is due
    /// at a time is done.
    pub(crate) fn answering(
        rate: u32,
        count: u32,
        mut done: impl FnMut(Duration) -> Duration,
    ) -> Self {
        let start = Mono::from_nanos(1_000_000_000);
        let offsets = (0..count).map(|i| Duration::from_secs(1) * i / rate);
        let mut engine = Self {
            start,
            due: Vec::new(),
            ledger: Vec::new(),
            seen: Vec::new(),
            absences: Vec::new(),
            machine: MachineLoad::quiet(),
        };
        for (i, offset) in (0..).zip(offsets) {
            let (due, done) = (start.plus(offset), start.plus(done(offset)));
            let op = engine.op(i);
            engine.due.push(due);
            engine.seen.push(Seen {
                op: Some(op),
                received: due,
                answered: Some(done),
                status: Some(201),
            });
            engine.ledger.push(OpRecord {
                op,
                step: STEP.to_owned(),
                kind: OpKind::Create,
                key: None,
                intended: due,
                sent: Some(due),
                done: Some(done),
                outcome: Outcome::Ok,
                class: "http-201".to_owned(),
                uid: None,
                rv: None,
                bytes_out: 0,
                bytes_in: 0,
                detail: None,
            });
        }
        engine
    }

    pub(crate) fn op(&self, index: u64) -> OpId {
        OpId::new(1, index)
    }

    pub(crate) fn asked(&self) -> Asked {
        Asked { set: "as the test says".to_owned(), start: self.start, due: self.due.clone() }
    }

    /// Written to disk and read again, as after a real load.
    pub(crate) fn observed(&self) -> Observed {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&dir.path().join("run")).unwrap().cell("only");
        let ledger = JsonlWriter::append_to(&folder.ops_path()).unwrap();
        self.ledger.iter().for_each(|record| ledger.append(record.clone()));
        ledger.finish().unwrap();
        let path = dir.path().join("seen.jsonl");
        let server = JsonlWriter::append_to(&path).unwrap();
        server.append(Witness::Began { origin: self.start });
        self.seen.iter().for_each(|seen| server.append(Witness::Request(seen.clone())));
        self.absences.iter().for_each(|absence| server.append(Witness::Gone(*absence)));
        server.finish().unwrap();
        let scheduled = self.due.len() as u64;
        Observed::read(&folder, &path, scheduled, self.machine).unwrap()
    }
}

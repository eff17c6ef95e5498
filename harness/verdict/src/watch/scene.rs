//! A violation in words: where it shows, of what, and why it is one.

use kab_evidence::watch::Revision;

use super::files::WatchFile;
use super::guarantee::{Guarantee, Violation};
use super::lineage::{After, Fault, Lineage, Proof};
use super::universe::{Place, Universe};

/// Where a violation shows.
pub(super) struct Scene<'a> {
    pub file: &'a WatchFile,
    pub universe: &'a Universe,
    pub lineage: &'a Lineage,
    pub line: u32,
}

/// What came though it must not have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Change(Place),
    Bookmark(Revision),
}

impl Scene<'_> {
    /// What came broke a guarantee.
    pub fn fault(&self, of: Of, fault: Fault) -> Violation {
        let what = match (fault.after, of) {
            (After::Itself, _) => "received again".to_owned(),
            (After::Asked(asked), _) => {
                format!("received on a stream that was asked for after {asked}")
            }
            (After::Bookmark(at), _) => format!("received after a bookmark of {at}"),
            (After::Event(last), Of::Change(_)) => format!("received after {last}"),
            (After::Event(last), Of::Bookmark(_)) => format!("a bookmark received after {last}"),
            (After::Between(other), _) => {
                format!("a part of its revision, received apart from the rest, after {other}")
            }
        };
        match of {
            Of::Change(place) => self.of_change(place, self.lineage.asked, what),
            Of::Bookmark(rv) => {
                Violation { rv, ..self.of_change(Place::MAX, self.lineage.asked, what) }
            }
        }
    }

    /// A change that never came.
    pub fn missing(&self, place: Place, proof: Proof) -> Violation {
        let instead = proof.instead;
        let what = match proof.guarantee {
            Guarantee::Bookmarkable => {
                format!("never received, though a bookmark of {instead} says that it was sent")
            }
            Guarantee::Resumable => {
                format!("never received: the stream began with {instead}")
            }
            _ => format!("never received, though {instead} was"),
        };
        self.of_change(place, proof.stream, what)
    }

    fn of_change(&self, place: Place, stream: u32, what: String) -> Violation {
        let change = self.universe.get(place);
        Violation {
            step: self.file.group.step.clone(),
            line: self.line,
            watcher: self.lineage.watcher,
            stream,
            rv: change.map_or(0, |change| change.rv),
            name: change.and_then(|change| change.name.as_deref()).map(str::to_owned),
            op: change.and_then(|change| change.op),
            what,
        }
    }
}

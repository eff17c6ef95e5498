//! Processes that ended, and notifications of anything, by the names that
//! claims use.

use kab_evidence::process::KINDS;

use super::{Paths, Place};
use crate::measure::CellMeasurements;

pub(super) fn put(paths: &mut Paths, cell: &CellMeasurements) {
    let mut at = Place { prefix: "died".to_owned(), paths };
    for kind in KINDS {
        at.count(kind, cell.died.get(kind).copied());
    }
    let mut at = Place { prefix: "notifications".to_owned(), paths: at.paths };
    let heard = cell.notifications.as_ref();
    at.count("received", heard.map(|n| n.received));
    at.count("nameless", heard.map(|n| n.nameless));
}

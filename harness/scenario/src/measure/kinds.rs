//! What is measured of each kind of operation that a step sends.

use super::Kind::{self, Group, Int};
use super::latency::LATENCIES_AND_OK;

/// One kind of operation: how many of its operations are due is not known.
const OF_KIND: Kind = Group(&[
    (
        "ops",
        Group(&[
            ("sent", Int),
            ("ok", Int),
            ("failed", Int),
            ("indeterminate", Int),
            ("missed", Int),
        ]),
    ),
    ("response", LATENCIES_AND_OK),
    ("service", LATENCIES_AND_OK),
]);

/// All of them, by name.
pub(super) const KINDS: Kind = Group(&[
    ("create", OF_KIND),
    ("get", OF_KIND),
    ("list", OF_KIND),
    ("update", OF_KIND),
    ("patch", OF_KIND),
    ("delete", OF_KIND),
]);

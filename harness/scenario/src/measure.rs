//! The measurements that claims may speak of, so that a typo in a claim is
//! found before the run and not after it.

mod kinds;
mod latency;

use std::collections::HashMap;

use cel::{Context, Program, Value};

/// What a measurement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A count.
    Int,
    /// A rate in operations a second, or a share of 1.
    Double,
    /// A span of time.
    Duration,
    /// Yes or no.
    Bool,
    /// A word, or a text that was found.
    Text,
    /// Measurements by name.
    Group(&'static [(&'static str, Kind)]),
    /// Measurements whose names depend on the run.
    Open,
}

use Kind::{Bool, Double, Duration, Group, Int, Open, Text};
use kinds::KINDS;
use latency::{LATENCIES, LATENCIES_AND_OK, SAMPLED};

/// Operations by how they ended.
const OPS: Kind = Group(&[
    ("scheduled", Int),
    ("sent", Int),
    ("ok", Int),
    ("failed", Int),
    ("indeterminate", Int),
    ("missed", Int),
]);

/// Operations a second.
const RATE: Kind = Group(&[("intended", Double), ("achieved", Double)]);

/// Time spent in one part of something.
const PART: Kind =
    Group(&[("p50", Duration), ("p99", Duration), ("mean", Duration), ("negative", Int)]);

/// What is measured of a `load` or `seed` step, under the step's name.
pub const STEP: Kind = Group(&[
    ("ops", OPS),
    ("rate", RATE),
    ("classes", Open),
    ("media", Group(&[("json", Int), ("cbor", Int), ("protobuf", Int), ("other", Int)])),
    ("response", LATENCIES_AND_OK),
    ("service", LATENCIES_AND_OK),
    ("lateness", LATENCIES),
    // Only of steps that send several kinds of operations, and of these kinds.
    ("kinds", KINDS),
    (
        "delivery",
        Group(&[
            ("subscribers", Int),
            ("acknowledged", Int),
            ("expected", Int),
            ("delivered", Int),
            ("lost", Int),
            ("duplicated", Int),
            ("unacknowledged", Int),
            ("lag", SAMPLED),
        ]),
    ),
    (
        "coverage",
        Group(&[
            ("gateway", Double),
            ("webhook", Double),
            ("informer", Double),
            ("delivery", Double),
            ("complete", Double),
        ]),
    ),
    (
        "apiserver",
        Group(&[
            ("count", Int),
            ("coverage", Double),
            ("outside", Int),
            ("entrance", PART),
            ("handler", PART),
            ("webhook", PART),
            ("storage", PART),
            ("etcd", PART),
            ("answer", PART),
            ("other", PART),
            ("whole", PART),
        ]),
    ),
    (
        "stored",
        Group(&[
            ("expected", Int),
            ("present", Int),
            ("missing", Int),
            ("indeterminatePresent", Int),
            ("failedPresent", Int),
        ]),
    ),
    // Deletes, by the id of what was deleted.
    ("deletes", Group(&[("expected", Int), ("announced", Int)])),
    // By the webhook of the instance that was written to, and by those of others.
    ("reviews", Group(&[("own", Int), ("foreign", Int)])),
    ("waterfall", Open),
    ("server", SERVER),
    ("cost", COST),
]);

/// What the whole system took, in the step's time: CPU time over all its
/// processes, and bytes written over its servers. `restCores` is what it takes
/// while nothing is asked of it: in steps that wait until time has elapsed.
const COST: Kind = Group(&[
    ("cpu", Duration),
    ("cpuPerOp", Duration),
    ("cores", Double),
    ("restCores", Double),
    ("written", Int),
    ("bytesPerOp", Int),
]);

/// What is measured of an `attempt` step, under the step's name: of the last
/// request what came of it, and how many there were in all.
pub const ATTEMPT: Kind = Group(&[
    ("status", Int),
    ("class", Text),
    ("took", Duration),
    ("bytes", Int),
    // What was selected: whether there is such a thing, a text as it is and
    // anything simple in words, a number as such, of lists the length.
    ("found", Bool),
    ("value", Text),
    ("number", Double),
    ("count", Int),
    ("attempts", Int),
    ("answered", Int),
    (
        "outcomes",
        Group(&[
            ("applied", Int),
            ("conflict", Int),
            ("denied", Int),
            ("invalid", Int),
            ("tooLarge", Int),
            ("throttled", Int),
            ("unavailable", Int),
            ("indeterminate", Int),
        ]),
    ),
]);

/// The bucket of a server's histogram in which a percentile lies.
const BETWEEN: Kind = Group(&[("above", Duration), ("atMost", Duration)]);

/// Durations that a server observed.
const OBSERVED: Kind =
    Group(&[("count", Int), ("mean", Duration), ("p50", BETWEEN), ("p99", BETWEEN)]);

/// How a server's process fared; sizes in bytes.
const PROCESS: Kind = Group(&[
    ("cpu", Duration),
    ("cpuPerOk", Duration),
    ("cores", Double),
    ("residentPeak", Int),
    ("openFilesPeak", Int),
    ("written", Int),
    ("heapPeak", Int),
    ("goroutinesPeak", Int),
]);

/// What the servers did, in a step under the step's name, and over all steps.
const SERVER: Kind = Group(&[
    ("apiserver", PROCESS),
    ("etcd", PROCESS),
    (
        "apf",
        Group(&[
            ("dispatched", Int),
            ("rejected", Int),
            ("queuePeak", Int),
            ("seatsPeak", Int),
            ("wait", OBSERVED),
        ]),
    ),
    (
        "requests",
        Group(&[("total", Int), ("tooMany", Int), ("serverErrors", Int), ("writes", OBSERVED)]),
    ),
    ("webhook", Group(&[("duration", OBSERVED), ("rejected", Int), ("failedOpen", Int)])),
    (
        "watch",
        Group(&[
            ("openPeak", Int),
            ("terminated", Int),
            ("eventsSent", Int),
            ("eventsReceived", Int),
            ("initializations", Int),
            ("capacityChanges", Int),
        ]),
    ),
    ("etcdRequests", OBSERVED),
    ("walFsync", OBSERVED),
    ("backendCommit", OBSERVED),
    (
        "db",
        Group(&[
            ("size", Int),
            ("growth", Int),
            ("inUse", Int),
            ("inUseGrowth", Int),
            ("quotaUsed", Double),
        ]),
    ),
    ("scrapes", Group(&[("apiserver", Int), ("etcd", Int), ("failed", Int), ("cpu", Duration)])),
]);

/// What is measured of one probe of a `search` step, for its `hold`. What other
/// processes see of it is joined only when the run is over.
pub const PROBE: Kind = Group(&[
    ("ops", OPS),
    ("rate", RATE),
    ("response", LATENCIES_AND_OK),
    ("service", LATENCIES_AND_OK),
    ("lateness", LATENCIES),
]);

/// What is measured of a `search` step, under the step's name.
pub const SEARCH: Kind = Group(&[
    (
        "capacity",
        Group(&[
            ("held", Double),
            ("broke", Double),
            ("probes", Int),
            ("contradictions", Int),
            ("generatorLimited", Bool),
            ("complete", Bool),
        ]),
    ),
    ("server", SERVER),
]);

/// What is measured of a step with the verb `verb`; none if nothing is.
pub fn of_verb(verb: &str) -> Option<Kind> {
    match verb {
        "load" | "seed" => Some(STEP),
        "search" => Some(SEARCH),
        "attempt" => Some(ATTEMPT),
        _ => None,
    }
}

/// What is known about the run as a whole, under `run`.
pub const RUN: Kind = Group(&[("valid", Bool)]);

/// What is known about the system on trial, under `system`: so that a claim can
/// ask of a part only where there is one, `!system.webhook || ...`.
pub const SYSTEM: Kind = Group(&[("webhook", Bool)]);

/// What is known about the machine while the steps ran, under `host`.
pub const HOST: Kind = Group(&[("foreignCores", Double), ("steal", Double)]);

/// What watch streams received, and which guarantees they kept, under `watch`.
pub const WATCH: Kind = Group(&[
    ("expected", Int),
    ("delivered", Int),
    ("relisted", Int),
    ("coalesced", Int),
    ("cutOff", Int),
    ("pending", Int),
    ("silent", Int),
    ("lost", Int),
    ("duplicated", Int),
    ("watchers", Int),
    ("openedWatchers", Int),
    ("silentWatchers", Int),
    ("opened", Int),
    ("reconnects", Int),
    ("relists", Int),
    ("failedLists", Int),
    ("expired", Int),
    ("bookmarks", Int),
    ("endedEarly", Int),
    ("ordered", Bool),
    ("unique", Bool),
    ("atomic", Bool),
    ("reliable", Bool),
    ("resumable", Bool),
    ("bookmarkable", Bool),
    ("violations", Int),
    ("coverage", Double),
    ("lag", LATENCIES),
]);

/// How many processes of each kind ended although nobody asked them to, under
/// `died`: of those kinds of which there were any.
pub const DIED: Kind = Group(&[
    ("gateway", Int),
    ("webhook", Int),
    ("informer", Int),
    ("operator", Int),
    ("relay", Int),
    ("consumer", Int),
]);

/// Notifications of anything, under `notifications`; nameless are those that do
/// not say what they are about.
pub const NOTIFICATIONS: Kind = Group(&[("received", Int), ("nameless", Int)]);

/// The names that are not steps.
pub const ROOTS: [(&str, Kind); 7] = [
    ("run", RUN),
    ("system", SYSTEM),
    ("host", HOST),
    ("server", SERVER),
    ("watch", WATCH),
    ("died", DIED),
    ("notifications", NOTIFICATIONS),
];

impl Kind {
    /// What is under `name`.
    pub fn get(self, name: &str) -> Option<Self> {
        match self {
            Group(fields) => fields.iter().find(|(n, _)| *n == name).map(|(_, kind)| *kind),
            Open => Some(Open),
            _ => None,
        }
    }

    /// The names that are under it.
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Group(fields) => fields.iter().map(|(name, _)| *name).collect(),
            _ => Vec::new(),
        }
    }

    /// A value of this kind, to try expressions on.
    fn sample(self) -> Value {
        match self {
            Int => Value::Int(1),
            Double => Value::Float(1.0),
            Bool => Value::Bool(true),
            Text => Value::String(std::sync::Arc::new("text".to_owned())),
            Duration => Program::compile("duration('1s')")
                .ok()
                .and_then(|program| program.execute(&Context::default()).ok())
                .unwrap_or(Value::Null),
            Group(fields) => {
                let fields = fields.iter().map(|(name, kind)| ((*name).to_owned(), kind.sample()));
                fields.collect::<HashMap<_, _>>().into()
            }
            Open => HashMap::<String, Value>::new().into(),
        }
    }
}

/// Everything that can be known, with sample values, of `steps`: name and what
/// is measured.
pub fn sample<'a>(steps: impl IntoIterator<Item = (&'a str, Kind)>) -> Context<'static, 'static> {
    let mut context = Context::default();
    for (name, kind) in steps.into_iter().chain(ROOTS) {
        context.add_variable_from_value(name.to_owned(), kind.sample());
    }
    context
}

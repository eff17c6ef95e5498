//! Every measurement by the name that claims use: `write.delivery.lag.p99`.
//!
//! The list of names is the same for every step, so a name that is not on it
//! is a mistake of the claim, and one that is on it without a value is `no data`.

mod attempt;
mod cost;
mod kinds;
mod processes;
mod server;
mod tree;
mod watch;

use std::collections::BTreeMap;

use kab_scenario::model::System;

use crate::capacity::Capacity;
use crate::delivery::{Coverage, Delivery};
use crate::distribution::Summary;
use crate::inner::{Inner, PARTS};
use crate::interval::STATISTICS;
use crate::measure::{CellMeasurements, StepMeasurements};
use crate::objective::PROBE;
use crate::outcome::{Latency, Media, Ops};
use crate::server::Servers;
use crate::stored::Stored;
use crate::value::{Nanos, Value};
use crate::waterfall::{ACKNOWLEDGEMENT, Chain, DELIVERY, Segment};

use tree::Tree;

/// Measurements by path. A path without a value was not measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paths(BTreeMap<String, Option<Value>>);

impl Paths {
    /// Every measurement of `cell`.
    pub fn of(cell: &CellMeasurements) -> Self {
        let mut paths = Self::default();
        paths.0.insert("run.valid".into(), Some(Value::Flag(true)));
        let system = System::called(&cell.system);
        let webhook = system.map(|system| Value::Flag(system.has_webhook()));
        paths.0.insert("system.webhook".into(), webhook);
        let host = cell.pressure.as_ref();
        let foreign = host.map(|h| Value::Cores(h.foreign_cores()));
        paths.0.insert("host.foreignCores".into(), foreign);
        paths.0.insert("host.steal".into(), host.map(|h| Value::Ratio(h.steal)));
        paths.servers("server", cell.servers.as_ref());
        watch::put(&mut paths, cell.watch.as_ref());
        // Probes are measured by their search; claims cannot name them.
        let named = |step: &&StepMeasurements| step.verb != PROBE;
        for step in cell.steps.iter().filter(named) {
            paths.step(step);
        }
        for attempt in &cell.attempts {
            attempt::put(&mut paths, &attempt.step, Some(attempt));
        }
        processes::put(&mut paths, cell);
        paths
    }

    fn servers(&mut self, prefix: &str, servers: Option<&Servers>) {
        server::servers(&mut Place { prefix: prefix.to_owned(), paths: self }, servers);
    }

    /// What was measured of `step`, without its name before each path.
    pub fn bare(step: &StepMeasurements) -> Self {
        let mut named = Self::default();
        named.step(step);
        let prefix = format!("{}.", step.name);
        let bare = named.0.into_iter();
        Self(
            bare.filter_map(|(path, value)| Some((path.strip_prefix(&prefix)?.to_owned(), value)))
                .collect(),
        )
    }

    /// What a step called `name` with the verb `verb` could have measured, without any value.
    pub fn known(name: &str, verb: &str) -> Self {
        let mut paths = Self::default();
        if verb == "attempt" {
            attempt::put(&mut paths, name, None);
            return paths;
        }
        let (name, verb) = (name.to_owned(), verb.to_owned());
        paths.step(&StepMeasurements { name, verb, ..StepMeasurements::default() });
        paths
    }

    /// The value at `path`; none if nothing was measured there.
    pub fn get(&self, path: &str) -> Option<Value> {
        match self.0.get(path) {
            Some(value) => value.clone(),
            // A class that never occurred occurred 0 times, if any was counted.
            None => {
                let (step, class) = path.split_once(".classes.")?;
                let counted = self.get(&format!("{step}.ops.sent")).is_some();
                (!class.is_empty() && counted).then_some(Value::Count(0))
            }
        }
    }

    /// Whether `path` names a measurement, with or without a value.
    pub fn names(&self, path: &str) -> bool {
        self.0.contains_key(path) || path.contains(".classes.")
    }

    /// Whether `path` names a group of measurements.
    pub fn groups(&self, path: &str) -> bool {
        let below = format!("{path}.");
        self.0.keys().any(|name| name.starts_with(&below))
    }

    /// All paths, with or without a value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<Value>)> {
        self.0.iter().map(|(path, value)| (path.as_str(), value.clone()))
    }

    /// As nested CEL maps, by the first part of the path. `also` are read too,
    /// where they have a value.
    pub fn to_cel<'a>(
        &self,
        also: impl IntoIterator<Item = &'a String>,
    ) -> Vec<(String, cel::Value)> {
        let mut root = Tree::default();
        let extra = also.into_iter().filter_map(|path| Some((path.as_str(), self.get(path)?)));
        for (path, value) in self.iter().filter_map(|(path, v)| Some((path, v?))).chain(extra) {
            root.insert(path, value);
        }
        root.branches()
    }

    fn step(&mut self, step: &StepMeasurements) {
        let mut at = Place { prefix: step.name.clone(), paths: self };
        if step.verb == "search" {
            at.group("capacity", step.capacity.as_ref(), capacity);
            return at.group("server", step.servers.as_ref(), server::servers);
        }
        at.group("ops", step.ops.as_ref(), ops);
        for (class, count) in &step.classes {
            at.put(&format!("classes.{class}"), Some(Value::Count(*count)));
        }
        at.group("media", step.media.as_ref(), media);
        // Of a closed loop nobody intended a rate.
        let intended = step.rate.filter(|rate| !rate.closed);
        at.put("rate.intended", intended.map(|r| Value::PerSecond(r.intended)));
        at.put("rate.achieved", step.rate.map(|r| Value::PerSecond(r.achieved)));
        at.group("response", Some(&step.response), latency);
        at.group("service", Some(&step.service), latency);
        at.group("lateness", Some(&step.lateness), summary);
        kinds::put(&mut at, &step.kinds);
        at.group("delivery", step.delivery.as_ref(), delivery);
        at.group("coverage", step.coverage.as_ref(), coverage);
        at.group("stored", step.stored.as_ref(), stored);
        let deletes = step.deletes.as_ref();
        at.count("deletes.expected", deletes.map(|d| d.expected));
        at.count("deletes.announced", deletes.map(|d| d.announced));
        let reviews = step.reviews.as_ref();
        at.count("reviews.own", reviews.map(|r| r.own));
        at.count("reviews.foreign", reviews.and_then(|r| r.foreign));
        at.group("apiserver", step.apiserver.as_ref(), inner);
        at.group("server", step.servers.as_ref(), server::servers);
        at.group("cost", step.cost.as_ref(), cost::cost);
        let falls = step.waterfall.as_ref();
        at.chain("waterfall.acknowledgement", falls.map(|w| &w.acknowledgement), &ACKNOWLEDGEMENT);
        at.chain("waterfall.delivery", falls.map(|w| &w.delivery), &DELIVERY);
    }
}

/// Where in the tree of names values are being put.
struct Place<'a> {
    prefix: String,
    paths: &'a mut Paths,
}

impl Place<'_> {
    fn put(&mut self, name: &str, value: Option<Value>) {
        self.paths.0.insert(format!("{}.{name}", self.prefix), value);
    }

    fn count(&mut self, name: &str, count: Option<u64>) {
        self.put(name, count.map(Value::Count));
    }

    fn bytes(&mut self, name: &str, bytes: Option<u64>) {
        self.put(name, bytes.map(|n| Value::Bytes(i64::try_from(n).unwrap_or(i64::MAX))));
    }

    fn length(&mut self, name: &str, length: Option<Nanos>) {
        self.put(name, length.map(Value::Duration));
    }

    fn group<T>(&mut self, name: &str, of: Option<&T>, fill: fn(&mut Place<'_>, Option<&T>)) {
        let prefix = format!("{}.{name}", self.prefix);
        fill(&mut Place { prefix, paths: self.paths }, of);
    }

    fn chain(&mut self, name: &str, chain: Option<&Chain>, segments: &[&str]) {
        let chain = chain.filter(|chain| chain.count > 0);
        self.count(&format!("{name}.count"), chain.map(|c| c.count));
        let found = |wanted: &str| chain?.segments.iter().find(|s| s.name == wanted);
        for wanted in segments {
            self.group(&format!("{name}.{wanted}"), found(wanted), segment);
        }
        self.group(&format!("{name}.whole"), chain.map(|c| &c.whole), segment);
    }
}

fn ops(at: &mut Place<'_>, ops: Option<&Ops>) {
    at.count("scheduled", ops.and_then(|o| o.scheduled));
    outcomes(at, ops);
}

fn outcomes(at: &mut Place<'_>, ops: Option<&Ops>) {
    // Without a single line in the ledger, no count of it says anything.
    let ops = ops.filter(|o| o.recorded > 0);
    at.count("sent", ops.map(|o| o.sent));
    at.count("ok", ops.map(|o| o.ok));
    at.count("failed", ops.map(|o| o.failed));
    at.count("indeterminate", ops.map(|o| o.indeterminate));
    at.count("missed", ops.map(|o| o.missed));
}

fn media(at: &mut Place<'_>, media: Option<&Media>) {
    at.count("json", media.map(|m| m.json));
    at.count("cbor", media.map(|m| m.cbor));
    at.count("protobuf", media.map(|m| m.protobuf));
    at.count("other", media.map(|m| m.other));
}

fn summary(at: &mut Place<'_>, of: Option<&Summary>) {
    // No samples are no data, not a count of 0 that might satisfy a claim.
    at.count("count", of.map(|s| s.count).filter(|count| *count > 0));
    at.length("p50", of.and_then(|s| s.p50));
    at.length("p90", of.and_then(|s| s.p90));
    at.length("p99", of.and_then(|s| s.p99));
    at.length("p999", of.and_then(|s| s.p999));
    at.length("max", of.and_then(|s| s.max));
    at.length("mean", of.and_then(|s| s.mean));
}

/// A distribution that has intervals.
fn sampled(at: &mut Place<'_>, of: Option<&Summary>) {
    summary(at, of);
    at.count("effectiveSamples", of.and_then(|s| s.effective_samples));
    let intervals = of.and_then(|s| s.interval.as_ref());
    for (name, _) in STATISTICS {
        let range = intervals.and_then(|found| found.get(name));
        at.length(&format!("interval.{name}.low"), range.map(|r| r.low));
        at.length(&format!("interval.{name}.high"), range.map(|r| r.high));
    }
}

fn latency(at: &mut Place<'_>, of: Option<&Latency>) {
    sampled(at, of.map(|l| &l.all));
    at.group("ok", of.map(|l| &l.ok), sampled);
}

fn delivery(at: &mut Place<'_>, of: Option<&Delivery>) {
    at.count("subscribers", of.map(|d| d.subscribers));
    at.count("acknowledged", of.map(|d| d.acknowledged));
    at.count("expected", of.map(|d| d.expected));
    at.count("delivered", of.map(|d| d.delivered));
    at.count("lost", of.map(|d| d.lost));
    at.count("duplicated", of.map(|d| d.duplicated));
    at.count("unacknowledged", of.map(|d| d.unacknowledged));
    at.group("lag", of.map(|d| &d.lag), sampled);
}

fn coverage(at: &mut Place<'_>, of: Option<&Coverage>) {
    at.put("gateway", of.and_then(|c| c.gateway).map(Value::Ratio));
    at.put("webhook", of.and_then(|c| c.webhook).map(Value::Ratio));
    at.put("informer", of.and_then(|c| c.informer).map(Value::Ratio));
    at.put("delivery", of.and_then(|c| c.delivery).map(Value::Ratio));
    at.put("complete", of.map(|c| Value::Ratio(c.complete)));
}

fn stored(at: &mut Place<'_>, of: Option<&Stored>) {
    at.count("expected", of.map(|s| s.expected));
    at.count("present", of.map(|s| s.present));
    at.count("missing", of.map(|s| s.missing));
    at.count("indeterminatePresent", of.map(|s| s.indeterminate_present));
    at.count("failedPresent", of.map(|s| s.failed_present));
}

fn capacity(at: &mut Place<'_>, of: Option<&Capacity>) {
    let found = of.map(|capacity| &capacity.found);
    // A search that came to its end bounds the capacity on both sides: where no
    // rate held, none above 0 is known to; where none broke, the bound is above
    // every rate, unless it was the generator that came to its own end.
    let over = found.is_some_and(|f| f.complete && !f.probes.is_empty());
    let open = over && found.is_some_and(|f| f.ceiling.is_none());
    let held = found.and_then(|f| f.held).or(over.then_some(0.0));
    let broke = found.and_then(|f| f.broke).or(open.then_some(f64::INFINITY));
    at.put("held", held.map(Value::PerSecond));
    at.put("broke", broke.map(Value::PerSecond));
    at.count("probes", found.map(|f| f.probes.len() as u64));
    at.count("contradictions", found.map(|f| f.contradictions.len() as u64));
    at.put("generatorLimited", found.map(|f| Value::Flag(f.ceiling.is_some())));
    at.put("complete", found.map(|f| Value::Flag(f.complete)));
}

fn inner(at: &mut Place<'_>, of: Option<&Inner>) {
    at.count("count", of.map(|i| i.count));
    at.put("coverage", of.map(|i| Value::Ratio(i.coverage)));
    at.count("outside", of.map(|i| i.outside));
    // Without a single one, a length of 0 would be made up.
    let of = of.filter(|i| i.count > 0);
    for name in PARTS {
        at.group(name, of.and_then(|i| i.segments.iter().find(|s| s.name == name)), segment);
    }
    at.group("whole", of.map(|i| &i.whole), segment);
}

fn segment(at: &mut Place<'_>, of: Option<&Segment>) {
    at.length("p50", of.and_then(|s| s.p50));
    at.length("p99", of.and_then(|s| s.p99));
    at.length("mean", of.and_then(|s| s.mean));
    at.count("negative", of.map(|s| s.negative));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kab_scenario::measure::{Kind, PROBE, ROOTS, of_verb};

    use super::*;

    /// Every name below `kind`, as the scenario format knows it. What is open
    /// there has no names to compare.
    fn names(kind: Kind, at: &str, into: &mut BTreeSet<String>) {
        match kind {
            Kind::Group(fields) => {
                fields.iter().for_each(|(name, kind)| names(*kind, &format!("{at}.{name}"), into));
            }
            Kind::Open => {}
            _ => {
                into.insert(at.to_owned());
            }
        }
    }

    fn allowed(kind: Kind, prefix: &str) -> BTreeSet<String> {
        let mut allowed = BTreeSet::new();
        names(kind, prefix, &mut allowed);
        allowed
    }

    #[test]
    fn a_scenario_may_name_exactly_what_is_measured() {
        for verb in ["load", "seed", "search", "attempt"] {
            let known = Paths::known("write", verb);
            let measured: BTreeSet<String> = known
                .iter()
                .map(|(path, _)| path.to_owned())
                .filter(|path| !path.starts_with("write.waterfall."))
                .collect();
            assert_eq!(allowed(of_verb(verb).unwrap(), "write"), measured, "{verb}");
        }
    }

    #[test]
    fn an_objective_may_name_only_what_is_measured_of_a_probe() {
        let probe = StepMeasurements { name: "a@1.5#1".into(), ..StepMeasurements::default() };
        let measured = Paths::bare(&probe);
        for name in allowed(PROBE, "") {
            let name = name.trim_start_matches('.');
            assert!(measured.names(name), "{name}");
        }
    }

    #[test]
    fn nor_anything_else_of_the_run_as_a_whole() {
        let mut allowed = BTreeSet::new();
        ROOTS.iter().for_each(|(root, kind)| names(*kind, root, &mut allowed));
        let paths = Paths::of(&CellMeasurements::default());
        let measured: BTreeSet<String> = paths.iter().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(allowed, measured);
        let known = |(path, value): (&str, Option<Value>)| path == "run.valid" || value.is_none();
        assert!(paths.iter().all(known));
    }

    #[test]
    fn a_step_without_evidence_has_names_but_no_values() {
        assert!(Paths::known("write", "load").iter().all(|(_, value)| value.is_none()));
    }
}

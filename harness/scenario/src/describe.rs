//! The plan in words, for `--dry-run`.

use std::fmt::Write;

use crate::cost::{Cost, rough, rough_size};
use crate::model::{Cluster, Component, Condition, Step, Verb};
use crate::plan::Plan;

/// At most so many cells are listed.
const LISTED: usize = 20;

impl Plan {
    /// Everything that the plan will do, for people to read.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let spec = &self.scenario.spec;
        writeln!(out, "{}: {}", self.scenario.metadata.name, self.scenario.metadata.summary)?;
        writeln!(out, "\n{}", wrapped(&spec.question, ""))?;
        let total = self.cost();
        let each =
            if self.cells.len() == 1 { "1 cell" } else { &format!("{} cells", self.cells.len()) };
        writeln!(
            out,
            "\nabout {} of running time, {} if every wait runs out; starting the cluster comes on top, once a cell",
            rough(total.expected),
            rough(total.worst)
        )?;
        writeln!(out, "{each}, {}, seed {}", volume(total), self.seed)?;
        for set in &self.sets {
            writeln!(out, "set {set}")?;
        }
        let first = self.cells.first().map_or(spec, |cell| &cell.spec);
        cluster(out, &first.cluster)?;
        writeln!(
            out,
            "\nsteps{}",
            if self.cells.len() > 1 { " (as in the first cell)" } else { "" }
        )?;
        let width = first.steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
        for step in &first.steps {
            let (verb, what) = (step.verb.name(), sentence(step));
            writeln!(out, "  {:width$}  {verb:9}  {what}", step.name)?;
        }
        writeln!(out, "\ncells")?;
        let width = self.cells.iter().take(LISTED).map(|cell| cell.id.len()).max().unwrap_or(0);
        for cell in self.cells.iter().take(LISTED) {
            let cost = Cost::of(&cell.spec.steps);
            writeln!(
                out,
                "  {:width$}  about {}, {}",
                cell.id,
                rough(cost.expected),
                volume(cost)
            )?;
        }
        if self.cells.len() > LISTED {
            writeln!(out, "  and {} more", self.cells.len() - LISTED)?;
        }
        writeln!(out, "\nclaims")?;
        for claim in &spec.claims {
            writeln!(out, "  {}", claim.id)?;
            writeln!(out, "{}", wrapped(&claim.statement, "    "))?;
            for (system, expected) in &claim.expect {
                writeln!(
                    out,
                    "    expected of {system}: {}",
                    format!("{expected:?}").to_lowercase()
                )?;
            }
        }
        Ok(())
    }
}

fn volume(cost: Cost) -> String {
    format!("{} writes with {} of payload", cost.requests, rough_size(cost.bytes))
}

fn cluster(out: &mut String, cluster: &Cluster) -> std::fmt::Result {
    let fsync = if cluster.etcd.fsync { "fsync on" } else { "fsync OFF" };
    writeln!(out, "\ncluster")?;
    writeln!(out, "  etcd, quota {}, {fsync}{}", cluster.etcd.quota, flags(&cluster.etcd.flags))?;
    let component =
        |name: &str, component: &Component| format!("  {name}{}", flags(&component.flags));
    writeln!(out, "{}", component("kube-apiserver", &cluster.apiserver))?;
    match &cluster.controller_manager {
        Some(manager) => writeln!(out, "{}", component("kube-controller-manager", manager)),
        None => Ok(()),
    }
}

fn flags(flags: &std::collections::BTreeMap<String, String>) -> String {
    flags.iter().map(|(name, value)| format!(" --{name}={value}")).collect()
}

fn sentence(step: &Step) -> String {
    match &step.verb {
        Verb::Seed(seed) => {
            format!(
                "{} entities of {}, {} at a time",
                seed.count, seed.payload.size, seed.in_flight
            )
        }
        Verb::Subscribe(subscribe) => match subscribe.count {
            1 => "1 subscriber, until the end".to_owned(),
            count => format!("{count} subscribers, until the end"),
        },
        Verb::Load(load) => format!(
            "{} for {}, open loop: {} creates of {}; given up after {}",
            load.rate,
            load.duration,
            load.operations(),
            load.payload.size,
            load.deadline
        ),
        Verb::Wait(wait) => match wait.until {
            Condition::Delivered => {
                format!("until every acknowledged write is delivered, at most {}", wait.at_most)
            }
            Condition::Elapsed => format!("for {}", wait.at_most),
        },
        Verb::Check(check) => format!("look for every write of `{}` in the store", check.stored),
    }
}

/// `text` in lines of at most 96 characters, each behind `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line + word.chars().count() > 96 && line > indent.len() {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if line.len() > indent.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

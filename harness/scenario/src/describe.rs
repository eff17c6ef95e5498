//! The plan in words, for `--dry-run`.

use std::fmt::Write;

use crate::cost::{Cost, rough, rough_size};
use crate::model::{
    Arrivals, Attempt, Behaviour, Cluster, Component, Condition, Fault, Load, Operation, Spec,
    Step, Subscribe, SubscribeClient, Traffic, Until, Verb, Via,
};
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
        system(out, first)?;
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
    let payload = rough_size(cost.bytes);
    match cost.requests == cost.writes {
        true => format!("{} writes with {payload} of payload", cost.requests),
        false => format!(
            "{} operations, {} writes with {payload} of payload",
            cost.requests, cost.writes
        ),
    }
}

fn cluster(out: &mut String, cluster: &Cluster) -> std::fmt::Result {
    let fsync = if cluster.etcd.fsync { "fsync on" } else { "fsync OFF" };
    writeln!(out, "\ncluster")?;
    writeln!(out, "  etcd, quota {}, {fsync}{}", cluster.etcd.quota, flags(&cluster.etcd.flags))?;
    let component =
        |name: &str, component: &Component| format!("  {name}{}", flags(&component.flags));
    let traced = if cluster.apiserver.tracing { ", tracing every request" } else { "" };
    writeln!(out, "  kube-apiserver{traced}{}", flags(&cluster.apiserver.flags))?;
    match &cluster.controller_manager {
        Some(manager) => writeln!(out, "{}", component("kube-controller-manager", manager)),
        None => Ok(()),
    }
}

/// What is particular about the systems, if anything is.
fn system(out: &mut String, spec: &Spec) -> std::fmt::Result {
    let mut lines = Vec::new();
    if spec.instances > 1 {
        lines.push(format!("{} instances side by side", spec.instances));
    }
    if !spec.deployed_by.is_lab() {
        lines.push("deployed by the system's own operator".to_owned());
    }
    for (defect, on) in &spec.defects.0 {
        lines.push(format!("defect {} {}", defect.name(), if *on { "ON" } else { "off" }));
    }
    if !spec.may_die.is_empty() {
        let kinds: Vec<_> = spec.may_die.iter().map(|kind| kind.name()).collect();
        lines.push(format!("may die: {}", kinds.join(", ")));
    }
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nsystem")?;
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn flags(flags: &std::collections::BTreeMap<String, String>) -> String {
    flags.iter().map(|(name, value)| format!(" --{name}={value}")).collect()
}

fn sentence(step: &Step) -> String {
    match &step.verb {
        Verb::Seed(seed) => {
            let what = match seed.resource.is_todo() {
                true => "entities".to_owned(),
                false => format!("{} objects", seed.resource.name()),
            };
            format!("{} {what} of {}, {} at a time", seed.count, seed.payload.size, seed.in_flight)
        }
        Verb::Subscribe(subscribe) => subscribe_sentence(subscribe),
        Verb::Load(load) => load_sentence(load),
        Verb::Search(search) => format!(
            "from {} up to {}, to {} of itself: at most {} rates, each probed {} x {} after {} of \
             warm-up; holds if {}",
            search.rate.from,
            search.rate.up_to,
            search.rate.resolution,
            search.levels(),
            search.repeats,
            search.measure,
            search.warm_up,
            search.hold.trim()
        ),
        Verb::Wait(wait) => match wait.until {
            Condition::Delivered => {
                format!("until every acknowledged write is delivered, at most {}", wait.at_most)
            }
            Condition::Elapsed => format!("for {}", wait.at_most),
        },
        Verb::Check(check) => format!("look for every write of `{}` in the store", check.stored),
        Verb::Attempt(attempt) => attempt_sentence(attempt),
        Verb::Fault(fault) => fault_sentence(fault),
    }
}

fn subscribe_sentence(subscribe: &Subscribe) -> String {
    let what = match subscribe.client {
        SubscribeClient::Informer => "subscriber",
        SubscribeClient::Raw => "bare watch stream",
        SubscribeClient::Runtime => "kube::runtime watcher",
    };
    let plural = if subscribe.count == 1 { "" } else { "s" };
    let replicas = match subscribe.replicas {
        1 => String::new(),
        replicas => format!(", each with {replicas} replicas of its informer"),
    };
    format!("{} {what}{plural}{replicas}, until the end", subscribe.count)
}

fn attempt_sentence(attempt: &Attempt) -> String {
    let whom = match attempt.via {
        Via::Gateway => "the gateway".to_owned(),
        Via::Apiserver => format!("the apiserver as {}", attempt.asker().name()),
    };
    let times = match attempt.repeat {
        1 => String::new(),
        repeat => format!(", {repeat} times"),
    };
    let until = attempt.until.as_ref().map_or_else(String::new, |until| {
        format!(", until the answer is {}, at most {}", until.status, until.at_most)
    });
    format!("{} {} to {whom}{times}{until}", attempt.method, attempt.path)
}

fn fault_sentence(fault: &Fault) -> String {
    let how = match fault {
        Fault::Kill(name) => return format!("kill {name} (SIGKILL)"),
        Fault::Stop(name) => return format!("have {name} stand still (SIGSTOP)"),
        Fault::Continue(name) => return format!("have {name} go on (SIGCONT)"),
        Fault::Restart(name) => return format!("restart {name}, and wait until it is ready"),
        Fault::Subscriber(how) => how,
    };
    let what = match how.behaves {
        Behaviour::Normal => "takes notifications".to_owned(),
        Behaviour::Refuse => format!("refuses notifications with {}", how.status),
        Behaviour::Silent => "answers nothing".to_owned(),
        Behaviour::Down => "does not listen".to_owned(),
    };
    let time = how.time.map_or_else(String::new, |time| format!(", for {time}"));
    format!("subscriber {} {what} from now on{time}", how.index)
}

fn load_sentence(load: &Load) -> String {
    let Traffic { mix, keys, payload, deadline, .. } = &load.traffic;
    let operations = load.operations();
    let due = match &load.arrivals {
        Arrivals::Constant(steady) => {
            format!("{} for {}, open loop: {operations}", steady.rate, steady.duration)
        }
        Arrivals::Poisson(steady) => format!(
            "Poisson arrivals, {} for {}, open loop: about {operations}",
            steady.rate, steady.duration
        ),
        Arrivals::Ramp(ramp) => {
            format!("{} to {} in {}, open loop: {operations}", ramp.from, ramp.to, ramp.duration)
        }
        Arrivals::Steps(steps) => {
            let steps: Vec<_> =
                steps.iter().take(5).map(|s| format!("{} for {}", s.rate, s.duration)).collect();
            format!("{}, open loop: {operations}", steps.join(", "))
        }
        Arrivals::Burst(burst) => format!(
            "{} at once every {} for {}, open loop: {operations}",
            burst.size, burst.every, burst.duration
        ),
        Arrivals::Pulse(pulse) => format!(
            "{} for {}, then {} off, for {}, open loop: {operations}",
            pulse.rate, pulse.on, pulse.off, pulse.duration
        ),
        Arrivals::Replay(replay) => format!(
            "{} recorded rates in {}, open loop: {operations}",
            replay.series.len(),
            replay.end()
        ),
        Arrivals::Closed(closed) => match &closed.until {
            Until::Elapsed(span) => {
                format!("{} clients for {span}, CLOSED loop: perhaps {operations}", closed.clients)
            }
            Until::Counted(_) => format!("{} clients, CLOSED loop: {operations}", closed.clients),
        },
    };
    let kinds: Vec<_> = mix.iter().filter(|(_, weight)| **weight > 0).collect();
    let what = match kinds[..] {
        [(Operation::Create, _)] => format!("creates of {}", payload.size),
        [(Operation::List, _)] => "lists".to_owned(),
        _ => {
            let kinds: Vec<_> =
                kinds.iter().map(|(kind, weight)| format!("{kind} {weight}")).collect();
            let of = keys.as_ref().map_or(String::new(), |keys| format!(" of `{}`", keys.of));
            let writes = match load.share_with_payload() > 0.0 {
                true => format!(", writes of {}", payload.size),
                false => String::new(),
            };
            format!("operations ({}){of}{writes}", kinds.join(", "))
        }
    };
    let via = match load.traffic.via {
        Via::Gateway => "",
        Via::Apiserver => " to the apiserver",
    };
    let kind = match load.traffic.resource.is_todo() {
        true => String::new(),
        false => format!(" about {} objects", load.traffic.resource.name()),
    };
    let encoding = match load.traffic.encoding.is_json() {
        true => String::new(),
        false => format!(", answers in {} if it can", load.traffic.encoding.name()),
    };
    let workers = match load.traffic.workers {
        1 => String::new(),
        workers => format!(", shared by {workers} processes"),
    };
    format!("{due} {what}{kind}{via}{encoding}{workers}; given up after {deadline}")
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

//! Attempts and faults that no one can mean, and systems that are not to be had
//! as they are wanted.

use crate::attempt::placeholders;
use crate::inside;
use crate::meaning::{StepView, starts_informers};
use crate::model::Mortal;
use crate::problem::Problem;
use crate::suggest::{quoted, suggestion};
use crate::tree::{Found, Node};

/// Every kind of process that something can be done to.
const KINDS: [Mortal; 6] = [
    Mortal::Gateway,
    Mortal::Webhook,
    Mortal::Informer,
    Mortal::Operator,
    Mortal::Relay,
    Mortal::Consumer,
];

/// The one system that is not in the cluster.
const OUTSIDE: &str = "conventional";

/// What makes no sense in the attempts and faults of `steps`, and in the systems
/// that the document `root` wants.
pub fn problems(root: &Node, steps: &[StepView<'_>]) -> Vec<Problem> {
    let Some(spec) = root.get("spec") else { return Vec::new() };
    let systems: Vec<_> = spec.get("systems").map(Node::items).unwrap_or_default().iter().collect();
    let outside = systems.iter().find(|system| system.text() == Some(OUTSIDE)).copied();
    let only_outside = outside.filter(|_| systems.len() == 1);
    let instances = spec.get("instances").and_then(whole).unwrap_or(1);
    let mut problems = wanted(spec, outside, only_outside, instances);
    for (index, step) in steps.iter().enumerate() {
        let earlier = &steps[..index];
        match step.verb {
            Some(("attempt", attempt)) => {
                problems.extend(nobody_asks_who(attempt));
                problems.extend(only_outside.and_then(|_| no_apiserver(attempt)));
                problems.extend(blanks(attempt, earlier, instances));
            }
            Some(("fault", fault)) => problems.extend(nothing_hit(fault, earlier, instances)),
            Some(("subscribe", subscribe)) => problems.extend(nothing_to_replicate(subscribe)),
            _ => {}
        }
    }
    problems
}

fn here(node: &Node) -> crate::source::Place {
    Found { key: None, node }.head()
}

fn whole(node: &Node) -> Option<u64> {
    node.to_json().as_u64()
}

/// What only systems in the cluster have.
fn wanted(
    spec: &Node,
    outside: Option<&Node>,
    only_outside: Option<&Node>,
    instances: u64,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let (Some(defects), Some(_)) = (spec.get("defects"), only_outside) {
        let message = "the conventional system has none of these defects";
        problems.push(
            Problem::new(here(defects), message)
                .help("they are those of systems that keep entities in custom resources"),
        );
    }
    let Some(outside) = outside else { return problems };
    let needs = [
        (spec.get("instances").filter(|_| instances > 1), "have several instances"),
        (
            spec.get("deployedBy").filter(|by| by.text() == Some("operator")),
            "be deployed by an operator",
        ),
    ];
    for (node, what) in needs {
        let Some(node) = node else { continue };
        problems.push(
            Problem::new(here(node), format!("the conventional system cannot {what}"))
                .also(outside.place.first_line(), "this one")
                .help("remove one of the two"),
        );
    }
    problems
}

/// An identity, where nobody asks for one.
fn nobody_asks_who(attempt: &Node) -> Option<Problem> {
    let identity = attempt.get("as")?;
    let via = attempt.text_at("via").unwrap_or("gateway");
    (via == "gateway").then(|| {
        Problem::new(here(identity), "the gateway asks nobody for credentials")
            .help("write `via: apiserver` to ask the apiserver itself, or leave `as` out")
    })
}

fn no_apiserver(attempt: &Node) -> Option<Problem> {
    let via = attempt.get("via").filter(|via| via.text() == Some("apiserver"))?;
    Some(
        Problem::new(here(via), "the conventional system has no apiserver").help("ask the gateway"),
    )
}

/// Words in brackets in the path of `attempt` that stand for nothing.
fn blanks(attempt: &Node, earlier: &[StepView<'_>], instances: u64) -> Vec<Problem> {
    let Some(path) = attempt.get("path") else { return Vec::new() };
    let attempts: Vec<_> =
        earlier.iter().filter(|step| step.is(&["attempt"])).filter_map(|step| step.name).collect();
    let known = |name: &str| match name.strip_prefix("namespace") {
        Some("" | "1") => true,
        Some(number) => number.parse::<u64>().is_ok_and(|n| (1..=instances).contains(&n)),
        None => attempts.contains(&name),
    };
    let text = path.text().unwrap_or_default();
    let unknown = placeholders(text).into_iter().filter(|(name, _)| !known(name));
    unknown
        .map(|(name, range)| {
            let place = inside::place(path, range);
            if name.starts_with("namespace") {
                return Problem::new(place, format!("there is no instance for `{{{name}}}`"))
                    .help("raise `instances`");
            }
            let names = attempts.iter().copied().chain(["namespace"]);
            Problem::new(place, format!("no earlier attempt is called {}", quoted(name)))
                .maybe_help(suggestion(name, names))
        })
        .collect()
}

/// How many subscribers with informers the steps `earlier` start.
fn subscribers(earlier: &[StepView<'_>]) -> u64 {
    let subscribes = earlier.iter().filter_map(|step| match step.verb {
        Some(("subscribe", subscribe)) if starts_informers(subscribe) => subscribe.get("count"),
        _ => None,
    });
    subscribes.filter_map(whole).sum()
}

/// A fault of what is not there.
fn nothing_hit(fault: &Node, earlier: &[StepView<'_>], instances: u64) -> Option<Problem> {
    let there = subscribers(earlier);
    let add = "add an earlier step: {name: listen, subscribe: {count: 1}}";
    if let Some(subscriber) = fault.get("subscriber") {
        let index = subscriber.get("index");
        let number = index.map_or(Some(0), whole)?;
        let place = here(index.unwrap_or(subscriber));
        return (number >= there).then(|| {
            let message = format!("there is no subscriber {number} when this step comes");
            Problem::new(place, message).help(match there {
                0 => add.to_owned(),
                n => format!("{n} are started before, counted from 0"),
            })
        });
    }
    let (_, process) = fault.entries().first()?;
    let full = process.text()?;
    let place = process.place.first_line();
    let (instance, name) = match full.split_once('-') {
        Some((instance, name)) if instance.starts_with("kab") => (Some(instance), name),
        _ => (None, full),
    };
    if let Some(instance) = instance {
        let number = instance.trim_start_matches("kab").parse::<u64>().ok();
        if !number.is_some_and(|n| (2..=instances).contains(&n)) {
            let help = match instances {
                1 => "there is one instance; its processes are called as `webhook`".to_owned(),
                n => format!(
                    "there are {n}: the first one's processes have no prefix, and the others' are `kab02-`, ..."
                ),
            };
            let message = format!("there is no instance `{instance}`");
            return Some(Problem::new(place, message).help(help));
        }
    }
    let kind = KINDS.map(Mortal::name).into_iter().find(|kind| {
        name.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    let Some(kind) = kind else {
        return Some(
            Problem::new(place, format!("no process is called {}", quoted(full)))
                .maybe_help(suggestion(name, ["gateway", "webhook", "informer-0", "operator"])),
        );
    };
    if !["informer", "consumer"].contains(&kind) {
        return (name != kind).then(|| {
            Problem::new(place, format!("there is one `{kind}` only"))
                .help(format!("write `{kind}`"))
        });
    }
    let number = name.split('-').nth(1).and_then(|number| number.parse::<u64>().ok());
    let Some(number) = number else {
        return Some(
            Problem::new(place, format!("which {kind}?"))
                .help(format!("write `{kind}-0` for that of the first subscriber")),
        );
    };
    (number >= there).then(|| {
        Problem::new(place, format!("there is no `{full}` when this step comes")).help(
            match there {
                0 => add.to_owned(),
                n => format!("{n} are started before, counted from 0"),
            },
        )
    })
}

/// Replicas of what is none of the system's.
fn nothing_to_replicate(subscribe: &Node) -> Option<Problem> {
    let replicas = subscribe.get("replicas")?;
    (!starts_informers(subscribe) && whole(replicas).is_some_and(|n| n > 1)).then(|| {
        Problem::new(here(replicas), "only informers have replicas")
            .help("leave `replicas` out, or raise `count`")
    })
}

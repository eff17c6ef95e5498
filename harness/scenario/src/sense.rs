//! Loads that no one can mean: operations that the asked does not offer, about
//! entities that do not exist, at times that do not follow one another.

use std::time::Duration;

use crate::kind;
use crate::meaning::StepView;
use crate::model::Operation;
use crate::problem::Problem;
use crate::suggest::{quoted, suggestion};
use crate::tree::{Found, Node};
use crate::unit::{Bytes, Level, Span};

/// What `maxInFlight` is if it is not given.
const IN_FLIGHT: u64 = 500;

/// What makes no sense in the load step `load`, between the steps `earlier` and
/// `later`.
pub fn problems(load: &Node, earlier: &[StepView<'_>], later: &[StepView<'_>]) -> Vec<Problem> {
    let mut problems = mix(load);
    problems.extend(load.get("keys").and_then(|keys| unknown_keys(keys, earlier, later)));
    problems.extend(through_gateway(load));
    problems.extend(kind::problems(load, earlier));
    problems.extend(load.get("arrivals").map(|a| arrivals(a, load)).unwrap_or_default());
    problems.extend(payload(load));
    problems.extend(idle_workers(load));
    problems
}

/// More workers than operations may be in flight: some could send nothing.
fn idle_workers(load: &Node) -> Option<Problem> {
    let node = load.get("workers")?;
    let workers = whole(Some(node))?;
    let in_flight = match load.get("maxInFlight") {
        Some(most) => whole(Some(most))?,
        None => IN_FLIGHT,
    };
    (workers > in_flight).then(|| {
        let message = format!("{workers} workers cannot share {in_flight} operations in flight");
        Problem::new(here(node), message).help("raise `maxInFlight`, or take fewer workers")
    })
}

/// What makes no sense in the payload of a step that writes.
pub fn payload(step: &Node) -> Option<Problem> {
    sizes(step.at("/payload/size")?.node)
}

fn here(node: &Node) -> crate::source::Place {
    Found { key: None, node }.head()
}

fn parsed<T: std::str::FromStr>(node: Option<&Node>) -> Option<T> {
    node?.text()?.parse().ok()
}

fn whole(node: Option<&Node>) -> Option<u64> {
    node?.to_json().as_u64()
}

/// The kinds of operations that are asked for, and where.
fn asked(load: &Node) -> Vec<(Operation, crate::source::Place)> {
    let entries = load.get("mix").map(Node::entries).unwrap_or_default();
    let kind = |name: &str| serde_json::from_value::<Operation>(name.into()).ok();
    let some = |weight: &Node| whole(Some(weight)).is_none_or(|weight| weight > 0);
    let asked = entries.iter().filter(|(_, weight)| some(weight));
    asked.filter_map(|(key, _)| Some((kind(&key.name)?, key.place.clone()))).collect()
}

/// The kinds of operations that `load` sends; none if its mix is not one.
pub fn kinds(load: &Node) -> Option<Vec<Operation>> {
    let Some(mix) = load.get("mix") else { return Some(vec![Operation::Create]) };
    let weights = mix.entries().iter();
    let sent = weights.filter(|(_, weight)| whole(Some(weight)) != Some(0)).count();
    let asked: Vec<_> = asked(load).into_iter().map(|(operation, _)| operation).collect();
    (!asked.is_empty() && asked.len() == sent).then_some(asked)
}

fn mix(load: &Node) -> Vec<Problem> {
    let asked = asked(load);
    let mut problems = Vec::new();
    let (mix, keys) = (load.get("mix"), load.get("keys"));
    if let Some(mix) = mix.filter(|mix| !mix.entries().is_empty()) {
        let zero = |(_, weight): &(_, Node)| whole(Some(weight)) == Some(0);
        if mix.entries().iter().all(zero) {
            problems.push(
                Problem::new(here(mix), "all weights of the mix are 0")
                    .help("give at least one kind of operation a weight of 1 or more"),
            );
        }
    }
    let about_one = asked.iter().find(|(operation, _)| operation.needs_entity());
    match (about_one, keys) {
        (Some((operation, place)), None) => problems.push(
            Problem::new(
                place.clone(),
                format!("`{operation}` is about an entity, and none is named"),
            )
            .help("add `keys: {of: STEP}`, where STEP is an earlier `seed` step"),
        ),
        (None, Some(keys)) => problems.push(
            Problem::new(here(keys), "no operation of this load is about an entity that exists")
                .help(
                    "give `get`, `update`, `patch` or `delete` a weight in `mix`, or remove `keys`",
                ),
        ),
        _ => {}
    }
    problems
}

fn unknown_keys(keys: &Node, earlier: &[StepView<'_>], later: &[StepView<'_>]) -> Option<Problem> {
    let of = keys.get("of")?;
    let name = of.text()?;
    let seeds =
        |steps: &[StepView<'_>]| steps.iter().any(|s| s.is(&["seed"]) && s.name == Some(name));
    let place = of.place.first_line();
    let seed = earlier.iter().find(|step| step.name == Some(name));
    match seed.map(|step| step.verb) {
        Some(Some(("seed", seed))) => {
            let (hot, made) = (keys.at("/pick/hot/keys")?, whole(seed.get("count"))?);
            (whole(Some(hot.node))? >= made).then(|| {
                Problem::new(hot.head(), format!("`{name}` makes {made} entities, so all are hot"))
                    .help("let fewer be hot, or use `pick: uniform`")
            })
        }
        Some(verb) => {
            let verb = verb.map_or("nothing", |(verb, _)| verb);
            let names = earlier.iter().filter(|s| s.is(&["seed"])).filter_map(|s| s.name);
            Some(
                Problem::new(
                    place,
                    format!("`{name}` makes no entities beforehand: it is a `{verb}` step"),
                )
                .maybe_help(suggestion(name, names)),
            )
        }
        None if seeds(later) => Some(
            Problem::new(place, format!("`{name}` has not run when this step needs its entities"))
                .help(format!("move this step behind `{name}`")),
        ),
        None => {
            let names = earlier.iter().filter(|s| s.is(&["seed"])).filter_map(|s| s.name);
            Some(
                Problem::new(place, format!("no earlier step is called {}", quoted(name)))
                    .maybe_help(suggestion(name, names)),
            )
        }
    }
}

/// What the gateway cannot do: it asks in its own name, and speaks HTTP/1.1
/// without TLS.
fn through_gateway(load: &Node) -> Vec<Problem> {
    if load.text_at("via").is_some_and(|via| via != "gateway") {
        return Vec::new();
    }
    let help = "write `via: apiserver` to ask the apiserver itself";
    let mut problems = Vec::new();
    if let Some(identities) =
        load.get("identities").filter(|n| whole(Some(n)).is_some_and(|n| n > 1))
    {
        let message = "the gateway asks the apiserver in its own name, whoever asks the gateway";
        problems.push(Problem::new(here(identities), message).help(help));
    }
    if let Some(protocol) = load.get("protocol").filter(|p| p.text() == Some("http2")) {
        problems.push(Problem::new(here(protocol), "the gateway speaks HTTP/1.1 only").help(help));
    }
    problems
}

fn arrivals(arrivals: &Node, load: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    let none =
        |node: Option<&Node>| parsed::<Level>(node).is_some_and(|rate| rate.per_second() == 0.0);
    if let Some(ramp) = arrivals.get("ramp").filter(|r| none(r.get("from")) && none(r.get("to"))) {
        problems.push(Problem::new(here(ramp), "a ramp from nothing to nothing sends nothing"));
    }
    let rates =
        |list: &Node| !list.items().is_empty() && list.items().iter().all(|i| none(i.get("rate")));
    for path in ["/steps", "/replay/series"] {
        if let Some(found) = arrivals.at(path).filter(|found| rates(found.node)) {
            problems.push(Problem::new(found.head(), "every rate is 0: this sends nothing"));
        }
    }
    problems.extend(arrivals.get("replay").and_then(series));
    let clients = arrivals.at("/closed/clients");
    let most = load.get("maxInFlight").map_or(Some(IN_FLIGHT), |most| whole(Some(most)));
    if let (Some(clients), Some(most)) = (clients, most)
        && whole(Some(clients.node)).is_some_and(|clients| clients > most)
    {
        let message = format!("more clients than `maxInFlight` lets ask at a time, {most}");
        problems.push(Problem::new(clients.head(), message).help("raise `maxInFlight`"));
    }
    problems
}

/// Points that do not follow one another from 0.
fn series(replay: &Node) -> Option<Problem> {
    let points = replay.get("series")?.items();
    let mut before: Option<Duration> = None;
    for point in points {
        let at = point.get("at")?;
        let time = parsed::<Span>(Some(at))?.duration();
        match before {
            None if !time.is_zero() => {
                return Some(
                    Problem::new(here(at), "a series begins at 0s")
                        .help("say what the rate is from the start on, perhaps 0/s"),
                );
            }
            Some(before) if time <= before => {
                return Some(
                    Problem::new(here(at), "this point does not come after the one before it")
                        .help("put the points in the order of their times"),
                );
            }
            _ => before = Some(time),
        }
    }
    let (duration, last) = (replay.get("duration")?, before?);
    (parsed::<Span>(Some(duration))?.duration() < last).then(|| {
        Problem::new(here(duration), "the last point of the series lies behind this")
            .help("play it longer, or leave points out")
    })
}

/// Sizes the wrong way round, or none at all.
fn sizes(size: &Node) -> Option<Problem> {
    for (path, least, most) in [("/uniform", "from", "to"), ("/lognormal", "median", "most")] {
        let Some(range) = size.at(path) else { continue };
        let found = |key: &str| parsed::<Bytes>(range.node.get(key));
        if found(least)? > found(most)? {
            let place = here(range.node.get(least)?);
            return Some(
                Problem::new(place, format!("`{least}` is larger than `{most}`"))
                    .help("exchange the two"),
            );
        }
    }
    let choices = size.get("choice")?;
    let zero = |choice: &Node| whole(choice.get("weight")) == Some(0);
    (!choices.items().is_empty() && choices.items().iter().all(zero)).then(|| {
        Problem::new(here(choices), "all weights are 0")
            .help("give at least one size a weight of 1 or more")
    })
}

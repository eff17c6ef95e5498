//! What a schema cannot say: names that must be unique, or must exist, or must
//! come first. Works on the tree, so that it has something to say even if
//! other parts of the file are wrong.

use std::collections::{HashMap, HashSet};

use crate::claim::{self, Scope, StepFacts};
use crate::inside;
use crate::kind;
use crate::measure;
use crate::model::{MOST_INFORMERS, Operation, Verb};
use crate::nothing;
use crate::path::Path;
use crate::problem::{Problem, SHOWN};
use crate::search;
use crate::sense;
use crate::single;
use crate::suggest::{quoted, suggestion};
use crate::tree::{Data, Node};

/// The schema allows no more steps and no more claims; looking at what is
/// beyond would only take time.
const MOST: usize = 1_000;

/// Words that CEL keeps for itself.
const RESERVED: [&str; 20] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
];

/// Everything in the document `root` that makes no sense, but for CEL.
pub fn problems(root: &Node) -> Vec<Problem> {
    let items = |key: &str| spec_items(root, key);
    let (steps, claims) = (items("steps"), items("claims"));
    let mut problems = unique(steps.iter().filter_map(|s| s.get("name")), "a step");
    problems.extend(unique(claims.iter().filter_map(|c| c.get("id")), "a claim"));
    problems.extend(unique(items("systems").iter(), "a system"));
    problems.extend(steps.iter().filter_map(|step| step.get("name")).filter_map(unusable));
    let views = StepView::all(steps);
    problems.extend(order(&views));
    problems.extend(single::problems(root, &views));
    problems.extend(nothing::problems(root, &views));
    problems
}

/// Everything in the claims of `root` that is not CEL over measurements.
pub fn claims(root: &Node) -> Vec<Problem> {
    let (steps, claims) = (spec_items(root, "steps"), spec_items(root, "claims"));
    let facts = facts(steps);
    let expressions = claims.iter().take(MOST).flat_map(|claim| {
        let needs = claim.get("needs").map(Node::items).unwrap_or_default();
        needs.iter().chain(["confirmed", "refuted"].into_iter().filter_map(|key| claim.get(key)))
    });
    let mut problems = claim::problems(&expressions.collect::<Vec<_>>(), Scope::Claim(&facts));
    let searches = steps.iter().take(MOST).filter_map(|step| step.get("search"));
    let objectives: Vec<_> = searches.filter_map(|search| search.get("hold")).collect();
    if !objectives.is_empty() {
        problems.extend(claim::problems(&objectives, Scope::Probe));
    }
    problems
}

/// Whether claims mean the same in `a` and in `b`, the claims being equal.
pub fn same_for_claims(a: &Node, b: &Node) -> bool {
    let objectives = |root| {
        let searches = spec_items(root, "steps").iter().filter_map(|step| step.get("search"));
        searches.map(|search| search.text_at("hold")).collect::<Vec<_>>()
    };
    facts(spec_items(a, "steps")) == facts(spec_items(b, "steps")) && objectives(a) == objectives(b)
}

fn spec_items<'a>(root: &'a Node, key: &str) -> &'a [Node] {
    root.get("spec").and_then(|spec| spec.get(key)).map(Node::items).unwrap_or_default()
}

/// Texts that are there twice.
fn unique<'a>(nodes: impl Iterator<Item = &'a Node>, what: &str) -> Vec<Problem> {
    let mut seen: HashMap<&str, &Node> = HashMap::new();
    let mut problems = Vec::new();
    for node in nodes {
        let Some(text) = node.text() else { continue };
        let Some(first) = seen.get(text) else {
            seen.insert(text, node);
            continue;
        };
        let problem = Problem::new(
            node.place.first_line(),
            format!("{what} called {} exists already", quoted(text)),
        );
        problems.push(match node.place.source() == first.place.source() {
            true => problem.label("again here").also(first.place.first_line(), "first here"),
            false => problem,
        });
    }
    problems
}

fn unusable(name: &Node) -> Option<Problem> {
    let text = name.text()?;
    let owner = if RESERVED.contains(&text) {
        "CEL"
    } else if measure::ROOTS.iter().any(|(root, _)| *root == text) {
        "kab"
    } else {
        return None;
    };
    let message = format!("a step cannot be called `{text}`: the word belongs to {owner}");
    Some(Problem::new(name.place.first_line(), message).help("claims could not speak of it"))
}

/// A step, as far as it can be understood.
#[derive(Clone, Copy)]
pub(crate) struct StepView<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) verb: Option<(&'static str, &'a Node)>,
}

impl<'a> StepView<'a> {
    pub(crate) fn all(steps: &'a [Node]) -> Vec<Self> {
        let verb = |step: &'a Node| Verb::NAMES.into_iter().find_map(|v| Some((v, step.get(v)?)));
        let view = |step| Self { name: Node::text_at(step, "name"), verb: verb(step) };
        steps.iter().take(MOST).map(view).collect()
    }

    pub(crate) fn is(&self, verbs: &[&str]) -> bool {
        self.verb.is_some_and(|(verb, _)| verbs.contains(&verb))
    }

    fn writes(&self) -> bool {
        self.is(&["load", "seed"])
    }
}

/// Steps that rely on an earlier one.
fn order(steps: &[StepView<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let (earlier, later) = steps.split_at(index);
        problems.extend(match step.verb {
            Some(("wait", wait)) => nobody_listens(wait, earlier),
            Some(("search", search)) => search::sense::problems(search)
                .or_else(|| nobody_listens(search.get("settle")?, earlier)),
            Some(("check", check)) => nothing_to_check(check, earlier, later),
            Some(("subscribe", subscribe)) => too_many_informers(subscribe),
            _ => None,
        });
        if let Some(("load", load)) = step.verb {
            problems.extend(sense::problems(load, earlier, later));
        }
        if let Some(load) =
            step.verb.and_then(|(verb, node)| node.get("load").filter(|_| verb == "search"))
        {
            problems.extend(sense::problems(load, earlier, later));
        }
        if let Some(("seed", seed)) = step.verb {
            problems.extend(sense::payload(seed));
        }
        if problems.len() > SHOWN {
            break;
        }
    }
    problems
}

fn nobody_listens(wait: &Node, earlier: &[StepView<'_>]) -> Option<Problem> {
    let until = wait.get("until").filter(|until| until.text() == Some("delivered"))?;
    if earlier.iter().any(|step| step.is(&["subscribe"])) {
        return None;
    }
    let message = "nobody is listening when this step waits for deliveries";
    let help = "add an earlier step: {name: listen, subscribe: {count: 1}}";
    Some(Problem::new(until.place.first_line(), message).help(help))
}

/// Whether a subscribe step starts informers, not bare watchers.
pub(crate) fn starts_informers(subscribe: &Node) -> bool {
    subscribe.text_at("client").is_none_or(|client| client == "informer")
}

fn too_many_informers(subscribe: &Node) -> Option<Problem> {
    let count = subscribe.get("count")?;
    let most = u64::from(MOST_INFORMERS);
    let many = count.to_json().as_u64().is_some_and(|count| count > most);
    (many && starts_informers(subscribe)).then(|| {
        let message = format!("more than {most} informers are not started");
        let help = "each is a process of its own; for more watchers, add `client: raw`";
        Problem::new(count.place.first_line(), message).help(help)
    })
}

fn nothing_to_check(
    check: &Node,
    earlier: &[StepView<'_>],
    later: &[StepView<'_>],
) -> Option<Problem> {
    let stored = check.get("stored")?;
    let name = stored.text()?;
    let named = |step: &&StepView<'_>| step.name == Some(name);
    let names = earlier.iter().filter(|step| step.writes()).filter_map(|step| step.name);
    let place = stored.place.first_line();
    Some(match earlier.iter().find(named) {
        Some(step) if step.writes() => {
            return step.verb.and_then(|(_, verb)| kind::unchecked(verb, place, name));
        }
        Some(step) => {
            let verb = step.verb.map_or("nothing", |(verb, _)| verb);
            Problem::new(place, format!("`{name}` writes nothing: it is a `{verb}` step"))
                .maybe_help(suggestion(name, names))
        }
        None if later.iter().any(|step| step.writes() && named(&step)) => {
            Problem::new(place, format!("`{name}` has not run when this step looks for its writes"))
                .help(format!("move this step behind `{name}`"))
        }
        None => Problem::new(place, format!("no earlier step is called {}", quoted(name)))
            .maybe_help(suggestion(name, names)),
    })
}

/// What claims may know of each step.
fn facts(steps: &[Node]) -> Vec<StepFacts<'_>> {
    let steps = StepView::all(steps);
    let names: HashSet<_> = steps.iter().filter_map(|step| step.name).collect();
    // What each check step looks for; none for one that does not say.
    let looked_for: Vec<_> = steps
        .iter()
        .filter(|step| step.is(&["check"]))
        .filter_map(|step| Some(step.verb?.1.text_at("stored")))
        .collect();
    let checked: HashSet<_> = looked_for.iter().flatten().collect();
    // A step that is wrong itself may be the one that measures.
    let unsure = steps.iter().any(|step| step.verb.is_none())
        || looked_for.iter().any(|name| name.is_none_or(|name| !names.contains(name)));
    let mut delivered = unsure;
    let mut facts = Vec::new();
    for step in &steps {
        delivered |= step
            .verb
            .is_some_and(|(verb, subscribe)| verb == "subscribe" && starts_informers(subscribe));
        let Some(name) = step.name else { continue };
        let verb = step.verb.map_or("", |(verb, _)| verb);
        let checked = unsure || checked.contains(&name);
        let kinds = match step.verb {
            Some(("load", load)) => sense::kinds(load),
            Some(("seed", _)) => Some(vec![Operation::Create]),
            _ => None,
        };
        facts.push(StepFacts { name, verb, delivered, checked, kinds });
    }
    facts
}

/// One axis of the matrix, found valid: where it leads and what it sets.
#[derive(Debug, Clone)]
pub struct AxisPath {
    /// Its name.
    pub name: String,
    /// What varies.
    pub path: Path,
    /// The values it takes.
    pub values: Vec<Node>,
}

/// The axes of the matrix of `root`, in the order of their names; and what is
/// wrong with them, apart from what their values lead to.
pub fn axes(root: &Node) -> (Vec<AxisPath>, Vec<Problem>) {
    let matrix = root.get("spec").and_then(|spec| spec.get("matrix"));
    let (mut axes, mut problems) = (Vec::new(), Vec::new());
    let mut taken: Vec<(Vec<String>, String)> = Vec::new();
    for (key, axis) in matrix.map(Node::entries).unwrap_or_default() {
        let (Some(at), Some(values)) = (axis.get("path"), axis.get("values")) else { continue };
        let Some(text) = at.text() else { continue };
        let path = Path::parse(text, |range| inside::place(at, range));
        let here = at.place.first_line();
        if let Some(first) =
            path.first().filter(|f| ["matrix", "systems"].contains(&f.name.as_str()))
        {
            let message = format!("`{}` cannot vary", first.name);
            problems.push(
                Problem::new(first.place.clone(), message)
                    .help("every system of `systems` already becomes a cell of its own"),
            );
            continue;
        }
        let nothing = Node { place: here.clone(), data: Data::Null };
        match path.assign(&mut root.clone(), nothing) {
            Ok(found) => {
                let overlaps = |(other, _): &&(Vec<String>, String)| {
                    other.iter().zip(&found).all(|(a, b)| a == b)
                };
                if let Some((_, other)) = taken.iter().find(overlaps) {
                    let message = format!("axis `{other}` varies the same thing");
                    problems
                        .push(Problem::new(here, message).help("give each axis a path of its own"));
                    continue;
                }
                taken.push((found, key.name.clone()));
            }
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        }
        let mut seen: Vec<serde_json::Value> = Vec::new();
        for value in values.items() {
            let json = value.to_json();
            if seen.contains(&json) {
                let message = format!("axis `{}` takes this value twice", key.name);
                problems.push(Problem::new(value.place.first_line(), message));
            }
            seen.push(json);
        }
        axes.push(AxisPath { name: key.name.clone(), path, values: values.items().to_vec() });
    }
    axes.sort_by(|a, b| a.name.cmp(&b.name));
    (axes, problems)
}

//! Kinds of objects and encodings that the asked does not know.

use crate::meaning::StepView;
use crate::problem::Problem;
use crate::source::Place;
use crate::tree::{Found, Node};

fn here(node: &Node) -> Place {
    Found { key: None, node }.head()
}

/// The kind of objects that `step` is about.
pub fn resource(step: &Node) -> &str {
    step.text_at("resource").unwrap_or("todo")
}

/// What makes no sense in the resource and the encoding of the load step
/// `load`, behind the steps `earlier`.
pub fn problems(load: &Node, earlier: &[StepView<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let encoding = load.get("encoding").filter(|encoding| encoding.text() != Some("json"));
    if load.text_at("via").unwrap_or("gateway") == "gateway" {
        let help = "write `via: apiserver` to ask the apiserver itself";
        if let Some(kind) = load.get("resource").filter(|kind| kind.text() != Some("todo")) {
            let message = "the gateway knows no other resource than its own";
            problems.push(Problem::new(here(kind), message).help(help));
        }
        if let Some(encoding) = encoding {
            let message = "the gateway answers in JSON only";
            problems.push(Problem::new(here(encoding), message).help(help));
        }
    } else if let Some(encoding) = encoding.filter(|e| e.text() == Some("protobuf"))
        && resource(load) == "todo"
    {
        let message = "apiservers have no protobuf for custom resources";
        problems.push(Problem::new(here(encoding), message).help(
            "use `cbor` or `json`, or a built-in kind: `resource: configMap` or `resource: lease`",
        ));
    }
    problems.extend(other_seed(load, earlier));
    problems
}

/// Entities of another kind than the load is about.
fn other_seed(load: &Node, earlier: &[StepView<'_>]) -> Option<Problem> {
    let of = load.at("/keys/of")?.node;
    let seed = earlier.iter().find(|step| step.name.is_some() && step.name == of.text())?;
    let (("seed", seed), wanted) = (seed.verb?, resource(load)) else { return None };
    let made = resource(seed);
    (made != wanted).then(|| {
        let message =
            format!("this step makes a `{made}` of each, and the load is about `{wanted}`");
        Problem::new(of.place.first_line(), message).help(format!(
            "write `resource: {wanted}` in the seed step, or `resource: {made}` here"
        ))
    })
}

/// A check of what the store is not asked for.
pub fn unchecked(step: &Node, place: Place, name: &str) -> Option<Problem> {
    let kind = resource(step);
    (kind != "todo").then(|| {
        let message = format!("`{name}` writes `{kind}` objects, and only Todos are looked for");
        Problem::new(place, message).help("leave this check out")
    })
}

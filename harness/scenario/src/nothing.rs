//! Nothing, where nothing cannot be meant: a load of no time, a wait for no
//! time, a deadline before which no answer can come. The schema cannot say so:
//! to it, `0s` is a span like any other.

use crate::meaning::StepView;
use crate::problem::Problem;
use crate::tree::{Data, Found, Node};
use crate::unit::{Bytes, Span};

/// What must be something, below a step's verb: where, and what to do instead.
/// `*` stands for each item, or for whatever is under each key.
type Rules = &'static [(&'static str, &'static str)];

const NOT_SENT: &str = "it would send nothing; write how long it is to go on, as in 20s";
const NO_ANSWER: &str = "no answer can come in no time; write a time such as 10s, or leave it out";
const NO_WAIT: &str = "leave the step out if there is nothing to wait for";
const NO_END: &str = "it repeats without end";
const NO_THOUGHT: &str = "leave `think` out, and nobody thinks";
const NO_SIZE: &str = "nothing is distributed around it; write a size such as 1kB";

const LOAD: Rules = &[
    ("/duration", NOT_SENT),
    ("/arrivals/constant/duration", NOT_SENT),
    ("/arrivals/poisson/duration", NOT_SENT),
    ("/arrivals/ramp/duration", NOT_SENT),
    ("/arrivals/steps/*/duration", "leave it out if it is to take no time"),
    ("/arrivals/burst/every", NO_END),
    ("/arrivals/burst/duration", NOT_SENT),
    ("/arrivals/pulse/on", NO_END),
    ("/arrivals/pulse/duration", NOT_SENT),
    ("/arrivals/replay/duration", NOT_SENT),
    ("/arrivals/closed/until", NOT_SENT),
    ("/arrivals/closed/until/operations", "it would send nothing; write at least 1"),
    ("/arrivals/closed/think/exponential/mean", NO_THOUGHT),
    ("/arrivals/closed/think/lognormal/median", NO_THOUGHT),
    ("/deadline", NO_ANSWER),
    ("/deadlines/*", NO_ANSWER),
    ("/payload/size/lognormal/median", NO_SIZE),
];

const SEED: Rules = &[("/payload/size/lognormal/median", NO_SIZE)];

const SEARCH: Rules = &[
    ("/measure", "a probe that measures no time finds nothing; leave it out for 10s"),
    ("/lateAtMost", "no operation is sent at its very instant; leave it out for 10ms"),
    ("/settle/atMost", "leave `settle` out if there is nothing to wait for"),
    ("/load/deadline", NO_ANSWER),
    ("/load/payload/size/lognormal/median", NO_SIZE),
];

const WAIT: Rules = &[("/atMost", NO_WAIT)];

const ATTEMPT: Rules =
    &[("/deadline", NO_ANSWER), ("/until/atMost", "leave `until` out, and it is asked for once")];

const FAULT: Rules = &[("/subscriber/for", "leave the fault out if it is to be over at once")];

const SPEC: Rules = &[("/cluster/etcd/quota", "etcd takes 0 for its own default; leave it out")];

/// Everything in the document `root`, whose steps are `steps`, that is nothing.
pub(crate) fn problems(root: &Node, steps: &[StepView<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(spec) = root.get("spec") {
        hold(spec, SPEC, &mut problems);
    }
    for (verb, node) in steps.iter().filter_map(|step| step.verb) {
        let rules = match verb {
            "load" => LOAD,
            "seed" => SEED,
            "search" => SEARCH,
            "wait" => WAIT,
            "attempt" => ATTEMPT,
            "fault" => FAULT,
            _ => &[],
        };
        hold(node, rules, &mut problems);
        problems.extend(node.at("/arrivals/replay").and_then(|replay| over_at_once(replay.node)));
    }
    problems
}

fn hold(node: &Node, rules: Rules, problems: &mut Vec<Problem>) {
    for (pointer, help) in rules {
        let found = match pointer.split_once("/*") {
            None => node.at(pointer).into_iter().collect(),
            Some((above, rest)) => below(node, above, rest),
        };
        problems.extend(found.into_iter().filter_map(|found| {
            let message = nothing(found.node)?;
            Some(Problem::new(found.head(), message).help(*help))
        }));
    }
}

/// What is under `rest` in each item, or under each key, of what is at `above`.
fn below<'a>(node: &'a Node, above: &str, rest: &str) -> Vec<Found<'a>> {
    let Some(Found { node, .. }) = node.at(above) else { return Vec::new() };
    let items = node.items().iter().map(|node| Found { key: None, node });
    let entries = node.entries().iter().map(|(key, node)| Found { key: Some(key), node });
    let each = items.chain(entries);
    each.filter_map(|found| if rest.is_empty() { Some(found) } else { found.node.at(rest) })
        .collect()
}

/// What to say of `node` if it is nothing: no time, no size, a count of 0.
fn nothing(node: &Node) -> Option<&'static str> {
    match &node.data {
        Data::String(text) => {
            let no_time = text.parse::<Span>().is_ok_and(|span| span.duration().is_zero());
            let no_size = text.parse::<Bytes>().is_ok_and(|size| size.get() == 0);
            match (no_time, no_size) {
                (true, _) => Some("this must be longer than nothing"),
                (_, true) => Some("this must be larger than nothing"),
                _ => None,
            }
        }
        Data::Number(number) => (number.as_u64() == Some(0)).then_some("this must be more than 0"),
        _ => None,
    }
}

/// A series that ends with its first point, and has no duration of its own.
fn over_at_once(replay: &Node) -> Option<Problem> {
    let series = replay.at("/series")?;
    let [point] = series.node.items() else { return None };
    let at_once = point.get("at").and_then(nothing).is_some();
    (at_once && replay.get("duration").is_none()).then(|| {
        Problem::new(series.head(), "this series ends where it begins: it sends nothing")
            .help("add a later point, or say with `duration` how long the rate stays")
    })
}

#[cfg(test)]
mod tests {
    use crate::load_text;

    #[test]
    fn where_nothing_can_be_meant_it_may_be_said() {
        let steps = [
            "load: { arrivals: { closed: { clients: 1, think: 0s, until: 1s } } }",
            "load: { arrivals: { pulse: { rate: 1/s, on: 1s, off: 0s, duration: 2s } } }",
            "load: { arrivals: { replay: { series: [{ at: 0s, rate: 1/s }], duration: 1s } } }",
            "load: { arrivals: { steps: [{ rate: 0/s, duration: 1s }, { rate: 1/s, duration: 1s }] } }",
            "load: { rate: 1/s, duration: 1s, payload: { size: 0B } }",
            "search: { rate: { from: 1/s, upTo: 2/s }, hold: ops.failed == 0, warmUp: 0s }",
        ];
        for step in steps {
            let text = format!(
                "{{ apiVersion: kab.dev/v1alpha1, kind: Scenario, metadata: {{ name: a, summary: b }}, \
                 spec: {{ question: c, systems: [naive], steps: [{{ name: s, {step} }}], \
                 claims: [{{ id: d, statement: e, confirmed: run.valid, refuted: '!run.valid' }}] }} }}"
            );
            let loaded = load_text("a.yaml", text, None, &[]);
            assert!(loaded.is_ok(), "{step}: {:?}", loaded.err());
        }
    }
}

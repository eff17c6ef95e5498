//! Searches that no one can mean.

use std::time::Duration;

use crate::problem::Problem;
use crate::tree::Node;
use crate::unit::{Rate, Span};

/// What each percentile needs before it is given: one sample beyond it.
const NEEDS: [(&str, f64); 4] = [("p999", 1000.0), ("p99", 100.0), ("p90", 10.0), ("p50", 2.0)];

/// How long a probe measures if it does not say.
const MEASURE: Duration = Duration::from_secs(10);

/// What makes no sense in the search step `search`.
pub fn problems(search: &Node) -> Option<Problem> {
    no_range(search).or_else(|| too_few(search))
}

fn rate<'a>(search: &'a Node, key: &str) -> Option<(&'a Node, Rate)> {
    let node = search.get("rate")?.get(key)?;
    Some((node, node.text()?.parse().ok()?))
}

/// A search whose last rate is below its first.
fn no_range(search: &Node) -> Option<Problem> {
    let ((_, from), (node, up_to)) = (rate(search, "from")?, rate(search, "upTo")?);
    (up_to < from).then(|| {
        Problem::new(node.place.first_line(), format!("`upTo` is below `from`, {from}"))
            .help("the search goes up from `from`; give it a rate that can be expected to hold")
    })
}

/// A percentile that the first probe cannot have.
fn too_few(search: &Node) -> Option<Problem> {
    let (node, from) = rate(search, "from")?;
    let hold = search.text_at("hold")?;
    let words: Vec<_> = hold.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let (name, needed) = NEEDS.into_iter().find(|(name, _)| words.contains(name))?;
    let measure = match search.text_at("measure") {
        Some(text) => text.parse::<Span>().ok()?.duration(),
        None => MEASURE,
    };
    let samples = from.per_second() * measure.as_secs_f64();
    (samples + 1e-9 < needed).then(|| {
        Problem::new(
            node.place.first_line(),
            format!("{name} takes {needed} operations, and a probe at {from} has {samples:.0}"),
        )
        .help("raise `from` or `measure`")
    })
}

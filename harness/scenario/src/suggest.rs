//! "Did you mean": the nearest of the names that would have been right.

/// The candidate most like `wrong`, if one is like it at all.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    // A third of the letters may differ: `raet` is `rate`, `sync` is not `seed`.
    let tolerance = wrong.chars().count().div_ceil(3).max(1);
    let distance = |candidate: &str| strsim::osa_distance(&lower, &candidate.to_lowercase());
    let ranked = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    ranked.min().filter(|(distance, _)| *distance <= tolerance).map(|(_, candidate)| candidate)
}

/// A sentence with the nearest name, or else with all of them.
pub fn suggestion<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<_> = names.into_iter().collect();
    match nearest(wrong, names.iter().copied()) {
        Some(name) => Some(format!("did you mean {}?", quoted(name))),
        None => one_of(&names),
    }
}

/// "it is `a`", "it is one of `a`, `b`, `c`"; nothing for no names.
pub fn one_of(names: &[&str]) -> Option<String> {
    let quoted: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    match quoted.as_slice() {
        [] => None,
        [only] => Some(format!("it can only be {only}")),
        [all @ .., last] => Some(format!("it can be {} or {last}", all.join(", "))),
    }
}

/// `text` in quotes, shortened if it is too long for a message.
pub fn quoted(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(40).collect();
    if short.len() == text.len() { format!("`{short}`") } else { format!("`{short}...`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_like_it_is_suggested() {
        let names = ["rate", "duration", "payload", "seed"];
        assert_eq!(nearest("raet", names), Some("rate"));
        assert_eq!(nearest("Rate", names), Some("rate"));
        assert_eq!(nearest("payloads", names), Some("payload"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", names), None);
    }
}

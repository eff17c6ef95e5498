//! What came of an attempt, by the names that claims use.

use kab_evidence::attempt::{Class, Selected};

use super::{Paths, Place};
use crate::attempt::Attempted;
use crate::value::Value;

pub(super) fn put(paths: &mut Paths, name: &str, of: Option<&Attempted>) {
    let mut at = Place { prefix: name.to_owned(), paths };
    at.count("status", of.and_then(|a| a.status).map(u64::from));
    at.put("class", of.map(|a| Value::Text(a.class.name().to_owned())));
    at.length("took", of.map(|a| a.took));
    at.bytes("bytes", of.map(|a| a.bytes));
    let selected = of.and_then(|a| a.selected.as_ref());
    at.put("found", selected.map(|s| Value::Flag(*s != Selected::Absent)));
    at.put("value", selected.and_then(words).map(Value::Text));
    at.put("number", selected.and_then(number).map(Value::Number));
    at.count("count", selected.and_then(entries));
    at.count("attempts", of.map(|a| a.attempts));
    at.count("answered", of.map(|a| a.answered));
    for class in Class::ALL {
        let name = class.name();
        let count = |a: &Attempted| a.outcomes.get(name).copied().unwrap_or(0);
        at.count(&format!("outcomes.{name}"), of.map(count));
    }
}

/// A text as it is, anything simple in words.
fn words(selected: &Selected) -> Option<String> {
    match selected {
        Selected::Text(text) => Some(text.clone()),
        Selected::Number(number) => Some(number.to_string()),
        Selected::Flag(flag) => Some(flag.to_string()),
        Selected::Absent | Selected::Entries(_) => None,
    }
}

const fn number(selected: &Selected) -> Option<f64> {
    match selected {
        Selected::Number(number) => Some(*number),
        _ => None,
    }
}

const fn entries(selected: &Selected) -> Option<u64> {
    match selected {
        Selected::Entries(count) => Some(*count),
        _ => None,
    }
}

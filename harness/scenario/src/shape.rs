//! Holds a document against the JSON schema, and says what is wrong in the
//! words of this format instead of those of JSON schema.

use std::sync::OnceLock;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::model::Verb;
use crate::problem::{Problem, SHOWN};
use crate::schema::{resolved, schema};
use crate::source::Place;
use crate::suggest::{nearest, one_of, quoted, suggestion};
use crate::tree::{Data, Found, Node};
use crate::unit::{Bytes, Level, Rate, Span};

/// More errors than this are not looked at; a file with so many is no scenario.
const MOST: usize = 1_000;

/// Everything in `root` that the schema does not allow.
pub fn problems(root: &Node) -> Vec<Problem> {
    let json = root.to_json();
    let Some(validator) = validator() else { return Vec::new() };
    validator.iter_errors(&json).take(MOST).flat_map(|error| translate(root, &error)).collect()
}

fn validator() -> Option<&'static Validator> {
    static VALIDATOR: OnceLock<Option<Validator>> = OnceLock::new();
    let make = || {
        jsonschema::options()
            .should_validate_formats(true)
            .with_format(Rate::FORMAT, |text: &str| text.parse::<Rate>().is_ok())
            .with_format(Level::FORMAT, |text: &str| text.parse::<Level>().is_ok())
            .with_format(Span::FORMAT, |text: &str| text.parse::<Span>().is_ok())
            .with_format(Bytes::FORMAT, |text: &str| text.parse::<Bytes>().is_ok())
            .build(schema())
            .ok()
    };
    VALIDATOR.get_or_init(make).as_ref()
}

fn translate(root: &Node, error: &ValidationError<'_>) -> Vec<Problem> {
    let pointer = error.instance_path().to_string();
    let found = root.at(&pointer).unwrap_or(Found { key: None, node: root });
    // The subschema whose keyword was hurt.
    let keyword = error.schema_path().to_string();
    let rule = keyword.rsplit_once('/').map(|(rule, _)| rule.trim_end_matches("/else"));
    let rule = rule.and_then(|rule| schema().pointer(rule));
    let rule = rule.unwrap_or(schema());
    let at =
        Hurt { found, rule, what: name_of(&pointer), is_step: keyword.starts_with("/$defs/Step/") };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => at.unknown(unexpected),
        Kind::Required { property } => at.missing(property).into_iter().collect(),
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } if at.is_step => at.verbs(),
        Kind::OneOfNotValid { .. } => vec![at.not_an_option()],
        Kind::Type { kind } => vec![at.wrong_type(kind)],
        Kind::Pattern { .. } | Kind::Format { .. } => vec![at.wrong_form()],
        Kind::PropertyNames { error } => vec![at.wrong_key(error)],
        Kind::Minimum { limit } => vec![at.problem(format!("must be at least {limit}"))],
        Kind::Maximum { limit } => vec![at.problem(format!("must be at most {limit}"))],
        Kind::MaxItems { limit } => vec![at.problem(format!("must have at most {limit} items"))],
        Kind::MinProperties { .. } => vec![at.no_key()],
        Kind::MaxProperties { .. } => at.second_key(),
        Kind::FalseSchema => vec![at.said_twice()],
        Kind::MinItems { .. } => vec![at.problem("must not be empty".to_owned())],
        _ => vec![at.problem(format!("is not allowed here: {error}"))],
    }
}

/// `` `rate` `` for `/spec/steps/0/load/rate`, `item 3 of `steps`` for an item.
fn name_of(pointer: &str) -> String {
    let mut parts = pointer.rsplit('/');
    match (parts.next().unwrap_or(""), parts.next().unwrap_or("")) {
        ("", _) => "the scenario".to_owned(),
        (index, list) if index.parse::<usize>().is_ok() => match list.strip_suffix('s') {
            Some(one) => format!("this {one}"),
            None => format!("this item of `{list}`"),
        },
        (name, _) => format!("`{name}`"),
    }
}

/// A value that breaks a rule.
struct Hurt<'a> {
    found: Found<'a>,
    rule: &'static Value,
    what: String,
    is_step: bool,
}

impl Hurt<'_> {
    fn problem(&self, predicate: String) -> Problem {
        Problem::new(self.found.head(), format!("{} {predicate}", self.what))
            .maybe_help(self.describe())
    }

    /// What the schema says that the value is for.
    fn describe(&self) -> Option<String> {
        let text = self.rule.get("description")?.as_str()?.replace('\n', " ");
        Some(match text.chars().next() {
            Some(first) if first.is_lowercase() => format!("write {text}"),
            _ => format!("{}: {text}", self.what),
        })
    }

    fn unknown(&self, unexpected: &[String]) -> Vec<Problem> {
        let fields = self.rule.get("properties").and_then(Value::as_object);
        let taken = |name: &str| self.found.node.get(name).is_some();
        let free = fields.iter().flat_map(|f| f.keys()).map(String::as_str).filter(|f| !taken(f));
        let free: Vec<_> = free.collect();
        let one = |name: &String| {
            let place = self.key_place(name);
            let verb_wanted = self.is_step && !Verb::NAMES.iter().any(|verb| taken(verb));
            let (what, names) = match verb_wanted {
                true => ("verb", Verb::NAMES.to_vec()),
                false => ("field", free.clone()),
            };
            let message = format!("unknown {what} {}", quoted(name));
            Problem::new(place, message)
                .maybe_help(suggestion(name, names).or_else(|| self.fields()))
        };
        unexpected.iter().take(SHOWN).map(one).collect()
    }

    fn key_place(&self, name: &str) -> Place {
        let entry = self.found.node.entries().iter().find(|(key, _)| key.name == name);
        entry.map_or_else(|| self.found.head(), |(key, _)| key.place.first_line())
    }

    fn missing(&self, property: &Value) -> Option<Problem> {
        let name = property.as_str().unwrap_or_default();
        let known = |key: &str| self.rule.get("properties").is_some_and(|p| p.get(key).is_some());
        let misspelt = |key: &str| !known(key) && nearest(key, [name]).is_some();
        if self.found.node.entries().iter().any(|(key, _)| misspelt(&key.name)) {
            return None; // said of the unknown field already
        }
        let about = self.rule.get("properties").and_then(|p| p.get(name));
        let about = about.map(|field| {
            let text = |v: &'static Value| v.get("description").and_then(Value::as_str);
            let meaning = text(field).unwrap_or_default().replace('\n', " ");
            let form = text(resolved(field)).filter(|t| t.starts_with(char::is_lowercase));
            match form {
                Some(form) => format!("`{name}`: {meaning} Write {form}"),
                None => format!("`{name}`: {meaning}"),
            }
        });
        let problem = Problem::new(self.found.head(), format!("{} has no `{name}`", self.what));
        Some(problem.maybe_help(about))
    }

    /// An empty mapping where one key is wanted.
    fn no_key(&self) -> Problem {
        let keys = self.keys();
        Problem::new(self.found.head(), format!("{} says nothing", self.what))
            .maybe_help(if keys.is_empty() { self.describe() } else { one_of(&keys) })
    }

    /// More keys than the one that can be meant.
    fn second_key(&self) -> Vec<Problem> {
        let keys = self.keys();
        let known = |name: &str| keys.contains(&name);
        let mut entries = self.found.node.entries().iter().filter(|(key, _)| known(&key.name));
        let Some((first, _)) = entries.next() else { return Vec::new() };
        let more = entries.map(|(key, _)| {
            let message = format!("{} is `{}` already", self.what, first.name);
            Problem::new(key.place.clone(), message)
                .label("and this")
                .also(first.place.clone(), "this")
                .help("keep one of the two")
        });
        more.collect()
    }

    fn keys(&self) -> Vec<&'static str> {
        let fields = self.rule.get("properties").and_then(Value::as_object);
        fields.iter().flat_map(|f| f.keys()).map(String::as_str).collect()
    }

    /// `rate` or `duration` beside `arrivals`.
    fn said_twice(&self) -> Problem {
        let place = self.found.key.map_or_else(|| self.found.head(), |key| key.place.clone());
        Problem::new(place, format!("{} cannot stand beside `arrivals`", self.what))
            .help("`arrivals` says it already; remove one of the two")
    }

    fn verbs(&self) -> Vec<Problem> {
        let entries = self.found.node.entries();
        let mut verbs = entries.iter().filter(|(key, _)| Verb::NAMES.contains(&key.name.as_str()));
        let first = verbs.next();
        if let Some((first, _)) = first {
            let more = verbs.map(|(key, _)| {
                Problem::new(
                    key.place.clone(),
                    format!("this step already has a verb, `{}`", first.name),
                )
                .label("second verb")
                .also(first.place.clone(), "first verb")
                .help("give it a step of its own, with a name")
            });
            return more.collect();
        }
        // An unknown key, or no mapping at all, is reported as such.
        if entries.iter().any(|(key, _)| key.name != "name")
            || !matches!(self.found.node.data, Data::Map(_))
        {
            return Vec::new();
        }
        vec![
            Problem::new(self.found.head(), "this step does nothing")
                .maybe_help(one_of(&Verb::NAMES)),
        ]
    }

    fn not_an_option(&self) -> Problem {
        let options = self.rule.get("oneOf").and_then(Value::as_array);
        let options: Vec<_> = options
            .iter()
            .flat_map(|o| o.iter())
            .filter_map(|o| o.get("const")?.as_str())
            .collect();
        match self.found.node.text() {
            Some(text) => {
                Problem::new(self.found.head(), format!("{} cannot be {}", self.what, quoted(text)))
                    .maybe_help(suggestion(text, options))
            }
            None => {
                let kind = self.found.node.kind();
                let message = format!("{} wants a text, not {kind}", self.what);
                Problem::new(self.found.head(), message).maybe_help(one_of(&options))
            }
        }
    }

    fn wrong_type(&self, kind: &TypeKind) -> Problem {
        let wanted = match kind {
            TypeKind::Single(kind) => kind.to_string(),
            TypeKind::Multiple(_) => "either".to_owned(),
        };
        let node = self.found.node;
        let form = self.rule.get("format").and_then(Value::as_str).unwrap_or_default();
        let form = form.starts_with("kab-").then(|| self.describe()).flatten();
        let written = node.place.text();
        let (wanted, help) = match (wanted.as_str(), &node.data) {
            ("string", Data::Number(_) | Data::Bool(_)) if form.is_none() => {
                ("a text", Some(format!("put it in quotes: \"{written}\"")))
            }
            ("string", Data::Number(_)) if form.is_some() => ("a quantity with its unit", form),
            ("string", _) => ("a text", form.or_else(|| self.describe())),
            ("integer", Data::Number(_)) => ("a whole number", None),
            ("integer", Data::String(text)) if text.parse::<u64>().is_ok() => {
                ("a whole number", Some(format!("remove the quotes: {text}")))
            }
            ("integer", _) => ("a whole number", self.describe()),
            ("either", _) => ("a text or a mapping", self.describe()),
            ("number", Data::String(text)) if text.parse::<f64>().is_ok() => {
                ("a number", Some(format!("remove the quotes: {text}")))
            }
            ("number", _) => ("a number", self.describe()),
            ("boolean", _) => ("`true` or `false`", None),
            ("array", Data::Map(_) | Data::Null) => ("a list", self.describe()),
            ("array", _) => ("a list", Some(format!("write [{written}]"))),
            _ => ("a mapping", self.fields()),
        };
        Problem::new(
            self.found.head(),
            format!("{} wants {wanted}, not {}", self.what, node.kind()),
        )
        .maybe_help(help)
    }

    /// The fields that a mapping here would have.
    fn fields(&self) -> Option<String> {
        let fields = self.rule.get("properties")?.as_object()?;
        let names: Vec<_> = fields.keys().map(|name| format!("`{name}`")).collect();
        Some(format!("its fields are {}", names.join(", ")))
    }

    fn wrong_form(&self) -> Problem {
        let text = self.found.node.text().unwrap_or_default();
        let pattern = self.rule.get("pattern").and_then(Value::as_str).unwrap_or_default();
        let help = form_of(pattern).map(str::to_owned).or_else(|| self.describe());
        Problem::new(self.found.head(), format!("{} cannot be {}", self.what, quoted(text)))
            .maybe_help(help)
    }

    fn wrong_key(&self, error: &ValidationError<'_>) -> Problem {
        let key = error.instance().as_str().unwrap_or_default();
        let keys = Some(resolved(self.rule.get("propertyNames").unwrap_or(self.rule)));
        let options = keys.and_then(|k| k.get("oneOf")).and_then(Value::as_array);
        let options =
            options.iter().flat_map(|o| o.iter()).filter_map(|o| o.get("const")?.as_str());
        let pattern =
            keys.and_then(|k| k.get("pattern")).and_then(Value::as_str).unwrap_or_default();
        let help = form_of(pattern).map(str::to_owned).or_else(|| suggestion(key, options));
        Problem::new(
            self.key_place(key),
            format!("{} cannot have a key {}", self.what, quoted(key)),
        )
        .maybe_help(help)
    }
}

/// What the patterns of the schema that have no description ask for.
fn form_of(pattern: &str) -> Option<&'static str> {
    match pattern {
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" => {
            Some("use lower-case letters, digits and dashes inside, as in `lost-updates`")
        }
        "^[a-z][a-zA-Z0-9]*$" => {
            Some("use letters and digits, the first a lower-case letter, as in `write`")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    /// Without one, nothing would be found wrong with any shape.
    #[test]
    fn there_is_a_validator() {
        assert!(super::validator().is_some());
    }
}

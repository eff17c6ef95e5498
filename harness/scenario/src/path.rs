//! Paths below `spec`, as in `--set steps.write.load.rate=80/s` and in
//! `matrix`. Items of a list are addressed by name, id or index. Whether a
//! path exists is decided by the schema: a field may be set that the file
//! leaves to its default.

use std::ops::Range;

use serde_json::Value;

use crate::problem::Problem;
use crate::schema::{resolved, schema};
use crate::source::{Place, Source};
use crate::suggest::{quoted, suggestion};
use crate::tree::{Data, Key, Node};
use crate::yaml;

/// Carries out one `--set PATH=VALUE` on the whole document `root`.
pub fn set(root: &mut Node, argument: &str) -> Result<(), Vec<Problem>> {
    let source = Source::new("--set", argument);
    let Some(equals) = argument.find('=') else {
        let whole = Place::new(&source, 0..argument.len());
        return Err(vec![
            Problem::new(whole, "`--set` wants PATH=VALUE")
                .help("for example `steps.write.load.rate=80/s`"),
        ]);
    };
    let (value, problems) = yaml::parse_part(&source, equals + 1..argument.len());
    if !problems.is_empty() {
        return Err(problems);
    }
    let value = value.unwrap_or_else(|| Node {
        place: Place::new(&source, equals + 1..argument.len()),
        data: Data::Null,
    });
    let path = Path::parse(&argument[..equals], |range| Place::new(&source, range));
    path.assign(root, value).map(drop).map_err(|problem| vec![problem])
}

/// A path, and where each part of it is written.
#[derive(Debug, Clone)]
pub struct Path(Vec<Key>);

impl Path {
    /// The path `text`; `place` says where a stretch of it is written.
    pub fn parse(text: &str, place: impl Fn(Range<usize>) -> Place) -> Self {
        let mut start = 0;
        let part = |name: &str| {
            let range = start..start + name.len();
            start = range.end + 1;
            Key { name: name.to_owned(), place: place(range) }
        };
        Self(text.split('.').map(part).collect())
    }

    /// The first part.
    pub fn first(&self) -> Option<&Key> {
        self.0.first()
    }

    /// Puts `value` there in the whole document `root`. Returns where that is:
    /// keys and indices, so that two spellings of one path are equal.
    pub fn assign(&self, root: &mut Node, value: Node) -> Result<Vec<String>, Problem> {
        let mut found = Vec::new();
        let Data::Map(entries) = &mut root.data else { return Ok(found) };
        let Some((_, spec)) = entries.iter_mut().find(|(key, _)| key.name == "spec") else {
            return Ok(found);
        };
        let below = schema().pointer("/$defs/Spec").unwrap_or(&Value::Null);
        descend(spec, below, "spec", &self.0, value, &mut found)?;
        Ok(found)
    }
}

fn descend(
    node: &mut Node,
    schema: &'static Value,
    above: &str,
    path: &[Key],
    value: Node,
    found: &mut Vec<String>,
) -> Result<(), Problem> {
    let Some((part, rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    let schema = resolved(schema);
    if let Some(items) = schema.get("items") {
        let (index, item) = item(node, above, part)?;
        found.push(index.to_string());
        return descend(item, items, &part.name, rest, value, found);
    }
    let fields = schema.get("properties").and_then(Value::as_object);
    let field = fields.and_then(|fields| fields.get(&part.name));
    let below = field.or_else(|| schema.get("additionalProperties").filter(|s| s.is_object()));
    let Some(below) = below else {
        let names: Vec<_> = fields.iter().flat_map(|f| f.keys()).map(String::as_str).collect();
        return Err(match names.is_empty() {
            true => Problem::new(part.place.clone(), format!("there is nothing below `{above}`")),
            false => Problem::new(
                part.place.clone(),
                format!("`{above}` has no field {}", quoted(&part.name)),
            )
            .maybe_help(suggestion(&part.name, names)),
        });
    };
    found.push(part.name.clone());
    descend(child(node, part)?, below, &part.name, rest, value, found)
}

/// The item of the list `node` that `part` means.
fn item<'a>(node: &'a mut Node, above: &str, part: &Key) -> Result<(usize, &'a mut Node), Problem> {
    let label =
        |item: &Node| item.text_at("name").or_else(|| item.text_at("id")).map(str::to_owned);
    let labels: Vec<_> = node.items().iter().map(label).collect();
    let named = labels.iter().position(|label| label.as_deref() == Some(&part.name));
    let index = named.or_else(|| part.name.parse().ok().filter(|&i| i < labels.len()));
    let missing = || {
        let names: Vec<_> = labels.iter().flatten().map(String::as_str).collect();
        let help = if names.is_empty() {
            format!("`{above}` has {} items, addressed by index from 0", labels.len())
        } else {
            suggestion(&part.name, names).unwrap_or_default()
        };
        Problem::new(part.place.clone(), format!("`{above}` has no {}", quoted(&part.name)))
            .help(help)
    };
    match (&mut node.data, index) {
        (Data::List(items), Some(index)) => {
            items.get_mut(index).map(|item| (index, item)).ok_or_else(missing)
        }
        _ => Err(missing()),
    }
}

/// The field `part` of the mapping `node`, made if it is not there.
fn child<'a>(node: &'a mut Node, part: &Key) -> Result<&'a mut Node, Problem> {
    if matches!(node.data, Data::Null) {
        node.data = Data::Map(Vec::new());
    }
    let kind = node.kind();
    let Data::Map(entries) = &mut node.data else {
        let message = format!("`{}` cannot be set: above it there is {kind}", part.name);
        return Err(Problem::new(part.place.clone(), message));
    };
    let index = entries.iter().position(|(key, _)| key.name == part.name).unwrap_or_else(|| {
        entries.push((part.clone(), Node { place: part.place.clone(), data: Data::Null }));
        entries.len() - 1
    });
    Ok(&mut entries[index].1)
}

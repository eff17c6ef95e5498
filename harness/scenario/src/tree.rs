//! A scenario as written: values that know their place in the text.

use serde_json::{Map, Number, Value};

use crate::source::Place;

/// A value and where it is written.
#[derive(Debug, Clone)]
pub struct Node {
    /// All of its text; for a block collection, only where it begins.
    pub place: Place,
    /// What it is.
    pub data: Data,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Data {
    /// Nothing was written.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order written. Keys are unique.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Where it is written.
    pub place: Place,
}

impl Node {
    /// What is written under `key`.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(k, _)| k.name == key).map(|(_, node)| node)
    }

    /// Its entries, if it is a mapping.
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Its items, if it is a sequence.
    pub fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// Its text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text under `key`.
    pub fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// The same value without its place.
    pub fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::Bool(*b),
            Data::Number(n) => Value::Number(n.clone()),
            Data::String(s) => Value::String(s.clone()),
            Data::List(items) => items.iter().map(Self::to_json).collect(),
            Data::Map(entries) => {
                let entries = entries.iter().map(|(k, node)| (k.name.clone(), node.to_json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::String(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// Follows a JSON pointer; `None` if it leads nowhere.
    pub fn at(&self, pointer: &str) -> Option<Found<'_>> {
        let mut found = Found { key: None, node: self };
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            found = match &found.node.data {
                Data::List(items) => {
                    Found { key: None, node: items.get(part.parse::<usize>().ok()?)? }
                }
                Data::Map(entries) => {
                    let (key, node) = entries.iter().find(|(k, _)| k.name == part)?;
                    Found { key: Some(key), node }
                }
                _ => return None,
            };
        }
        Some(found)
    }
}

/// A value, and the key it is written under if it has one.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The key.
    pub key: Option<&'a Key>,
    /// The value.
    pub node: &'a Node,
}

impl Found<'_> {
    /// Where to point to for the value: at its text if it is in one place,
    /// else at the key above it.
    pub fn head(&self) -> Place {
        let place = self.node.place.first_line();
        let spread = matches!(self.node.data, Data::List(_) | Data::Map(_)) || place.is_empty();
        match self.key {
            // A value that `--set` gave stands elsewhere than its key.
            Some(key) if spread && key.place.source() == place.source() => key.place.clone(),
            _ => place,
        }
    }
}

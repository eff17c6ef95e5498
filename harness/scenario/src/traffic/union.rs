//! Values that are one of several things: a mapping with exactly one key, or
//! a text that stands for the simple case.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Longest list under a key.
const MOST: u32 = 1_000;

/// Rewrites the schema of an enum, a `oneOf` of mappings with one key and of
/// texts, as one mapping in which each key is a field, of which exactly one may
/// be there: editors complete the keys, `--set` finds its way, and what is wrong
/// can be said without guessing which of the forms was meant.
pub fn one_key(schema: &mut Schema) {
    let Some(Value::Array(variants)) = schema.remove("oneOf") else { return };
    let (mut fields, mut words) = (Map::new(), Vec::new());
    for variant in variants {
        words.extend(variant.get("const").and_then(Value::as_str).map(str::to_owned));
        let meaning = variant.get("description").cloned();
        for (name, field) in
            variant.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let mut field = field.clone();
            if let (Some(field), Some(meaning)) = (field.as_object_mut(), meaning.clone()) {
                field.insert("description".to_owned(), meaning);
            }
            // A list is written out by hand, and empty it means nothing.
            if let Some(field) = field.as_object_mut().filter(|f| f.contains_key("items")) {
                field.insert("minItems".to_owned(), json!(1));
                field.insert("maxItems".to_owned(), json!(MOST));
            }
            fields.insert(name.clone(), field);
        }
    }
    if words.is_empty() {
        schema.insert("type".to_owned(), json!("object"));
    } else {
        schema.insert("type".to_owned(), json!(["string", "object"]));
        schema.insert("pattern".to_owned(), json!(format!("^({})$", words.join("|"))));
    }
    schema.insert("properties".to_owned(), fields.into());
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema.insert("minProperties".to_owned(), json!(1));
    schema.insert("maxProperties".to_owned(), json!(1));
}

/// The schema of a text of `Text`, or a mapping of `Mapping`; `wanted` says
/// both in words.
pub fn text_or<Text: JsonSchema, Mapping: JsonSchema>(
    generator: &mut SchemaGenerator,
    wanted: &str,
) -> Schema {
    let (text, mut schema) = (Text::json_schema(generator), Mapping::json_schema(generator));
    one_key(&mut schema);
    for keyword in ["format", "pattern"] {
        if let Some(value) = text.get(keyword) {
            schema.insert(keyword.to_owned(), value.clone());
        }
    }
    schema.insert("type".to_owned(), json!(["string", "object"]));
    schema.insert("description".to_owned(), json!(wanted));
    schema
}

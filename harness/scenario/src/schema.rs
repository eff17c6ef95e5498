//! The JSON schema of scenario files: for editors, and for validation here.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::model::Scenario;

/// The schema, generated from the types in [`crate::model`].
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let schema =
            SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Scenario>();
        schema.to_value()
    })
}

/// `node`, or what its `$ref` points to.
pub(crate) fn resolved(node: &'static Value) -> &'static Value {
    let target = node.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
    target.and_then(|pointer| schema().pointer(pointer)).unwrap_or(node)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CHECKED_IN: &str = "../../schemas/scenario.schema.json";

    #[test]
    fn the_schema_that_is_checked_in_is_this_one() {
        let text = serde_json::to_string_pretty(schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            fs::write(CHECKED_IN, &text).unwrap();
        }
        let found = fs::read_to_string(CHECKED_IN).unwrap_or_default();
        assert!(
            found == text,
            "schemas/scenario.schema.json is stale; run `UPDATE=1 cargo test -p kab-scenario schema` \
             and commit it"
        );
    }
}

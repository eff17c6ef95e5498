//! Paths as the nested maps that CEL knows.

use std::collections::{BTreeMap, HashMap};

use crate::value::Value;

/// Nested maps under construction.
#[derive(Default)]
pub(super) struct Tree {
    value: Option<Value>,
    branches: BTreeMap<String, Tree>,
}

impl Tree {
    /// Puts `value` at `path`.
    pub(super) fn insert(&mut self, path: &str, value: Value) {
        // A class is one name, whatever is in it.
        let whole = path.split_once(".classes.").map(|(step, class)| vec![step, "classes", class]);
        let parts = whole.unwrap_or_else(|| path.split('.').collect());
        let leaf = parts
            .into_iter()
            .fold(self, |tree, part| tree.branches.entry(part.to_owned()).or_default());
        leaf.value = Some(value);
    }

    /// What is below it, by name.
    pub(super) fn branches(self) -> Vec<(String, cel::Value)> {
        self.branches.into_iter().map(|(name, tree)| (name, tree.into_cel())).collect()
    }

    fn into_cel(self) -> cel::Value {
        if let Some(value) = self.value {
            return value.to_cel();
        }
        self.branches().into_iter().collect::<HashMap<_, _>>().into()
    }
}

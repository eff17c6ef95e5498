//! The plan: every cell of a run, decided before anything starts.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::cost::Cost;
use crate::load::Loaded;
use crate::model::{Scenario, Spec, System};
use crate::tree::Node;

/// A plan has at most so many cells.
pub const MOST_CELLS: usize = 10_000;

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The scenario, before its matrix is applied.
    pub scenario: Scenario,
    /// SHA-256 of the scenario's text, in hex.
    pub sha256: String,
    /// The `--set` arguments, in the order given.
    pub sets: Vec<String>,
    /// The seed of everything random.
    pub seed: u64,
    /// What is run, in this order: system by system, the first axis slowest.
    pub cells: Vec<Cell>,
}

/// One system under one combination of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// Unique in the plan, and safe as the name of a folder:
    /// `naive-rate=80_s`.
    pub id: String,
    /// The system under test.
    pub system: System,
    /// Value of each axis.
    pub axes: BTreeMap<String, Value>,
    /// The scenario's `spec` with these values in place.
    pub spec: Spec,
}

/// A scenario is right, but cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The matrix is too large.
    #[error(
        "planning {scenario}: {cells} cells, and at most {MOST_CELLS} are run; \
         shorten an axis of the matrix, or split the scenario"
    )]
    TooManyCells {
        /// The scenario.
        scenario: String,
        /// How many cells, or that they cannot be counted.
        cells: String,
    },
    /// It would take too long, or too much.
    #[error(
        "planning {scenario}: {amount} in all, and at most {limit} are run; \
         lower a rate, a duration, a count or a size"
    )]
    TooMuch {
        /// The scenario.
        scenario: String,
        /// How much.
        amount: String,
        /// How much is possible.
        limit: String,
    },
    /// A combination of axes is no scenario, although each axis alone is.
    #[error("planning {scenario}: cell {cell} is not a scenario: {why}")]
    BadCell {
        /// The scenario.
        scenario: String,
        /// The cell.
        cell: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Plan {
    /// Plans `loaded`, with `seed` for everything random.
    ///
    /// # Errors
    /// If the plan is too large to be meant.
    pub fn new(loaded: &Loaded, seed: u64) -> Result<Self, PlanError> {
        let scenario = loaded.scenario.metadata.name.clone();
        let systems = &loaded.scenario.spec.systems;
        let lengths = loaded.axes.iter().map(|axis| axis.values.len());
        let count = lengths.chain([systems.len()]).try_fold(1usize, usize::checked_mul);
        if count.is_none_or(|count| count > MOST_CELLS) {
            let cells = count.map_or_else(|| "countless".to_owned(), |count| count.to_string());
            return Err(PlanError::TooManyCells { scenario, cells });
        }
        let combinations = combinations(loaded);
        let mut cells: Vec<Cell> = Vec::new();
        for &system in systems {
            for combination in &combinations {
                let id = distinct(id(system, &combination.axes), &cells);
                let bad = |why: String| PlanError::BadCell {
                    scenario: scenario.clone(),
                    cell: id.clone(),
                    why,
                };
                let spec = combination.root.as_ref().map_err(|why| bad(why.clone()))?;
                let spec = spec.get("spec").map(Node::to_json).unwrap_or_default();
                let spec = serde_json::from_value(spec).map_err(|why| bad(why.to_string()))?;
                cells.push(Cell { id, system, axes: combination.axes.clone(), spec });
            }
        }
        let (scenario, sets) = (loaded.scenario.clone(), loaded.sets.clone());
        let plan = Self { scenario, sha256: loaded.sha256.clone(), sets, seed, cells };
        plan.cost().check(&plan.scenario.metadata.name)?;
        Ok(plan)
    }

    /// What all cells take together.
    pub fn cost(&self) -> Cost {
        self.cells.iter().map(|cell| Cost::of(&cell.spec.steps)).sum()
    }
}

/// The document with one value of each axis in place.
struct Combination {
    axes: BTreeMap<String, Value>,
    root: Result<Node, String>,
}

fn combinations(loaded: &Loaded) -> Vec<Combination> {
    let bare = Combination { axes: BTreeMap::new(), root: Ok(loaded.root.clone()) };
    loaded.axes.iter().fold(vec![bare], |before, axis| {
        let with = |combination: &Combination, value: &Node| {
            let mut axes = combination.axes.clone();
            axes.insert(axis.name.clone(), value.to_json());
            let root = combination.root.clone().and_then(|mut root| {
                axis.path.assign(&mut root, value.clone()).map_err(|why| why.to_string())?;
                Ok(root)
            });
            Combination { axes, root }
        };
        before.iter().flat_map(|c| axis.values.iter().map(move |value| with(c, value))).collect()
    })
}

/// Longest id; file systems take 255 bytes for a name.
const LONGEST_ID: usize = 120;

/// The system and the axes, in characters that every file system takes.
fn id(system: System, axes: &BTreeMap<String, Value>) -> String {
    let mut id = system.to_string();
    for (name, value) in axes {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        id.push_str(&format!("-{name}={value}"));
    }
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-=.".contains(c) { c } else { '_' };
    id.chars().map(safe).take(LONGEST_ID).collect()
}

/// `id`, with a number if another cell has it already: `a/b` and `a_b` are two.
/// Upper and lower case are not enough of a difference for every file system.
fn distinct(id: String, cells: &[Cell]) -> String {
    let taken = |id: &str| cells.iter().any(|cell| cell.id.eq_ignore_ascii_case(id));
    if !taken(&id) {
        return id;
    }
    (2..).map(|n| format!("{id}-{n}")).find(|id| !taken(id)).unwrap_or(id)
}

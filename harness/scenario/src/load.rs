//! From a file to a scenario that is known to be right.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::meaning::{self, AxisPath};
use crate::model::Scenario;
use crate::problem::{Problem, Problems};
use crate::source::{Place, Source};
use crate::tree::Node;
use crate::{catalogue, path, read, shape, yaml};

/// At most so many values in all axes together; each is tried on its own.
const AXIS_VALUES: usize = 1_000;

/// A scenario, found right.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says, `--set` included.
    pub scenario: Scenario,
    /// The text of the file, as it was read.
    pub text: String,
    /// SHA-256 of the text, in hex.
    pub sha256: String,
    /// The file; none for a scenario that is built in.
    pub path: Option<PathBuf>,
    /// The `--set` arguments, in the order given.
    pub sets: Vec<String>,
    /// What should be looked at, but stops nothing.
    pub warnings: Vec<Problem>,
    pub(crate) root: Node,
    pub(crate) axes: Vec<AxisPath>,
}

/// Loads the scenario `path_or_name`: a path, or the name of a scenario in
/// `./scenarios` or of one that is built in. `sets` are `PATH=VALUE` below
/// `spec`.
///
/// # Errors
/// Everything that is wrong with the file and with `sets`, at once.
pub fn load(path_or_name: &str, sets: &[String]) -> Result<Loaded, Problems> {
    match catalogue::find(path_or_name)? {
        catalogue::Origin::File(path) => {
            let text = read::read(&path)?;
            load_text(&path.display().to_string(), text, Some(path), sets)
        }
        catalogue::Origin::BuiltIn { name, text } => {
            load_text(&format!("built-in/{name}.yaml"), text.to_owned(), None, sets)
        }
    }
}

/// Loads the scenario in `text`, called `name` in messages.
///
/// # Errors
/// As [`load`].
pub fn load_text(
    name: &str,
    text: String,
    path: Option<PathBuf>,
    sets: &[String],
) -> Result<Loaded, Problems> {
    // A byte order mark is no part of the first line.
    let source = Source::new(name, text.trim_start_matches('\u{feff}'));
    let (root, mut problems) = yaml::parse(&source);
    let Some(mut root) = root else {
        if problems.is_empty() {
            problems.push(empty(&source));
        }
        return Err(refused(problems, &source));
    };
    for set in sets {
        problems.extend(path::set(&mut root, set).err().unwrap_or_default());
    }
    problems.extend(shape::problems(&root));
    problems.extend(meaning::problems(&root));
    problems.extend(meaning::claims(&root));
    let sound = problems.is_empty();
    let (axes, axis_problems) = meaning::axes(&root);
    problems.extend(axis_problems);
    if sound {
        problems.extend(try_axes(&root, &axes));
    }
    Problems::none_in(problems)?;
    let scenario = serde_json::from_value(root.to_json()).map_err(|why| {
        // The schema should have said so; if it did not, say it at least somehow.
        Problem::new(root.place.first_line(), format!("this is not a scenario: {why}"))
    })?;
    let warnings = misnamed(&root, path.as_deref()).into_iter().collect();
    let sha256 = hex(&Sha256::digest(text.as_bytes()));
    Ok(Loaded { scenario, text, sha256, path, sets: sets.to_vec(), warnings, root, axes })
}

/// `problems`, of which there is at least one.
fn refused(problems: Vec<Problem>, source: &Arc<Source>) -> Problems {
    match Problems::none_in(problems) {
        Err(problems) => problems,
        Ok(()) => empty(source).into(),
    }
}

fn empty(source: &Arc<Source>) -> Problem {
    // A caret needs something to stand under.
    let source = match source.text().is_empty() {
        true => &Source::new(source.name(), " "),
        false => source,
    };
    let message = match source.text().trim().is_empty() {
        true => "the file is empty",
        false => "there is nothing in the file but comments",
    };
    Problem::new(Place::new(source, 0..0).first_line(), message).help(
        "a scenario begins with `apiVersion: kab.dev/v1alpha1` and `kind: Scenario`; \
         scenarios/quickstart.yaml is one to start from",
    )
}

/// Puts each value of each axis in its place, and looks at what becomes of it.
fn try_axes(root: &Node, axes: &[AxisPath]) -> Vec<Problem> {
    let count: usize = axes.iter().map(|axis| axis.values.len()).sum();
    if count > AXIS_VALUES {
        let place = root.at("/spec/matrix").map_or_else(|| root.place.clone(), |f| f.head());
        let message = format!("the axes have {count} values; at most {AXIS_VALUES} are run");
        return vec![Problem::new(place, message)];
    }
    let mut problems = Vec::new();
    for axis in axes {
        for value in &axis.values {
            let mut cell = root.clone();
            problems.extend(axis.path.assign(&mut cell, value.clone()).err());
            let mut found = shape::problems(&cell);
            found.extend(meaning::problems(&cell));
            // CEL takes by far the longest, and rarely depends on an axis.
            let in_claims = axis.path.first().is_some_and(|part| part.name == "claims");
            if in_claims || !meaning::same_for_claims(root, &cell) {
                found.extend(meaning::claims(&cell));
            }
            let when = format!("when `{}` is {}", axis.name, value.to_json());
            problems.extend(found.into_iter().map(|problem| problem.when(&when)));
        }
    }
    problems
}

/// A scenario that would not be found under its own name.
fn misnamed(root: &Node, path: Option<&Path>) -> Option<Problem> {
    let name = root.get("metadata")?.get("name")?;
    let stem = path?.file_stem()?.to_str()?;
    if name.text() == Some(stem) {
        return None;
    }
    let message = format!("this scenario is called `{}`, but its file `{stem}`", name.text()?);
    let help = "`kab run` finds scenarios by the name of their file; let the two agree";
    Some(Problem::new(name.place.first_line(), message).warning().help(help))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

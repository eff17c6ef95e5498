//! Finding scenarios by name.

use std::path::{Path, PathBuf};

use crate::load::{Loaded, load, load_text};
use crate::model::Tier;
use crate::problem::{Problem, Problems};
use crate::read::yaml_files;
use crate::source::{Place, Source};
use crate::suggest::suggestion;

/// Where scenarios are looked for by name.
pub const FOLDER: &str = "scenarios";

/// The scenarios that kab brings along, so that it works anywhere.
const BUILT_IN: [(&str, &str); 3] = [
    ("capacity", include_str!("../../../scenarios/capacity.yaml")),
    ("quickstart", include_str!("../../../scenarios/quickstart.yaml")),
    ("watch-fanout", include_str!("../../../scenarios/watch-fanout.yaml")),
];

/// A scenario that can be run by its name.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its file; none if it is built in.
    pub path: Option<PathBuf>,
    /// What it is about, or why it cannot be run.
    pub about: Result<About, Problems>,
}

/// What a scenario is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// In a line.
    pub summary: String,
    /// How long one may wait for it.
    pub tier: Tier,
    /// The risk of the catalogue that it examines, if it is about one.
    pub risk: Option<String>,
}

impl From<Loaded> for About {
    fn from(loaded: Loaded) -> Self {
        let (metadata, spec) = (loaded.scenario.metadata, loaded.scenario.spec);
        Self { summary: metadata.summary, tier: spec.tier, risk: spec.risk }
    }
}

/// The scenarios in the folder `dir`, then those built in whose names are not
/// taken, each sorted by name. A folder that does not exist holds none.
pub fn catalogue(dir: &Path) -> Vec<Entry> {
    let files = yaml_files(dir).into_iter().map(|file| {
        let path = dir.join(&file);
        let about = load(&path.display().to_string(), &[]).map(About::from);
        Entry { name: stem(&file).to_owned(), path: Some(path), about }
    });
    let mut entries: Vec<_> = files.collect();
    for (name, text) in BUILT_IN {
        if entries.iter().all(|entry| entry.name != name) {
            let about = load_text(name, text.to_owned(), None, &[]).map(About::from);
            entries.push(Entry { name: name.to_owned(), path: None, about });
        }
    }
    entries
}

fn stem(file: &str) -> &str {
    file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")).unwrap_or(file)
}

/// Where a scenario comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    File(PathBuf),
    BuiltIn { name: &'static str, text: &'static str },
}

/// What `path_or_name` means.
pub(crate) fn find(path_or_name: &str) -> Result<Origin, Problem> {
    let given = Path::new(path_or_name);
    let is_name = !path_or_name.contains(['/', '\\']) && stem(path_or_name) == path_or_name;
    if is_name {
        let file = |ending: &str| Path::new(FOLDER).join(format!("{path_or_name}.{ending}"));
        if let Some(file) = [file("yaml"), file("yml")].into_iter().find(|file| file.is_file()) {
            return Ok(Origin::File(file));
        }
        if let Some((name, text)) = BUILT_IN.into_iter().find(|(name, _)| *name == path_or_name) {
            return Ok(Origin::BuiltIn { name, text });
        }
    }
    if given.exists() {
        return Ok(Origin::File(given.to_owned()));
    }
    let source = Source::new("SCENARIO", path_or_name);
    let place = Place::new(&source, 0..path_or_name.len());
    Err(if is_name {
        let files = yaml_files(Path::new(FOLDER));
        let names = files.iter().map(|file| stem(file)).chain(BUILT_IN.map(|(name, _)| name));
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names.dedup();
        Problem::new(place, format!("there is no scenario `{path_or_name}`"))
            .maybe_help(suggestion(path_or_name, names))
    } else {
        let folder = given.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let files = yaml_files(folder);
        let name = given.file_name().and_then(|n| n.to_str()).unwrap_or(path_or_name);
        let help = match folder.is_dir() {
            true => suggestion(name, files.iter().take(10).map(String::as_str)),
            false => Some(format!("there is no folder `{}` either", folder.display())),
        };
        Problem::new(place, "there is no such file").maybe_help(help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_repository_is_built_in() {
        let files = yaml_files(Path::new("../../scenarios"));
        let names: Vec<_> = files.iter().map(|file| stem(file)).collect();
        assert_eq!(names, BUILT_IN.map(|(name, _)| name), "add it to BUILT_IN");
    }
}

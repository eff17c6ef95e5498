//! Reading a scenario file, or saying why it cannot be one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::problem::Problem;
use crate::source::{Place, Source};
use crate::suggest::one_of;

/// Scenarios are texts that people write; this is a hundred times the longest.
const LARGEST: u64 = 1 << 20;

/// The text of the scenario file `path`.
pub fn read(path: &Path) -> Result<String, Problem> {
    if path.is_dir() {
        let files = yaml_files(path);
        let names: Vec<_> = files.iter().take(10).map(String::as_str).collect();
        return Err(
            refer(path, "this is a directory, not a scenario file").maybe_help(one_of(&names))
        );
    }
    let unreadable = |why: io::Error| {
        refer(path, format!("this file cannot be read: {why}"))
            .help("check its name and permissions")
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let name = path.display().to_string();
    if bytes.len() as u64 > LARGEST {
        let excerpt = String::from_utf8_lossy(&bytes[..200]);
        let source = Source::new(name, printable(&excerpt));
        let place = Place::new(&source, 0..source.text().len()).first_line();
        return Err(Problem::new(place, format!("this file is larger than {} MiB", LARGEST >> 20))
            .help("a scenario is a few hundred lines; is this the right file?"));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            let (good, bad) = e.as_bytes().split_at(e.utf8_error().valid_up_to());
            let good = String::from_utf8_lossy(good).into_owned();
            let at = control(&good).unwrap_or(good.len());
            let rest = String::from_utf8_lossy(&bad[..bad.len().min(40)]);
            return Err(binary(&name, &format!("{good}{rest}"), at));
        }
    };
    control(&text).map_or(Ok(()), |at| Err(binary(&name, &text, at)))?;
    Ok(text)
}

/// The first character that no YAML text may hold (section 5.1).
fn control(text: &str) -> Option<usize> {
    text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
}

/// A problem at byte `at` of `text`, which cannot be printed as it is.
fn binary(name: &str, text: &str, at: usize) -> Problem {
    let (before, rest) = text.split_at(at);
    let rest: String = rest.chars().take(40).collect();
    let source = Source::new(name, format!("{before}{}", printable(&rest)));
    let first = source.text()[at..].chars().next().map_or(0, char::len_utf8);
    Problem::new(Place::new(&source, at..at + first), "this is not a text file")
        .label("no text in UTF-8 holds this")
        .help("a scenario is YAML in UTF-8; is this the right file, or in another encoding?")
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A problem with the file as such: the caret stands under its name.
fn refer(path: &Path, message: impl Into<String>) -> Problem {
    let name = path.display().to_string();
    let source = Source::new("SCENARIO", &*name);
    Problem::new(Place::new(&source, 0..name.len()), message)
}

/// Names of the YAML files in `folder`, sorted.
pub fn yaml_files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|n| n.ends_with(".yaml") || n.ends_with(".yml")).collect();
    names.sort();
    names
}

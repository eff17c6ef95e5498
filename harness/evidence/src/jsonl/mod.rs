//! Append-only JSON lines: readable by other tools, and whole up to the last
//! line whatever kills the writer.

mod writer;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub use writer::{Health, JsonlWriter};

/// A file of JSON lines could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JsonlError {
    /// The operating system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A line in the middle of the file is not what it should be.
    #[error("{}:{line}: not a line of this evidence: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Lines came faster than the disk took them.
    #[error(
        "{} lacks {lines} lines: the disk was too slow, and {waiting} MiB were waiting for it; \
         write to a faster disk (--out), or lower the rate",
        path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// How many lines are not in it.
        lines: u64,
        /// How much waited when the first of them was given up, in MiB.
        waiting: usize,
    },
}

/// Takes a last line that was cut off out of `path`, so that lines can be
/// appended again; whether there was one. A missing file has none.
///
/// # Errors
/// If the file cannot be read or changed.
pub fn mend(path: &Path) -> Result<bool, JsonlError> {
    let fail = |action| move |source| JsonlError::Io { action, path: path.to_owned(), source };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(fail("reading")(e)),
    };
    let whole = memchr::memrchr(b'\n', &text).map_or(0, |end| end + 1);
    if whole == text.len() {
        return Ok(false);
    }
    let file = File::options().write(true).open(path).map_err(fail("opening"))?;
    file.set_len(whole as u64).map_err(fail("mending"))?;
    Ok(true)
}

/// What reading a file of JSON lines yielded.
#[derive(Debug)]
pub struct Lines<T> {
    /// The values, in file order.
    pub values: Vec<T>,
    /// Whether the last line was cut off, as a killed writer leaves it.
    pub truncated: bool,
    _value: PhantomData<T>,
}

/// Reads every line of `path`. A missing file has no lines; a last line that
/// was cut off is left out and reported.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Lines<T>, JsonlError> {
    let mut lines = Lines { values: Vec::new(), truncated: false, _value: PhantomData };
    lines.truncated = for_each(path, |value| lines.values.push(value))?;
    Ok(lines)
}

/// Calls `each` for every line of `path` without keeping them; whether the
/// last line was cut off.
pub fn for_each<T: DeserializeOwned>(
    path: &Path,
    mut each: impl FnMut(T),
) -> Result<bool, JsonlError> {
    let fail = |action| move |source| JsonlError::Io { action, path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(fail("opening")(e)),
    };
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut line = Vec::with_capacity(512);
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(fail("reading"))? == 0 {
            break;
        }
        match serde_json::from_slice(&line) {
            Ok(value) => each(value),
            Err(_) if line.last() != Some(&b'\n') => return Ok(true),
            Err(source) => {
                return Err(JsonlError::Line { path: path.to_owned(), line: number, source });
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_off_last_line_is_reported_and_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        std::fs::write(&path, b"{\"a\":1}\n{\"a\":").unwrap();
        let lines = read::<serde_json::Value>(&path).unwrap();
        assert_eq!(lines.values.len(), 1);
        assert!(lines.truncated);
    }

    #[test]
    fn a_mended_file_can_be_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        assert!(!mend(&path).unwrap());
        std::fs::write(&path, b"1\n2\n3").unwrap();
        assert!(mend(&path).unwrap());
        assert!(!mend(&path).unwrap());
        let writer = JsonlWriter::append_to(&path).unwrap();
        writer.append(4u32);
        writer.finish().unwrap();
        assert_eq!(read::<u32>(&path).unwrap().values, [1, 2, 4]);
    }

    #[test]
    fn a_bad_line_in_the_middle_is_an_error_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        std::fs::write(&path, b"1\nx\n2\n").unwrap();
        let error = read::<u32>(&path).unwrap_err().to_string();
        assert!(error.contains("a.jsonl:2:"), "{error}");
    }

    #[test]
    fn a_missing_file_has_no_lines() {
        assert!(read::<u32>(Path::new("/nonexistent/a")).unwrap().values.is_empty());
    }
}

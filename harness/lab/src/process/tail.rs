//! The end of a log file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// How many lines of a log go into a message.
pub const TAIL_LINES: usize = 15;

/// How much of the end of a log is looked at. Lines can be long: etcd prints
/// whole configurations.
const WINDOW: u64 = 64 << 10;

/// A longer line is cut in a message; the log itself has all of it.
const LONGEST: usize = 400;

/// The last `lines` lines of `log` that are not blank, oldest first; none if
/// it cannot be read.
pub fn log_tail(log: &Path, lines: usize) -> Vec<String> {
    let text = end_of(log).unwrap_or_default();
    let mut tail: Vec<_> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(lines)
        .map(shortened)
        .collect();
    tail.reverse();
    tail
}

fn end_of(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(WINDOW);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(WINDOW).read_to_end(&mut bytes)?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if start > 0 {
        // The window begins in the middle of a line.
        text = text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or(text);
    }
    Ok(text)
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(text: &str, lines: usize) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        log_tail(file.path(), lines)
    }

    #[test]
    fn the_last_lines_in_order_without_blanks() {
        assert_eq!(tail_of("a\nb\n\nc\n\n", 2), ["b", "c"]);
        assert_eq!(tail_of("only", 5), ["only"]);
        assert!(log_tail(Path::new("/nonexistent/log"), 5).is_empty());
    }

    #[test]
    fn a_large_log_is_read_from_its_end() {
        let text: String = (0..200_000).map(|n| format!("line {n}\n")).collect();
        assert_eq!(tail_of(&text, 2), ["line 199998", "line 199999"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let tail = tail_of(&"é".repeat(1000), 1);
        assert_eq!(tail[0].chars().count(), LONGEST + 1);
    }
}

//! Append-only JSON lines: readable by other tools, and whole up to the last
//! line whatever kills the writer.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use serde::Serialize;
use serde::de::DeserializeOwned;

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
}

/// Appends values to one file from any number of threads or tasks.
///
/// `append` never blocks on the disk: a thread of its own writes, and flushes
/// whenever its queue runs empty, so that a SIGKILL loses only what the last
/// few milliseconds brought.
#[derive(Debug)]
pub struct JsonlWriter<T> {
    queue: Option<mpsc::Sender<T>>,
    thread: Option<thread::JoinHandle<io::Result<u64>>>,
    path: PathBuf,
}

impl<T: Serialize + Send + 'static> JsonlWriter<T> {
    /// Opens `path` for appending, making its folder if need be.
    pub fn append_to(path: &Path) -> Result<Self, JsonlError> {
        let fail = |action| move |source| JsonlError::Io { action, path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(fail("making the folder of"))?;
        }
        let file =
            OpenOptions::new().create(true).append(true).open(path).map_err(fail("opening"))?;
        let (queue, values) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("evidence".into())
            .spawn(move || write_all(file, &values))
            .map_err(fail("starting the writer of"))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), path: path.to_owned() })
    }

    /// Queues one value. A failure of the disk is reported by [`Self::finish`].
    pub fn append(&self, value: T) {
        if let Some(queue) = &self.queue {
            // A closed queue means the writer thread has met an error, which
            // `finish` returns.
            let _ = queue.send(value);
        }
    }

    /// Writes what is queued and closes the file; the number of lines written.
    pub fn finish(mut self) -> Result<u64, JsonlError> {
        self.close()
    }

    fn close(&mut self) -> Result<u64, JsonlError> {
        drop(self.queue.take());
        let Some(thread) = self.thread.take() else { return Ok(0) };
        let written = thread.join().unwrap_or_else(|_| Err(io::Error::other("writer panicked")));
        written.map_err(|source| JsonlError::Io {
            action: "appending to",
            path: self.path.clone(),
            source,
        })
    }
}

impl<T> Drop for JsonlWriter<T> {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_all<T: Serialize>(file: File, values: &mpsc::Receiver<T>) -> io::Result<u64> {
    let mut out = BufWriter::with_capacity(64 * 1024, file);
    let mut lines = 0;
    let mut line = Vec::with_capacity(512);
    while let Ok(first) = values.recv() {
        let mut next = Some(first);
        while let Some(value) = next {
            line.clear();
            serde_json::to_writer(&mut line, &value)?;
            line.push(b'\n');
            out.write_all(&line)?;
            lines += 1;
            next = values.try_recv().ok();
        }
        out.flush()?;
    }
    out.flush()?;
    Ok(lines)
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
    fn what_is_appended_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/a.jsonl");
        let writer = JsonlWriter::append_to(&path).unwrap();
        (0..1000u32).for_each(|n| writer.append(n));
        assert_eq!(writer.finish().unwrap(), 1000);
        let lines = read::<u32>(&path).unwrap();
        assert_eq!(lines.values, (0..1000).collect::<Vec<_>>());
        assert!(!lines.truncated);
    }

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
    fn a_bad_line_in_the_middle_is_an_error_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        std::fs::write(&path, b"1\nx\n2\n").unwrap();
        let error = read::<u32>(&path).unwrap_err().to_string();
        assert!(error.contains("a.jsonl:2:"), "{error}");
    }

    #[test]
    fn a_missing_file_has_no_lines_and_a_full_disk_is_reported() {
        assert!(read::<u32>(Path::new("/nonexistent/a")).unwrap().values.is_empty());
        let writer = JsonlWriter::append_to(Path::new("/dev/full")).unwrap();
        writer.append(1);
        let error = writer.finish().unwrap_err().to_string();
        assert!(error.contains("/dev/full"), "{error}");
    }
}

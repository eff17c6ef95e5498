//! Appends to a file of JSON lines without ever waiting for the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::JsonlError;

/// How long lines are gathered before they are written together. So much is
/// lost at most if the process is killed while the disk keeps up; a system call
/// and a wake-up for each line would cost more than all else about it.
const GATHER: Duration = Duration::from_millis(10);
/// So many bytes are written at once, however young they are.
const BATCH: usize = 256 << 10;
/// So many bytes may wait for the disk. Lines beyond them are lost, counted,
/// and reported.
const MOST_WAITING: usize = 64 << 20;

/// Appends values to one file from any number of threads or tasks.
///
/// `append` never waits for the disk: it puts the line in memory, and a thread
/// of its own writes what has gathered every 10 ms, so that a SIGKILL loses
/// only what came since. If the disk is so slow that 64 MiB wait for it,
/// further lines are lost; [`Self::check`] and [`Self::finish`] say so.
#[derive(Debug)]
pub struct JsonlWriter<T> {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
    _value: PhantomData<fn(T)>,
}

/// How the file of a [`JsonlWriter`] fares.
#[derive(Debug, Clone)]
pub struct Health(Arc<Shared>);

impl Health {
    /// As [`JsonlWriter::check`].
    ///
    /// # Errors
    /// If the disk has refused, or lines were lost because it was too slow.
    pub fn check(&self) -> Result<(), JsonlError> {
        self.0.check(&self.0.lock())
    }
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    most_waiting: usize,
    state: Mutex<State>,
    /// Something is to be written, or the file is to be closed.
    work: Condvar,
    /// Something was written.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines that wait to be written.
    waiting: Vec<u8>,
    /// Lines put there so far.
    appended: u64,
    /// Of these, lines that have been written.
    written: u64,
    /// Lines that were given up.
    lost: u64,
    /// The thread has nothing to do, and waits to be told otherwise.
    idle: bool,
    /// Somebody waits for what was appended: gather no longer.
    hurry: bool,
    closed: bool,
    /// Why nothing is written any more.
    failure: Option<Failure>,
}

/// An error that can be told more than once.
#[derive(Debug)]
struct Failure {
    code: Option<i32>,
    kind: io::ErrorKind,
    text: String,
}

impl<T: Serialize> JsonlWriter<T> {
    /// Opens `path` for appending, making its folder if need be.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn append_to(path: &Path) -> Result<Self, JsonlError> {
        Self::bounded(path, MOST_WAITING)
    }

    fn bounded(path: &Path, most_waiting: usize) -> Result<Self, JsonlError> {
        let fail = |action| move |source| JsonlError::Io { action, path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(fail("making the folder of"))?;
        }
        let file =
            OpenOptions::new().create(true).append(true).open(path).map_err(fail("opening"))?;
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            most_waiting,
            state: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let thread = thread::Builder::new()
            .name("evidence".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.write_all(file)
            })
            .map_err(fail("starting the writer of"))?;
        Ok(Self { shared, thread: Some(thread), _value: PhantomData })
    }

    /// Appends one value. That the disk failed is told by [`Self::check`],
    /// [`Self::flush`] and [`Self::finish`].
    // By value: whoever appends is done with it.
    #[allow(clippy::needless_pass_by_value)]
    pub fn append(&self, value: T) {
        let mut state = self.shared.lock();
        let before = state.waiting.len();
        if state.failure.is_some() || before >= self.shared.most_waiting {
            state.lost += 1;
            return;
        }
        if let Err(error) = serde_json::to_writer(&mut state.waiting, &value) {
            // A value without JSON form; half a line must not stay.
            state.waiting.truncate(before);
            state.lost += 1;
            state.failure = Some(Failure::of(&error.into()));
            return;
        }
        state.waiting.push(b'\n');
        state.appended += 1;
        if state.idle {
            state.idle = false;
            drop(state);
            self.shared.work.notify_one();
        }
    }

    /// Waits until everything appended so far is in the file.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn flush(&self) -> Result<(), JsonlError> {
        let mut state = self.shared.lock();
        let wanted = state.appended;
        state.hurry = true;
        self.shared.work.notify_one();
        let pending = |state: &mut State| state.written < wanted && state.failure.is_none();
        let waited = self.shared.done.wait_while(state, pending);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.check()
    }

    /// Whether everything appended so far is in the file or on its way there.
    ///
    /// # Errors
    /// If the disk has refused, or lines were lost because it was too slow.
    pub fn check(&self) -> Result<(), JsonlError> {
        self.shared.check(&self.shared.lock())
    }

    /// Tells how the file fares to who cannot hold the writer itself.
    pub fn health(&self) -> Health {
        Health(Arc::clone(&self.shared))
    }

    /// Writes what waits and closes the file; the number of lines written.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn finish(mut self) -> Result<u64, JsonlError> {
        self.close();
        let state = self.shared.lock();
        self.shared.check(&state)?;
        Ok(state.written)
    }
}

impl<T> JsonlWriter<T> {
    fn close(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            let panicked = io::Error::other("its writer panicked");
            self.shared.lock().failure = Some(Failure::of(&panicked));
        }
    }
}

impl<T> Drop for JsonlWriter<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, state: &State) -> Result<(), JsonlError> {
        let path = self.path.clone();
        match &state.failure {
            Some(failure) => {
                Err(JsonlError::Io { action: "appending to", path, source: failure.again() })
            }
            None if state.lost > 0 => {
                Err(JsonlError::Lost { path, lines: state.lost, waiting: self.most_waiting >> 20 })
            }
            None => Ok(()),
        }
    }

    fn write_all(&self, mut file: File) {
        let mut batch = Vec::new();
        while let Some(lines) = self.next(&mut batch) {
            let written = file.write_all(&batch);
            let mut state = self.lock();
            match written {
                Ok(()) => state.written += lines,
                Err(error) => {
                    // Half a line may be in the file now: nothing more is put
                    // after it, and readers see that it was cut off.
                    state.failure = Some(Failure::of(&error));
                    state.waiting = Vec::new();
                }
            }
            self.done.notify_all();
        }
    }

    /// Puts what is to be written next into `batch`, and says how many lines it
    /// is; none if that was all.
    fn next(&self, batch: &mut Vec<u8>) -> Option<u64> {
        let mut state = self.lock();
        state.idle = true;
        let nothing = |state: &mut State| state.waiting.is_empty() && !state.closed;
        state = self.work.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
        state.idle = false;
        let gather =
            |state: &mut State| !state.closed && !state.hurry && state.waiting.len() < BATCH;
        let gathered = self.work.wait_timeout_while(state, GATHER, gather);
        (state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        if state.waiting.is_empty() {
            return None;
        }
        state.hurry = false;
        batch.clear();
        // What a slow disk has let grow is not kept for ever.
        batch.shrink_to(BATCH);
        std::mem::swap(batch, &mut state.waiting);
        Some(state.appended - state.written)
    }
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        Self { code: error.raw_os_error(), kind: error.kind(), text: error.to_string() }
    }

    fn again(&self) -> io::Error {
        match self.code {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.kind, self.text.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;
    use crate::jsonl::read;

    #[test]
    fn what_is_appended_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/a.jsonl");
        let writer = JsonlWriter::append_to(&path).unwrap();
        (0..1000u32).for_each(|n| writer.append(n));
        writer.flush().unwrap();
        assert_eq!(read::<u32>(&path).unwrap().values.len(), 1000);
        (1000..70_000u32).for_each(|n| writer.append(n));
        assert_eq!(writer.finish().unwrap(), 70_000);
        let lines = read::<u32>(&path).unwrap();
        assert_eq!(lines.values, (0..70_000).collect::<Vec<_>>());
        assert!(!lines.truncated);
        // A file that is there is gone on with.
        let writer = JsonlWriter::append_to(&path).unwrap();
        writer.append(70_000u32);
        writer.flush().unwrap();
        writer.flush().unwrap();
        drop(writer);
        assert_eq!(read::<u32>(&path).unwrap().values.len(), 70_001);
    }

    #[test]
    fn many_threads_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let writer = JsonlWriter::append_to(&path).unwrap();
        thread::scope(|scope| {
            for t in 0..4u32 {
                let writer = &writer;
                scope.spawn(move || (0..5_000).for_each(|n| writer.append((t, n))));
            }
        });
        assert_eq!(writer.finish().unwrap(), 20_000);
        let lines = read::<(u32, u32)>(&path).unwrap().values;
        for t in 0..4 {
            let own = lines.iter().filter(|line| line.0 == t).map(|line| line.1);
            assert!(own.eq(0..5_000));
        }
    }

    #[test]
    fn a_full_disk_is_reported_at_every_turn() {
        let writer = JsonlWriter::append_to(Path::new("/dev/full")).unwrap();
        assert!(writer.check().is_ok());
        writer.append(1);
        assert!(writer.flush().is_err());
        writer.append(2);
        for error in [writer.check(), writer.finish().map(drop)] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("/dev/full") && error.contains("No space"), "{error}");
        }
    }

    #[test]
    fn a_disk_that_is_too_slow_costs_lines_and_not_memory_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        // A pipe that nobody reads is as slow as a disk can be.
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, mode, 0).unwrap();
        let reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let limit = 1 << 20;
        let writer = JsonlWriter::bounded(&path, limit).unwrap();
        let sent = 5_000;
        (0..sent).for_each(|_| writer.append("x".repeat(1_000)));
        assert!(writer.check().is_err());
        assert!(writer.shared.lock().waiting.capacity() <= 2 * limit + 2_000);
        // Now it is read: what waited arrives, and the count of lost lines adds up.
        let reading = thread::spawn(move || {
            let lines = BufReader::new(reader).lines().map_while(Result::ok);
            lines.take_while(|line| line != "\"end\"").count() as u64
        });
        assert!(writer.flush().is_err());
        writer.append("end".to_owned());
        let error = writer.finish().unwrap_err();
        let JsonlError::Lost { lines, waiting, .. } = error else { panic!("{error}") };
        assert_eq!((lines + reading.join().unwrap(), waiting), (sent, 1));
    }
}

//! Files of lines, read by several threads and handed on in order.
//!
//! A file is cut into pieces of equal size; whoever has a piece reads the lines
//! that begin in it. Nothing but the pieces in hand is in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use memchr::memchr;

use crate::jsonl::JsonlError;

/// Size of a piece: large enough to be worth a system call, small enough for
/// the processor's cache.
const PIECE: u64 = 1 << 20;
/// A line longer than this beyond its piece is fetched in steps of so much.
const MORE: usize = 16 << 10;
/// More threads than this wait for whoever puts the pieces together.
const MOST_THREADS: usize = 8;

/// A piece of one of the files.
#[derive(Debug, Clone, Copy)]
struct Piece {
    file: usize,
    from: u64,
    to: u64,
}

/// What a piece came to, and whether its last line was cut off.
type Outcome<P> = Result<(P, bool), Failure>;

/// Why a piece could not be read.
enum Failure {
    Io(io::Error),
    /// The line that begins at this offset.
    Line(u64, serde_json::Error),
}

/// Reads every line of `files` with `line`, which adds what it finds to a `P`
/// of its piece, and gives these to `gather` with the file's number, in the
/// order in which they are in the files. Files whose last line was cut off, as
/// a killed writer leaves it, are returned.
///
/// # Errors
/// If a file cannot be read, or a line in the middle is not what `line` reads.
pub(super) fn read_in_order<P: Default + Send>(
    files: &[PathBuf],
    line: impl Fn(&mut P, &[u8]) -> Result<(), serde_json::Error> + Sync,
    mut gather: impl FnMut(usize, P),
) -> Result<Vec<PathBuf>, JsonlError> {
    let mut pieces = Vec::new();
    for (file, path) in files.iter().enumerate() {
        let size = std::fs::metadata(path).map_err(failed("opening", path))?.len();
        let starts = (0..size.div_ceil(PIECE)).map(|n| n * PIECE);
        pieces.extend(starts.map(|from| Piece { file, from, to: size.min(from + PIECE) }));
    }
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut cut = Vec::new();
    thread::scope(|scope| {
        // The bound keeps those who read from running ahead of who gathers.
        let (send, outcomes) = mpsc::sync_channel(2 * threads);
        for _ in 0..threads {
            let (send, pieces, line, next, over) = (send.clone(), &pieces, &line, &next, &over);
            scope.spawn(move || {
                let mut buffer = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(piece) = pieces.get(number) else { break };
                    let outcome = read_piece(&files[piece.file], *piece, &mut buffer, line);
                    if send.send((number, outcome)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut early: BTreeMap<usize, Outcome<P>> = BTreeMap::new();
        let mut wanted = 0;
        for (number, outcome) in outcomes {
            early.insert(number, outcome);
            while let Some(outcome) = early.remove(&wanted) {
                let piece = pieces[wanted];
                wanted += 1;
                match outcome {
                    Ok((found, truncated)) => {
                        gather(piece.file, found);
                        cut.extend(truncated.then(|| files[piece.file].clone()));
                    }
                    Err(why) => {
                        // The others stop at their next piece; returning drops
                        // the channel, so that none waits to hand one over.
                        over.store(true, Ordering::Relaxed);
                        return Err(explain(&files[piece.file], why));
                    }
                }
            }
        }
        Ok(())
    })?;
    Ok(cut)
}

/// Reads the lines that begin in `piece`.
fn read_piece<P: Default>(
    path: &Path,
    piece: Piece,
    buffer: &mut Vec<u8>,
    line: &(impl Fn(&mut P, &[u8]) -> Result<(), serde_json::Error> + Sync),
) -> Outcome<P> {
    // One byte more in front shows whether the piece begins with a line.
    let from = piece.from.saturating_sub(1);
    fill(path, from, piece.to, buffer).map_err(Failure::Io)?;
    let mut rest = buffer.as_slice();
    if piece.from > 0 {
        let Some(end) = memchr(b'\n', rest) else { return Ok((P::default(), false)) };
        rest = &rest[end + 1..];
    }
    let mut found = P::default();
    let length = usize::try_from(piece.to - from).unwrap_or(usize::MAX);
    loop {
        let at = buffer.len() - rest.len();
        if rest.is_empty() || at >= length {
            return Ok((found, false));
        }
        let end = memchr(b'\n', rest);
        let (one, whole) = end.map_or((rest, false), |end| (&rest[..=end], true));
        match line(&mut found, one) {
            Ok(()) => rest = &rest[one.len()..],
            Err(_) if !whole => return Ok((found, true)),
            Err(why) => return Err(Failure::Line(from + at as u64, why)),
        }
    }
}

/// Puts the bytes `from..to` of the file into `buffer`, and those that follow
/// up to the end of the line.
fn fill(path: &Path, from: u64, to: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    let file = File::open(path)?;
    let length = usize::try_from(to - from).unwrap_or(usize::MAX);
    buffer.resize(length, 0);
    let read = read_up_to(&file, from, buffer)?;
    buffer.truncate(read);
    while buffer.len() >= length && buffer.last() != Some(&b'\n') {
        let before = buffer.len();
        buffer.resize(before + MORE, 0);
        let read = read_up_to(&file, from + before as u64, &mut buffer[before..])?;
        let added = &buffer[before..before + read];
        let end = memchr(b'\n', added);
        buffer.truncate(before + end.map_or(read, |end| end + 1));
        if end.is_some() || read == 0 {
            break;
        }
    }
    Ok(())
}

/// Fills `buffer` from `offset` on, as far as the file goes.
fn read_up_to(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn explain(path: &Path, why: Failure) -> JsonlError {
    match why {
        Failure::Io(source) => failed("reading", path)(source),
        Failure::Line(offset, source) => {
            // Only now is it worth counting lines.
            let before = std::fs::read(path).map_or(0, |text| {
                let upto = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
                text[..upto].iter().filter(|byte| **byte == b'\n').count()
            });
            JsonlError::Line { path: path.to_owned(), line: before + 1, source }
        }
    }
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JsonlError {
    let path = path.to_owned();
    move |source| JsonlError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(texts: &[Vec<u8>]) -> Result<(Vec<(usize, u64)>, usize), String> {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> =
            (0..texts.len()).map(|i| dir.path().join(format!("{i}"))).collect();
        for (file, text) in files.iter().zip(texts) {
            std::fs::write(file, text).unwrap();
        }
        let mut all = Vec::new();
        let cut = read_in_order(
            &files,
            |found: &mut Vec<u64>, line| {
                found.push(serde_json::from_slice(line)?);
                Ok(())
            },
            |file, found| all.extend(found.into_iter().map(|n| (file, n))),
        );
        cut.map(|cut| (all, cut.len())).map_err(|error| error.to_string())
    }

    fn lines(numbers: impl Iterator<Item = u64>) -> Vec<u8> {
        numbers.flat_map(|n| format!("{n}\n").into_bytes()).collect()
    }

    #[test]
    fn many_pieces_come_in_order_and_none_is_lost() {
        let (found, cut) = read(&[lines(0..500_000), Vec::new(), lines(7..9)]).unwrap();
        let wanted = (0..500_000).map(|n| (0, n)).chain([(2, 7), (2, 8)]);
        assert!(found.into_iter().eq(wanted));
        assert_eq!(cut, 0);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_a_cut_off_one_is_left_out() {
        let mut text = lines(0..300_000);
        text.extend_from_slice(b"x\n5\n");
        let error = read(&[text]).unwrap_err();
        assert!(error.contains("0:300001:"), "{error}");
        let mut text = lines(0..300_000);
        text.extend_from_slice(b"{\"a");
        let (found, cut) = read(&[text]).unwrap();
        assert_eq!((found.len(), cut), (300_000, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn lines_of_any_length_are_read_wherever_pieces_end(
            blanks in prop::collection::vec(0usize..200_000, 1..40),
        ) {
            // Blanks before a number are part of its line.
            let text = blanks.iter().enumerate().flat_map(|(i, n)| {
                [vec![b' '; *n], format!("{i}\n").into_bytes()].concat()
            });
            let (found, cut) = read(&[text.collect()]).unwrap();
            let numbers: Vec<u64> = found.into_iter().map(|(_, n)| n).collect();
            prop_assert_eq!(numbers, (0..blanks.len() as u64).collect::<Vec<_>>());
            prop_assert_eq!(cut, 0);
        }
    }
}

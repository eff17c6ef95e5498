//! One kab at a time writes to a run folder.

use std::fs::{File, TryLockError};

use crate::folder::{FolderError, RunFolder, failed};

/// Held by whoever writes to a run folder. The kernel gives it back when its
/// holder ends, however it ends.
#[derive(Debug)]
pub struct RunLock(#[expect(dead_code, reason = "held, not read")] File);

impl RunLock {
    /// Takes the lock of `folder`.
    ///
    /// # Errors
    /// If another process has it, or there can be none.
    pub fn take(folder: &RunFolder) -> Result<Self, FolderError> {
        let path = folder.path().join(".lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(failed("opening", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(FolderError::Busy(folder.path().to_owned())),
            Err(TryLockError::Error(error)) => Err(failed("locking", &path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_may_write_and_the_next_when_it_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path()).unwrap();
        let held = RunLock::take(&folder).unwrap();
        let refused = RunLock::take(&folder).unwrap_err();
        assert!(matches!(&refused, FolderError::Busy(_)), "{refused}");
        drop(held);
        RunLock::take(&folder).unwrap();
    }
}

//! Programs that were downloaded or built, for the next time.
//!
//! ```text
//! CACHE/assets/v1/kubernetes-v1.36.3+etcd-v3.6.8-linux-amd64/
//!   .lock          held by whoever fills the folder
//!   PROGRAM        appears whole, by renaming
//!   PROGRAM.json   its digest and origin; without it PROGRAM counts as broken
//!   .work-*        what is being made; removed by the next one who fills
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::known::Memory;
use super::pins::{ARCH, ETCD_VERSION, KUBERNETES_VERSION};
use crate::progress::Progress;

/// Where programs are cached unless told otherwise: `$KAB_CACHE`, else
/// `$XDG_CACHE_HOME/kab`, else `~/.cache/kab`. None if no home is known.
pub fn default_cache() -> Option<PathBuf> {
    crate::places::folder("KAB_CACHE", "XDG_CACHE_HOME", ".cache")
}

/// The cache's folder for the pinned versions on this machine.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
    memory: Memory,
}

/// What is known of a cached program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Label {
    /// SHA-256 of the program, in hex.
    pub sha256: String,
    /// How it came to be: `built from controlplane/ with go1.26.8`.
    pub origin: String,
}

/// The right to fill the cache's folder, until it is dropped.
#[derive(Debug)]
pub(super) struct Filling<'a> {
    cache: &'a Cache,
    _lock: File,
}

impl Cache {
    pub(super) fn new(root: &Path) -> Self {
        Self::of(root, &format!("kubernetes-{KUBERNETES_VERSION}+etcd-{ETCD_VERSION}"))
    }

    /// The folder for other programs, of the versions that `versions` names.
    pub(super) fn of(root: &Path, versions: &str) -> Self {
        let folder = root.join("assets/v1").join(format!("{versions}-linux-{ARCH}"));
        Self { folder, memory: Memory::new(root) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The program `name`, if it is there and still what it was when it was
    /// put there.
    pub(super) fn get(&self, name: &str, progress: &dyn Progress) -> Option<(PathBuf, Label)> {
        let program = self.folder.join(name);
        let label = fs::read(self.label(name)).ok();
        let label: Label = label.and_then(|text| serde_json::from_slice(&text).ok())?;
        match self.memory.sha256(&program) {
            Ok(found) if found == label.sha256 => Some((program, label)),
            Ok(_) => {
                progress.say(&format!(
                    "{} in the cache is damaged (its digest changed); it will be made anew",
                    program.display()
                ));
                None
            }
            Err(_) => None,
        }
    }

    /// Waits for whoever else fills the folder, and keeps others from it.
    pub(super) fn fill(&self, progress: &dyn Progress) -> io::Result<Filling<'_>> {
        fs::create_dir_all(&self.folder)?;
        let lock = File::create(self.folder.join(".lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.say("another kab is getting the same programs; waiting for it");
                lock.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The lock is ours, so whoever made these is gone.
        for entry in fs::read_dir(&self.folder)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(".work-") {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Filling { cache: self, _lock: lock })
    }

    fn label(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

impl Filling<'_> {
    /// A folder to make something in. It goes away with what is left in it.
    pub(super) fn workshop(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(".work-").tempdir_in(&self.cache.folder)
    }

    /// Where the file of a download grows; it stays if the download is cut,
    /// so that the next one goes on with it.
    pub(super) fn partial(&self, sha256: &str) -> PathBuf {
        self.cache.folder.join(format!(".partial-{sha256}"))
    }

    /// Puts the whole, executable and tested program `made` into the cache as `name`.
    pub(super) fn put(
        &self,
        name: &str,
        made: &Path,
        origin: String,
    ) -> io::Result<(PathBuf, Label)> {
        let program = self.cache.folder.join(name);
        File::open(made)?.sync_all()?;
        // Without its label the old program, if any, counts as broken.
        remove_if_there(&self.cache.label(name))?;
        fs::rename(made, &program)?;
        let label = Label { sha256: self.cache.memory.sha256(&program)?, origin };
        let mut file = tempfile::NamedTempFile::new_in(&self.cache.folder)?;
        serde_json::to_writer_pretty(&mut file, &label)?;
        file.as_file().sync_all()?;
        file.persist(self.cache.label(name))?;
        Ok((program, label))
    }
}

fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Collected, Silent};

    fn put(cache: &Cache, content: &str) -> PathBuf {
        let filling = cache.fill(&Silent).unwrap();
        let made = filling.workshop().unwrap().keep().join("made");
        fs::write(&made, content).unwrap();
        filling.put("program", &made, "made in a test".into()).unwrap().0
    }

    #[test]
    fn what_was_put_is_got_until_it_is_damaged() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        assert!(cache.get("program", &Silent).is_none());
        let program = put(&cache, "whole");
        let (got, label) = cache.get("program", &Silent).unwrap();
        assert_eq!((got, label.origin.as_str()), (program.clone(), "made in a test"));

        fs::write(&program, "hole").unwrap();
        let said = Collected::default();
        assert!(cache.get("program", &said).is_none());
        assert!(said.sentences()[0].contains("damaged"), "{:?}", said.sentences());

        put(&cache, "whole again");
        assert!(cache.get("program", &Silent).is_some());
        fs::remove_file(cache.label("program")).unwrap();
        assert!(cache.get("program", &Silent).is_none(), "a program without its digest");
    }

    #[test]
    fn a_cache_that_was_copied_still_counts() {
        let (root, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (cache, copied) = (Cache::new(root.path()), Cache::new(copy.path()));
        put(&cache, "whole");
        fs::create_dir_all(&copied.folder).unwrap();
        for name in ["program", "program.json"] {
            fs::copy(cache.folder.join(name), copied.folder.join(name)).unwrap();
        }
        assert!(copied.get("program", &Silent).is_some());
    }

    #[test]
    fn what_a_killed_kab_was_making_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let left = cache.fill(&Silent).unwrap().workshop().unwrap().keep();
        fs::write(left.join("controlplane"), "half").unwrap();
        let _filling = cache.fill(&Silent).unwrap();
        assert!(!left.exists());
    }
}

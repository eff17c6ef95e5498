//! What is known of a file, for as long as it does not change.
//!
//! Hashing a program of 122 MB and asking it for its version takes longer than
//! starting it. So both are remembered, under the file's path, with what the
//! file system says of it: device, inode, size, and the times of its last
//! change. `ctime` is set by the kernel at every change of content or of
//! metadata and cannot be set back by a program, so a file that was tampered
//! with is hashed again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Remembers digests and versions, in a folder of the cache.
#[derive(Debug, Clone)]
pub(super) struct Memory(PathBuf);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    path: PathBuf,
    stamp: Stamp,
    sha256: String,
    /// By component.
    versions: BTreeMap<String, String>,
}

impl Memory {
    pub(super) fn new(cache: &Path) -> Self {
        Self(cache.join("known/v1"))
    }

    /// SHA-256 of `file`, in hex.
    pub(super) fn sha256(&self, file: &Path) -> io::Result<String> {
        Ok(self.entry(file)?.sha256)
    }

    /// The version that `ask` finds out of `file` serving as `component`.
    pub(super) fn version<E>(
        &self,
        file: &Path,
        component: &str,
        ask: impl FnOnce() -> Result<String, E>,
    ) -> Result<String, E> {
        let entry = self.entry(file).ok();
        if let Some(known) = entry.as_ref().and_then(|entry| entry.versions.get(component)) {
            return Ok(known.clone());
        }
        let version = ask()?;
        if let Some(mut entry) = entry {
            entry.versions.insert(component.to_owned(), version.clone());
            self.keep(&entry);
        }
        Ok(version)
    }

    fn entry(&self, file: &Path) -> io::Result<Entry> {
        let stamp = stamp(file)?;
        let known = fs::read(self.place(file)).ok();
        let known = known.and_then(|text| serde_json::from_slice::<Entry>(&text).ok());
        if let Some(known) = known.filter(|known| known.path == file && known.stamp == stamp) {
            return Ok(known);
        }
        let entry = Entry {
            path: file.to_owned(),
            sha256: hash(File::open(file)?)?,
            stamp: stamp.clone(),
            versions: BTreeMap::new(),
        };
        // A file that is being written has no digest worth remembering.
        if self::stamp(file)? == stamp {
            self.keep(&entry);
        }
        Ok(entry)
    }

    /// Remembering is a convenience: failing to is no error.
    fn keep(&self, entry: &Entry) {
        let keep = || -> io::Result<()> {
            fs::create_dir_all(&self.0)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
            serde_json::to_writer(&mut file, entry)?;
            file.persist(self.place(&entry.path))?;
            Ok(())
        };
        if let Err(error) = keep() {
            tracing::debug!(%error, "not remembered");
        }
    }

    fn place(&self, file: &Path) -> PathBuf {
        let name = hex(&Sha256::digest(file.as_os_str().as_encoded_bytes()));
        self.0.join(format!("{name}.json"))
    }
}

fn stamp(file: &Path) -> io::Result<Stamp> {
    let found = fs::metadata(file)?;
    Ok(Stamp {
        device: found.dev(),
        inode: found.ino(),
        size: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

/// SHA-256 of everything that `from` gives, in hex.
pub(super) fn hash(mut from: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_hashed_and_asked_again() {
        let dir = tempfile::tempdir().unwrap();
        let (memory, file) = (Memory::new(dir.path()), dir.path().join("program"));
        fs::write(&file, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(memory.sha256(&file).unwrap(), abc);
        let ask = |answer: &str| {
            memory.version(&file, "etcd", || Ok::<_, ()>(answer.to_owned())).unwrap()
        };
        assert_eq!(ask("v1"), "v1");
        assert_eq!(ask("v2"), "v1", "asked again for nothing");

        // Same size, and its modification time put back: only ctime tells.
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, "abd").unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
        assert_ne!(memory.sha256(&file).unwrap(), abc);
        assert_eq!(ask("v2"), "v2");
    }

    #[test]
    fn what_is_remembered_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let (memory, file) = (Memory::new(dir.path()), dir.path().join("program"));
        fs::write(&file, "abc").unwrap();
        memory.sha256(&file).unwrap();
        let place = memory.place(&file);
        let mut entry: Entry = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
        entry.sha256 = "remembered".into();
        fs::write(&place, serde_json::to_vec(&entry).unwrap()).unwrap();
        assert_eq!(memory.sha256(&file).unwrap(), "remembered");
        fs::write(&place, "{ half an ent").unwrap();
        assert_ne!(memory.sha256(&file).unwrap(), "remembered");
    }
}

//! Room for servers that run as somebody else.
//!
//! A lab's folder may lie where only kab can go, such as below root's home. A
//! server that runs as another user has its data elsewhere then. The place is
//! written down in the lab's folder before it is made, so that whoever removes
//! the one, removes the other.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{KeepError, LabDir, failed};
use crate::process::Account;

/// Where room is made outside of a lab's folder: on a disk, and open to all.
const OUTSIDE: &str = "/var/tmp";

/// What such places are called, up to the lab's name.
const PREFIX: &str = "kab-";

/// The file in a lab's folder that names them.
const NOTE: &str = "elsewhere";

impl LabDir {
    /// A folder of the lab's that `account` can reach; any folder of the lab's
    /// if there is none. It goes away with the lab.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn room(&self, account: Option<Account>) -> Result<PathBuf, KeepError> {
        if account.is_none_or(|account| account.reaches(&self.path)) {
            let room = self.path.join("servers");
            fs::create_dir_all(&room).map_err(failed("making", &room))?;
            return Ok(room);
        }
        let name = format!("{PREFIX}{}-{:08x}", self.name, rand::random::<u32>());
        let room = Path::new(OUTSIDE).join(name);
        let note = self.path.join(NOTE);
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&note)
            .and_then(|mut file| writeln!(file, "{}", room.display()))
            .map_err(failed("writing", &note))?;
        // Whoever else may write there cannot have made it before.
        let made = fs::DirBuilder::new().mode(0o711).create(&room);
        made.map_err(failed("making", &room))?;
        fs::set_permissions(&room, Permissions::from_mode(0o711))
            .map_err(failed("opening", &room))?;
        Ok(room)
    }
}

/// The places outside of the lab's folder `lab` that are the lab's.
pub(super) fn elsewhere(lab: &Path) -> Vec<PathBuf> {
    let note = fs::read_to_string(lab.join(NOTE)).unwrap_or_default();
    // A damaged note must not have anything else removed.
    let ours = |place: &PathBuf| {
        place.parent() == Some(Path::new(OUTSIDE))
            && place.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
    };
    note.lines().map(PathBuf::from).filter(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keep::Labs;

    /// Somebody who cannot go where the test's folder is.
    const STRANGER: Account = Account { uid: 54_321, gid: 54_321 };

    /// A folder that only its owner may enter.
    fn closed() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        folder
    }

    #[test]
    fn room_elsewhere_goes_with_the_lab() {
        let state = closed();
        let lab = Labs::at(state.path()).create(Some("lab")).unwrap();
        let room = lab.room(Some(STRANGER)).unwrap();
        assert!(room.starts_with(OUTSIDE) && STRANGER.reaches(&room), "{room:?}");
        fs::write(room.join("data"), "x").unwrap();
        drop(lab);
        assert!(!room.exists());
    }

    #[test]
    fn room_elsewhere_of_a_killed_owner_is_swept() {
        let state = closed();
        let labs = Labs::at(state.path());
        let lab = labs.create(Some("lab")).unwrap();
        let room = lab.room(Some(STRANGER)).unwrap();
        assert!(room.starts_with(OUTSIDE), "{room:?}");
        // As a killed process leaves it: nothing removed, the lock free.
        let forgotten = std::mem::ManuallyDrop::new(lab);
        // The descriptor is all that holds the lock.
        rustix::fs::flock(&forgotten._lock, rustix::fs::FlockOperation::Unlock).unwrap();
        assert_eq!(labs.sweep().unwrap().len(), 1);
        assert!(!room.exists());
    }

    #[test]
    fn room_for_kab_itself_is_in_the_lab_and_notes_cannot_point_anywhere() {
        let state = tempfile::tempdir().unwrap();
        let lab = Labs::at(state.path()).create(None).unwrap();
        assert!(lab.room(None).unwrap().starts_with(lab.path()));
        fs::write(lab.path().join(NOTE), "/etc\n/var/tmp/other\n/var/tmp/kab-x/../y\n").unwrap();
        assert_eq!(elsewhere(lab.path()), Vec::<PathBuf>::new());
    }
}

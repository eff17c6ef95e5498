//! Whom a child runs as.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// A user and its group, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl Account {
    /// Whom to run a server as that refuses to run as root: none if kab is not
    /// root, and so the server runs as whoever kab runs as. The user `nobody`,
    /// or, where there is none, the number that it usually has: an account
    /// needs no name.
    pub fn unprivileged() -> Option<Self> {
        rustix::process::geteuid().is_root().then(|| {
            let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
            nobody(&users).unwrap_or(Self { uid: 65534, gid: 65534 })
        })
    }

    /// Gives `path` to it.
    pub fn own(self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
    }

    /// Whether it may go to `path`, and, if it is a folder, into it: it may
    /// enter every folder on the way.
    pub fn reaches(self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else { return false };
        path.ancestors().all(|place| place.metadata().is_ok_and(|found| self.enters(&found)))
    }

    /// Whether it may execute a file, or enter a folder.
    fn enters(self, found: &fs::Metadata) -> bool {
        let mode = found.permissions().mode();
        let shift = match (found.uid() == self.uid, found.gid() == self.gid) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        mode >> shift & 1 == 1
    }
}

/// The user `nobody` of a file such as `/etc/passwd`.
fn nobody(users: &str) -> Option<Account> {
    let line = users.lines().find_map(|line| line.strip_prefix("nobody:"))?;
    let mut fields = line.split(':').skip(1);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (uid != 0).then_some(Account { uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_found_and_root_never_is() {
        let users = "root:x:0:0::/root:/bin/sh\nnobody:x:99:98:nobody:/:/sbin/nologin\n";
        assert_eq!(nobody(users), Some(Account { uid: 99, gid: 98 }));
        assert_eq!(nobody("root:x:0:0::/root:/bin/sh\n"), None);
        assert_eq!(nobody("nobody:x:0:0::/:/bin/sh\n"), None);
    }

    #[test]
    fn a_folder_behind_a_closed_one_is_not_reached() {
        let dir = tempfile::Builder::new().tempdir_in("/var/tmp").unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let other = Account { uid: 54_321, gid: 54_321 };
        assert!(other.reaches(Path::new("/usr/bin")));
        for (mode, reached) in [(0o700, false), (0o711, true)] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(other.reaches(&inner), reached, "{mode:o}");
        }
        assert!(!other.reaches(&inner.join("nothing")));
    }
}

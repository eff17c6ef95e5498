//! Getting a file whose digest is known, however bad the network.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use http::{StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};

use super::known::hash;
use crate::progress::Progress;

/// How long to wait for a server, and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the name to be resolved, and again for a connection. Short: without
    /// a network there is the build to fall back on.
    pub connect: Duration,
    /// For the next bytes.
    pub stall: Duration,
    /// How often at most a file is asked for. A later try goes on where the
    /// one before was cut.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), stall: Duration::from_secs(30), tries: 4 }
    }
}

/// A file could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No server answered.
    #[error("downloading {url}: {why}")]
    Unreachable {
        /// The file.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The server does not have it, or does not give it.
    #[error(
        "downloading {url}: the server answered {status}; if it is a mirror, is its base address right?"
    )]
    Refused {
        /// The file.
        url: String,
        /// What it answered.
        status: StatusCode,
    },
    /// Nothing came for too long.
    #[error("downloading {url}: nothing came for {stall:?} (after {done} bytes)")]
    Stalled {
        /// The file.
        url: String,
        /// How long was waited.
        stall: Duration,
        /// How many bytes had come.
        done: u64,
    },
    /// The connection ended before the file did.
    #[error("downloading {url}: the connection was cut after {done} bytes: {why}")]
    Cut {
        /// The file.
        url: String,
        /// How many bytes had come.
        done: u64,
        /// What went wrong.
        why: String,
    },
    /// What came is not the file that is pinned.
    #[error(
        "downloading {url}: its SHA-256 is {found}, not the pinned {pinned}; it was thrown away"
    )]
    Digest {
        /// The file.
        url: String,
        /// Its digest as published.
        pinned: String,
        /// The digest of what came.
        found: String,
    },
    /// The archive does not hold the program.
    #[error("unpacking {url}: there is no {member} in it")]
    Member {
        /// The archive.
        url: String,
        /// What was looked for.
        member: String,
    },
    /// The file could not be written.
    #[error("{action} {}: {source}", path.display())]
    Disk {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl DownloadError {
    /// Whether asking again may help.
    const fn is_passing(&self) -> bool {
        match self {
            Self::Stalled { .. } | Self::Cut { .. } => true,
            Self::Refused { status, .. } => status.as_u16() >= 500 || status.as_u16() == 429,
            _ => false,
        }
    }
}

/// A file to download.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub what: &'a str,
    pub url: &'a str,
    pub sha256: &'a str,
    /// Where it grows. What is there already is gone on with.
    pub partial: &'a Path,
}

/// Downloads `wanted` to its `partial` file, which then is whole and has the
/// pinned digest.
pub(super) fn download(
    wanted: Wanted<'_>,
    patience: Patience,
    progress: &dyn Progress,
) -> Result<(), DownloadError> {
    let http = http(patience);
    let mut resumed = length(wanted.partial) > 0;
    let mut tries = 0;
    loop {
        tries += 1;
        match fetch(&http, wanted, patience, progress) {
            Ok(()) => {}
            Err(error) if error.is_passing() && tries < patience.tries => {
                progress.say(&format!("{error}; trying again"));
                resumed |= length(wanted.partial) > 0;
                continue;
            }
            Err(error) => return Err(error),
        }
        let found = File::open(wanted.partial).and_then(hash);
        let found = found.map_err(disk("reading", wanted.partial))?;
        if found == wanted.sha256 {
            return Ok(());
        }
        fs::remove_file(wanted.partial).map_err(disk("removing", wanted.partial))?;
        let (url, pinned) = (wanted.url.to_owned(), wanted.sha256.to_owned());
        let error = DownloadError::Digest { url, pinned, found };
        if !resumed {
            return Err(error);
        }
        // The part that was there already may have been of another file.
        progress.say(&format!("{error}; trying once more from the beginning"));
        resumed = false;
    }
}

fn http(patience: Patience) -> ureq::Agent {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.stall))
        .timeout_per_read(Some(patience.stall))
        .user_agent(concat!("kab/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// One try: asks for what is missing, and appends it.
fn fetch(
    http: &ureq::Agent,
    wanted: Wanted<'_>,
    patience: Patience,
    progress: &dyn Progress,
) -> Result<(), DownloadError> {
    let url = || wanted.url.to_owned();
    let have = length(wanted.partial);
    let mut request = http.get(wanted.url);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    let answer = request.call().map_err(|error| match error {
        ureq::Error::Timeout(ureq::Timeout::RecvResponse | ureq::Timeout::PerRead) => {
            DownloadError::Stalled { url: url(), stall: patience.stall, done: have }
        }
        ureq::Error::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            DownloadError::Cut { url: url(), done: have, why: e.to_string() }
        }
        other => DownloadError::Unreachable { url: url(), why: other.to_string() },
    })?;
    let status = answer.status();
    let start = match status {
        StatusCode::PARTIAL_CONTENT if begins_at(answer.headers(), have) => have,
        StatusCode::OK => 0,
        // Nothing is missing; or the file is another one, which its digest
        // will tell.
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => return Ok(()),
        _ => return Err(DownloadError::Refused { url: url(), status }),
    };
    let total = answer.body().content_length().map(|rest| start + rest);

    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(wanted.partial)
        .map_err(disk("opening", wanted.partial))?;
    file.set_len(start).map_err(disk("shortening", wanted.partial))?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(start))
        .map_err(disk("writing", wanted.partial))?;

    let mut body = answer.into_body().into_reader();
    let (mut done, mut buffer) = (start, vec![0; 1 << 17]);
    loop {
        progress.bytes(wanted.what, done, total);
        match body.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                file.write_all(&buffer[..read]).map_err(disk("writing", wanted.partial))?;
                done += u64::try_from(read).unwrap_or(0);
            }
            Err(e) if is_timeout(&e) => {
                return Err(DownloadError::Stalled { url: url(), stall: patience.stall, done });
            }
            Err(e) => return Err(DownloadError::Cut { url: url(), done, why: e.to_string() }),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    error.kind() == io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

/// Whether a partial answer begins at byte `have` (RFC 9110, section 14.4).
fn begins_at(headers: &http::HeaderMap, have: u64) -> bool {
    let range = headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split_once('-'));
    start.is_some_and(|(start, _)| start.parse() == Ok(have))
}

/// Takes the file `member` out of the `.tar.gz` file `archive`.
pub(super) fn unpack(
    archive: &Path,
    url: &str,
    member: &str,
    into: &Path,
) -> Result<(), DownloadError> {
    let file = File::open(archive).map_err(disk("opening", archive))?;
    let mut tar = tar::Archive::new(GzDecoder::new(io::BufReader::new(file)));
    for entry in tar.entries().map_err(disk("unpacking", archive))? {
        let mut entry = entry.map_err(disk("unpacking", archive))?;
        if entry.path().is_ok_and(|path| path == Path::new(member)) {
            let mut program = File::create(into).map_err(disk("making", into))?;
            io::copy(&mut entry, &mut program).map_err(disk("unpacking", archive))?;
            return Ok(());
        }
    }
    Err(DownloadError::Member { url: url.to_owned(), member: member.to_owned() })
}

fn length(file: &Path) -> u64 {
    file.metadata().map_or(0, |found| found.len())
}

fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DownloadError {
    let path = path.to_owned();
    move |source| DownloadError::Disk { action, path, source }
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;

//! How kab stood against a server whose answers are known: one finding a
//! property, and the highest load that it keeps.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::folder::{FolderError, replace};
use crate::record::HostRecord;

/// A calibration, as `kab calibrate` keeps it and reports cite it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Calibration {
    /// Version of the kab that was calibrated.
    pub kab_version: String,
    /// Whether that kab was built with optimisation: one that was not is slower.
    pub optimised: bool,
    /// When, in UTC.
    #[schemars(with = "String")]
    pub at: jiff::Timestamp,
    /// Whether it was the short one.
    pub quick: bool,
    /// The machine.
    pub host: HostRecord,
    /// What was found, a property each.
    pub findings: Vec<Finding>,
    /// The highest load that was kept; none if it was not looked for, or none
    /// was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
}

/// What was found about one property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which property.
    pub property: String,
    /// What the server was told to do, and the load.
    pub set: String,
    /// What must therefore be measured.
    pub truth: String,
    /// What was measured.
    pub observed: String,
    /// What difference is let pass, and why that much.
    pub tolerance: String,
    /// The conclusion.
    pub status: Status,
    /// What speaks against the property; empty if it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

/// A conclusion about a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// The machine was not good enough to say.
    Invalid,
}

/// The highest load that was kept on a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ceiling {
    /// The highest rate tried at which lateness and achieved rate held, in
    /// operations a second.
    pub per_second: f64,
    /// The lowest rate tried above it at which they did not; none if they held
    /// at every rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<f64>,
    /// Operations for each second of processor time of kab alone, at
    /// `per_second`.
    pub per_core_second: f64,
    /// Over which transport.
    pub transport: String,
}

impl Calibration {
    /// Names of the properties with `status`.
    pub fn with(&self, status: Status) -> Vec<&str> {
        let these = self.findings.iter().filter(|finding| finding.status == status);
        these.map(|finding| finding.property.as_str()).collect()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
        })
    }
}

impl Calibration {
    /// Whether it speaks for a kab of this version, built like this one, on
    /// this machine. Memory and file systems have no part in it.
    pub fn is_of(&self, kab_version: &str, optimised: bool, host: &HostRecord) -> bool {
        let machine = |host: &HostRecord| (host.cores, host.cpu.clone(), host.kernel.clone());
        self.kab_version == kab_version
            && self.optimised == optimised
            && machine(&self.host) == machine(host)
    }

    /// Writes it into `folder`, beside those before it.
    ///
    /// # Errors
    /// If the folder cannot be made, or the file not be written.
    pub fn keep(&self, folder: &Path) -> Result<PathBuf, FolderError> {
        let failed = |source| FolderError::Io {
            action: "making the folder of calibrations",
            path: folder.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join(format!("{}.json", self.at.strftime("%Y%m%dT%H%M%S%3fZ")));
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|source| FolderError::Malformed { path: path.clone(), source })?;
        text.push(b'\n');
        replace(&path, &text)?;
        Ok(path)
    }

    /// The latest one in `folder` that satisfies `which`. Files that are no
    /// calibrations are passed over: a newer kab may have written them.
    pub fn latest(folder: &Path, which: impl Fn(&Self) -> bool) -> Option<Self> {
        let read = |path: PathBuf| serde_json::from_slice::<Self>(&fs::read(path).ok()?).ok();
        let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
        // A full one says more than a quick one, though it is older.
        files.filter_map(read).filter(which).max_by_key(|found| (!found.quick, found.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(at: &str, kab_version: &str, cores: u32) -> Calibration {
        Calibration {
            kab_version: kab_version.into(),
            optimised: true,
            at: at.parse().unwrap(),
            quick: false,
            host: HostRecord { cores, ..HostRecord::default() },
            findings: Vec::new(),
            ceiling: None,
        }
    }

    #[test]
    fn the_latest_of_this_kab_and_machine_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("calibrations");
        let host = HostRecord { cores: 2, memory_bytes: 7, ..HostRecord::default() };
        let latest = || Calibration::latest(&folder, |c| c.is_of("1.0.0", true, &host));
        assert_eq!(latest(), None);
        let wanted = calibration("2026-11-22T10:00:00Z", "1.0.0", 2);
        wanted.keep(&folder).unwrap();
        calibration("2026-11-21T10:00:00Z", "1.0.0", 2).keep(&folder).unwrap();
        calibration("2026-11-23T10:00:00Z", "0.9.0", 2).keep(&folder).unwrap();
        calibration("2026-11-24T10:00:00Z", "1.0.0", 4).keep(&folder).unwrap();
        fs::write(folder.join("other.json"), "{}").unwrap();
        assert_eq!(latest(), Some(wanted));
        assert_eq!(Calibration::latest(&folder, |c| c.is_of("1.0.0", false, &host)), None);
    }
}

//! Building programs with Go: the last resort, which needs no release files,
//! only Go modules.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::known::hex;
use super::pins::KUBERNETES_VERSION;
use super::probe::series;
use crate::process::{ChildSpec, Ended, ProcessError, Supervisor};
use crate::progress::Progress;

/// A Go module that kab carries, and what is made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct GoModule {
    /// Its folder in kab's sources, and what its program is called.
    pub(super) name: &'static str,
    /// What it is, in a sentence.
    pub(super) what: &'static str,
    /// How long it takes, in a sentence.
    pub(super) takes: &'static str,
    pub(super) main_go: &'static str,
    pub(super) go_mod: &'static str,
    pub(super) go_sum: &'static str,
}

/// etcd and Kubernetes in one program.
pub(super) const CONTROL_PLANE: GoModule = GoModule {
    name: "controlplane",
    what: "etcd, kube-apiserver and kube-controller-manager",
    takes: "about 6 to 10 minutes cold on two cores, seconds when Go's cache is warm",
    main_go: include_str!("../../../../controlplane/main.go"),
    go_mod: include_str!("../../../../controlplane/go.mod"),
    go_sum: include_str!("../../../../controlplane/go.sum"),
};

/// The flags with which Kubernetes' programs are told their version.
pub(super) fn control_plane_flags() -> String {
    let said_version = "k8s.io/component-base/version.git";
    let (major, minor) = series(KUBERNETES_VERSION).split_once('.').unwrap_or(("1", "0"));
    format!(
        "-s -w -X {said_version}Version={KUBERNETES_VERSION} -X {said_version}Major={major} \
         -X {said_version}Minor={minor}"
    )
}

/// How often the build says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The build did not work out.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no Go.
    #[error("there is no Go on PATH")]
    NoGo,
    /// The sources could not be written.
    #[error("writing the sources to {}: {source}", folder.display())]
    Sources {
        /// Where.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Go could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Go failed.
    #[error("`go {command}` ended with {how}:\n  {}", log_tail.join("\n  "))]
    Failed {
        /// What it was to do.
        command: String,
        /// How it ended.
        how: String,
        /// The last lines of what it printed.
        log_tail: Vec<String>,
    },
}

impl GoModule {
    /// What the built program is called in the cache: it changes with its sources.
    pub(super) fn cache_name(&self) -> String {
        let sources = Sha256::new()
            .chain_update(self.main_go)
            .chain_update(self.go_mod)
            .chain_update(self.go_sum)
            .finalize();
        format!("{}-{}", self.name, &hex(&sources)[..12])
    }
}

/// The program `go` on `search_path`, if there is one.
pub(super) fn go_on(search_path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(search_path)
        .map(|folder| folder.join("go"))
        .find(|go| super::probe::is_executable(go))
}

/// Builds the program of `module` with the linker's flags `ldflags` in `folder`,
/// which is empty. Gives the program and a sentence on how it was built.
pub(super) fn build(
    module: GoModule,
    ldflags: &str,
    go: &Path,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(PathBuf, String), BuildError> {
    let GoModule { name: program, what, takes, main_go, go_mod, go_sum } = module;
    for (name, text) in [("main.go", main_go), ("go.mod", go_mod), ("go.sum", go_sum)] {
        fs::write(folder.join(name), text)
            .map_err(|source| BuildError::Sources { folder: folder.to_owned(), source })?;
    }
    let supervisor = Supervisor::new()?;
    let run = |args: &[&str]| -> Result<Vec<String>, BuildError> {
        let log = folder.join(format!("go-{}.log", args[0]));
        let spec = ChildSpec::new("go", go, log).args(args).dir(folder);
        // A workspace or flags of the user's own would build something else.
        let spec = spec.env("CGO_ENABLED", "0").env("GOFLAGS", "").env("GOWORK", "off");
        let child = supervisor.spawn(spec)?;
        let ended = child_end(&child, |elapsed| {
            progress.say(&format!("building {what} with Go: {elapsed} s so far ({takes})"));
        });
        if ended.success() {
            return Ok(ended.log_tail);
        }
        let (command, how) = (args.join(" "), ended.to_string());
        Err(BuildError::Failed { command, how, log_tail: ended.log_tail })
    };

    // In the module's folder, because its go.mod may choose a newer toolchain.
    let version = run(&["env", "GOVERSION"])?.pop().unwrap_or_default();
    progress.say(&format!("building {what} with {version}: {takes}"));
    // The same flags everywhere: Go's build cache then serves every build.
    run(&["build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", program, "."])?;
    Ok((folder.join(program), format!("built from {program}/ with {version}")))
}

/// Waits for `child` to end, and calls `alive` with the seconds so far at
/// every heartbeat.
fn child_end(child: &crate::process::Child, alive: impl Fn(u64)) -> Ended {
    let mut elapsed = 0;
    loop {
        if let Some(ended) = child.wait_blocking(HEARTBEAT) {
            return ended;
        }
        elapsed += HEARTBEAT.as_secs();
        alive(elapsed);
    }
}

//! The search, step by step.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, io};

use super::build::{self, BuildError, CONTROL_PLANE};
use super::cache::{Cache, Filling, Label};
use super::download::{Patience, Wanted, download, unpack};
use super::pins::{ARCH, Pin, pin};
use super::probe::{self, Unusable, is_executable, series};
use super::{Asset, Assets, Component, default_cache};
use crate::progress::Progress;

/// Where to look.
#[derive(Debug, Clone)]
pub struct Finder {
    /// Looked in first: folders with the programs, or programs themselves. A
    /// program whose name is not a component's must serve as all of them.
    pub given: Vec<PathBuf>,
    /// The folder of `KUBEBUILDER_ASSETS`.
    pub kubebuilder_assets: Option<PathBuf>,
    /// Folders, as in `PATH`; also where Go is looked for.
    pub search_path: OsString,
    /// Where programs are kept that were downloaded or built.
    pub cache: PathBuf,
    /// Where to download from.
    pub mirrors: Mirrors,
    /// How to wait for a server.
    pub patience: Patience,
}

/// Base addresses of downloads; none to download nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrors {
    /// Serves `v1.36.3/bin/linux/amd64/kube-apiserver`.
    pub kubernetes: Option<String>,
    /// Serves `v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz`.
    pub etcd: Option<String>,
}

impl Mirrors {
    /// No downloads at all.
    pub const NONE: Self = Self { kubernetes: None, etcd: None };

    /// `$KAB_MIRROR_KUBERNETES` and `$KAB_MIRROR_ETCD`, else the official
    /// ones; `none` in either to download nothing from there.
    pub fn from_env() -> Self {
        let mirror = |name, official: &str| match env::var(name) {
            Ok(none) if none == "none" => None,
            Ok(base) if !base.is_empty() => Some(base),
            _ => Some(official.to_owned()),
        };
        Self {
            kubernetes: mirror("KAB_MIRROR_KUBERNETES", "https://dl.k8s.io"),
            etcd: mirror("KAB_MIRROR_ETCD", "https://github.com/etcd-io/etcd/releases/download"),
        }
    }

    fn base(&self, component: Component) -> Option<&str> {
        match component {
            Component::Etcd => self.etcd.as_deref(),
            Component::Apiserver | Component::ControllerManager => self.kubernetes.as_deref(),
        }
    }
}

/// The control plane's programs could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// A path that the user gave is of no use.
    #[error("{} cannot be used as {component}: {why}", path.display())]
    Given {
        /// The path.
        path: PathBuf,
        /// As what.
        component: Component,
        /// Why not.
        why: String,
    },
    /// There is no home folder, and nothing that stands for it.
    #[error(
        "there is no place for a cache: set KAB_CACHE to a folder (neither it nor HOME is set)"
    )]
    NoCache,
    /// The cache could not be written.
    #[error("using the cache {}: {source}; set KAB_CACHE to a folder with 500 MB free", cache.display())]
    Cache {
        /// The cache.
        cache: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing worked.
    #[error(
        "no {component} could be had.\n  download: {download}\n  build: {build}\nDo one of these:\n  \
         - install Go 1.26 or later (https://go.dev/dl) and run the same again;\n  \
         - set KUBEBUILDER_ASSETS to a folder that holds etcd and kube-apiserver;\n  \
         - set KAB_MIRROR_KUBERNETES and KAB_MIRROR_ETCD to mirrors of https://dl.k8s.io and of\n    \
         https://github.com/etcd-io/etcd/releases/download that this machine can reach."
    )]
    Nowhere {
        /// What was wanted.
        component: Component,
        /// Why it was not downloaded.
        download: String,
        /// Why it was not built.
        build: BuildError,
    },
}

impl Finder {
    /// Looks in `given` first, and then where the environment says.
    pub fn from_env(given: Vec<PathBuf>) -> Result<Self, AssetError> {
        Ok(Self {
            given,
            kubebuilder_assets: env::var_os("KUBEBUILDER_ASSETS")
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from),
            search_path: env::var_os("PATH").unwrap_or_default(),
            cache: default_cache().ok_or(AssetError::NoCache)?,
            mirrors: Mirrors::from_env(),
            patience: Patience::default(),
        })
    }

    /// Finds, downloads or builds the programs of a lab. Takes milliseconds
    /// if they are there, minutes if they have to be made; blocks the thread.
    pub fn find(
        &self,
        controller_manager: bool,
        progress: &dyn Progress,
    ) -> Result<Assets, AssetError> {
        let find = |component| {
            Search {
                finder: self,
                cache: Cache::new(&self.cache),
                component,
                pin: pin(component, ARCH),
                progress,
            }
            .run()
        };
        Ok(Assets {
            etcd: find(Component::Etcd)?,
            apiserver: find(Component::Apiserver)?,
            controller_manager: controller_manager
                .then(|| find(Component::ControllerManager))
                .transpose()?,
        })
    }
}

/// The search for one component.
struct Search<'a> {
    finder: &'a Finder,
    cache: Cache,
    component: Component,
    /// The release file, if one is pinned.
    pin: Option<Pin>,
    progress: &'a dyn Progress,
}

impl Search<'_> {
    fn run(&self) -> Result<Asset, AssetError> {
        if let Some(asset) = self.given()? {
            return Ok(asset);
        }
        if let Some(asset) = self.installed().or_else(|| self.cached()) {
            return Ok(asset);
        }
        let failed = |source| AssetError::Cache { cache: self.finder.cache.clone(), source };
        let filling = self.cache.fill(self.progress).map_err(failed)?;
        // Somebody else may have filled it while this one waited.
        if let Some(asset) = self.cached() {
            return Ok(asset);
        }
        let download = match self.download(&filling) {
            Ok(asset) => return Ok(asset),
            Err(why) => why,
        };
        self.progress.say(&format!("{download}; building it instead"));
        self.build(&filling).map_err(|build| AssetError::Nowhere {
            component: self.component,
            download,
            build,
        })
    }

    /// What the user names must be used, or be an error.
    fn given(&self) -> Result<Option<Asset>, AssetError> {
        for path in &self.finder.given {
            let error = |why: String| AssetError::Given {
                path: path.clone(),
                component: self.component,
                why,
            };
            if !path.exists() {
                return Err(error("it does not exist".into()));
            }
            let file = if path.is_dir() { path.join(self.component.name()) } else { path.clone() };
            let named = file.file_name().and_then(|name| Component::named(name.to_str()?));
            if !file.exists() || named.is_some_and(|named| named != self.component) {
                continue;
            }
            if !is_executable(&file) {
                return Err(error("it is not an executable file".into()));
            }
            let leading = if named.is_some() { vec![] } else { vec![self.component.name().into()] };
            let asset = self.asset(file, leading, "given by the user".into());
            return asset.map(Some).map_err(|why| error(why.to_string()));
        }
        if !self.finder.given.is_empty() {
            let text = format!("{} is not among the given paths; looking further", self.component);
            self.progress.say(&text);
        }
        Ok(None)
    }

    /// In `KUBEBUILDER_ASSETS`, then on `PATH`.
    fn installed(&self) -> Option<Asset> {
        let kubebuilder = self.finder.kubebuilder_assets.clone();
        let kubebuilder = kubebuilder.into_iter().map(|folder| (folder, "KUBEBUILDER_ASSETS"));
        let path = env::split_paths(&self.finder.search_path).map(|folder| (folder, "PATH"));
        kubebuilder.chain(path).find_map(|(folder, place)| {
            let file = folder.join(self.component.name());
            if !file.exists() {
                return None;
            }
            let passed_over = |why: &str| {
                let file = file.display();
                self.progress.say(&format!("passing over {file} (on {place}): {why}"));
            };
            if !is_executable(&file) {
                passed_over("it is not an executable file");
                return None;
            }
            match self.asset(file.clone(), vec![], format!("found on {place}")) {
                Ok(asset) => Some(asset),
                Err(why) => {
                    passed_over(&why.to_string());
                    None
                }
            }
        })
    }

    fn cached(&self) -> Option<Asset> {
        let downloaded = self.cache.get(self.component.name(), self.progress);
        if let Some((program, label)) = downloaded {
            return self.labelled(program, vec![], label);
        }
        let (program, label) = self.cache.get(&CONTROL_PLANE.cache_name(), self.progress)?;
        self.labelled(program, vec![self.component.name().into()], label)
    }

    fn labelled(&self, program: PathBuf, leading: Vec<String>, label: Label) -> Option<Asset> {
        let shown = program.display().to_string();
        self.asset(program, leading, format!("{} (cached)", label.origin))
            .inspect_err(|why| self.progress.say(&format!("passing over {shown}: {why}")))
            .ok()
    }

    /// The reason if it cannot be downloaded, in a sentence.
    fn download(&self, filling: &Filling<'_>) -> Result<Asset, String> {
        let component = self.component;
        let Some(base) = self.finder.mirrors.base(component) else {
            return Err(format!("downloading {component} is switched off"));
        };
        let Some(pin) = &self.pin else {
            return Err(format!("there is no pinned digest of {component} for {ARCH}"));
        };
        let url = format!("{}/{}", base.trim_end_matches('/'), pin.path);
        self.progress.say(&format!("downloading {url}"));
        let partial = filling.partial(&pin.sha256);
        let wanted =
            Wanted { what: component.name(), url: &url, sha256: &pin.sha256, partial: &partial };
        download(wanted, self.finder.patience, self.progress).map_err(|e| e.to_string())?;
        self.unpacked(filling, &url, &partial, pin.member.as_deref()).map_err(|e| e.to_string())
    }

    fn unpacked(
        &self,
        filling: &Filling<'_>,
        url: &str,
        partial: &Path,
        member: Option<&str>,
    ) -> Result<Asset, Box<dyn std::error::Error>> {
        let workshop = filling.workshop()?;
        let program = workshop.path().join(self.component.name());
        match member {
            Some(member) => {
                unpack(partial, url, member, &program)?;
                std::fs::remove_file(partial)?;
            }
            None => std::fs::rename(partial, &program)?,
        }
        make_executable(&program)?;
        probe::version(&program, &[], self.component)?;
        let origin = format!("downloaded from {url}");
        let (program, label) = filling.put(self.component.name(), &program, origin)?;
        Ok(self.asset(program, vec![], label.origin)?)
    }

    fn build(&self, filling: &Filling<'_>) -> Result<Asset, BuildError> {
        let go = build::go_on(&self.finder.search_path).ok_or(BuildError::NoGo)?;
        let sources = |source| BuildError::Sources { folder: self.finder.cache.clone(), source };
        let workshop = filling.workshop().map_err(sources)?;
        let (program, origin) = build::build(
            CONTROL_PLANE,
            &build::control_plane_flags(),
            &go,
            workshop.path(),
            self.progress,
        )?;
        let leading = vec![self.component.name().to_owned()];
        let useless = |why: Unusable| BuildError::Failed {
            command: "build".into(),
            how: "a program that does not work".into(),
            log_tail: vec![why.to_string()],
        };
        probe::version(&program, &leading, self.component).map_err(useless)?;
        let (program, label) =
            filling.put(&CONTROL_PLANE.cache_name(), &program, origin).map_err(sources)?;
        self.asset(program, leading, label.origin).map_err(useless)
    }

    /// Asks `program` what it is, and says where it was found.
    fn asset(
        &self,
        program: PathBuf,
        leading_args: Vec<String>,
        origin: String,
    ) -> Result<Asset, Unusable> {
        let (component, memory) = (self.component, self.cache.memory());
        let program = program.canonicalize()?;
        let version = memory.version(&program, component.name(), || {
            probe::version(&program, &leading_args, component)
        })?;
        let sha256 = memory.sha256(&program)?;
        let made_for = component.version();
        let other = if series(&version) == series(made_for) {
            String::new()
        } else {
            format!("; kab is made for {made_for}, and uses this one as it is")
        };
        self.progress
            .say(&format!("{component} {version}: {origin}, {}{other}", program.display()));
        Ok(Asset { name: component.name().into(), program, leading_args, version, origin, sha256 })
    }
}

pub(super) fn make_executable(file: &Path) -> io::Result<()> {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
#[path = "finder_tests.rs"]
mod tests;

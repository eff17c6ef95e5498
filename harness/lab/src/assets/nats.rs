//! Finding nats-server, or building it.

use std::path::{Path, PathBuf};

use super::Asset;
use super::build::{BuildError, GoModule, build, go_on};
use super::cache::{Cache, Label};
use super::finder::make_executable;
use super::probe::{Unusable, is_executable, said};
use super::servers::{ServerError, ServerFinder};
use crate::progress::Progress;

/// Version of nats-server that kab is made for.
pub const NATS_VERSION: &str = "v2.15.2";

const NAME: &str = "nats-server";

/// nats-server, at its pinned version.
const BROKER: GoModule = GoModule {
    name: "broker",
    what: NAME,
    takes: "about a minute cold on two cores",
    main_go: include_str!("../../../../broker/main.go"),
    go_mod: include_str!("../../../../broker/go.mod"),
    go_sum: include_str!("../../../../broker/go.sum"),
};

pub(super) fn find(finder: &ServerFinder, progress: &dyn Progress) -> Result<Asset, ServerError> {
    let cache = Cache::of(&finder.cache, &format!("nats-{NATS_VERSION}"));
    if let Some(path) = &finder.nats_server {
        let given = |why: Unusable| ServerError::Given {
            variable: "KAB_NATS_SERVER",
            path: path.clone(),
            why: why.to_string(),
        };
        return asset(&cache, path, "given by the user".into(), progress).map_err(given);
    }
    for folder in std::env::split_paths(&finder.search_path) {
        let file = folder.join(NAME);
        if !is_executable(&file) {
            continue;
        }
        match asset(&cache, &file, "found on PATH".into(), progress) {
            Ok(asset) => return Ok(asset),
            Err(why) => progress.say(&format!("passing over {}: {why}", file.display())),
        }
    }
    if let Some(asset) = cached(&cache, progress) {
        return Ok(asset);
    }
    let filling = cache
        .fill(progress)
        .map_err(|source| ServerError::Unwritable { cache: finder.cache.clone(), source })?;
    // Somebody else may have filled it while this one waited.
    if let Some(asset) = cached(&cache, progress) {
        return Ok(asset);
    }
    let built = || -> Result<(PathBuf, Label), BuildError> {
        let go = go_on(&finder.search_path).ok_or(BuildError::NoGo)?;
        let sources = |source| BuildError::Sources { folder: finder.cache.clone(), source };
        let workshop = filling.workshop().map_err(sources)?;
        let (program, origin) = build(BROKER, "-s -w", &go, workshop.path(), progress)?;
        make_executable(&program).map_err(sources)?;
        filling.put(&BROKER.cache_name(), &program, origin).map_err(sources)
    };
    let (program, label) = built().map_err(|build| ServerError::NoNats { build })?;
    asset(&cache, &program, label.origin, progress).map_err(|why| ServerError::NoNats {
        build: BuildError::Failed {
            command: "build".into(),
            how: "a program that does not work".into(),
            log_tail: vec![why.to_string()],
        },
    })
}

fn cached(cache: &Cache, progress: &dyn Progress) -> Option<Asset> {
    let (program, label) = cache.get(&BROKER.cache_name(), progress)?;
    asset(cache, &program, format!("{} (cached)", label.origin), progress)
        .inspect_err(|why| progress.say(&format!("passing over {}: {why}", program.display())))
        .ok()
}

fn asset(
    cache: &Cache,
    program: &Path,
    origin: String,
    progress: &dyn Progress,
) -> Result<Asset, Unusable> {
    let program = program.canonicalize()?;
    let memory = cache.memory();
    let version = memory.version(&program, NAME, || said(NAME, &program, &[], parse))?;
    let sha256 = memory.sha256(&program)?;
    progress.say(&format!("{NAME} {version}: {origin}, {}", program.display()));
    Ok(Asset { name: NAME.into(), program, leading_args: vec![], version, origin, sha256 })
}

fn parse(line: &str) -> Option<String> {
    let version = line.strip_prefix("nats-server: v")?.trim();
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("v{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_pins_the_same_version() {
        let required = format!("github.com/nats-io/nats-server/v2 {NATS_VERSION}\n");
        assert!(BROKER.go_mod.contains(&required));
    }

    #[test]
    fn reads_what_it_prints() {
        assert_eq!(parse("nats-server: v2.15.2").unwrap(), "v2.15.2");
        assert_eq!(parse("postgres (PostgreSQL) 18.6"), None);
    }
}

//! `kab assets`: where the control plane's programs come from.

use kab_lab::assets::Finder;

use super::print;
use crate::args::AssetArgs;
use crate::exit::{Exit, Failure, OrExit};
use crate::progress::Teller;

pub fn run(args: &AssetArgs) -> Result<Exit, Failure> {
    let found = finder(args)?.find(true, &Teller::new()).or_exit(Exit::Environment)?;
    for asset in found.all() {
        let mut command = vec![asset.program.display().to_string()];
        command.extend(asset.leading_args.iter().cloned());
        print(&format!(
            "{} {}: {}\n  {}\n  sha256 {}",
            asset.name,
            asset.version,
            asset.origin,
            command.join(" "),
            asset.sha256
        ))?;
    }
    Ok(Exit::AsExpected)
}

/// Where to look, as the command line and the environment say.
pub fn finder(args: &AssetArgs) -> Result<Finder, Failure> {
    Finder::from_env(args.dir.clone().into_iter().collect()).or_exit(Exit::Environment)
}

//! What a scenario does to the processes of a system that is in place: they are
//! found by name, and started again.

use std::time::Duration;

use kab_evidence::process::kind_of;
use kab_lab::process::{Child, Supervisor};

use super::process::{config_file, start};
use super::{DeployError, DeploySpec};

/// How long an app may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(5);

/// Where the process called `name`, without the instance's prefix, stands among
/// `children`.
pub(crate) fn place_of(spec: &DeploySpec, children: &[Child], name: &str) -> Option<usize> {
    let is_it = |child: &Child| child.name().strip_prefix(&*spec.prefix) == Some(name);
    children.iter().position(is_it)
}

/// Starts the process called `name` again: the same app with the same
/// configuration, at the same address. What still runs of it is ended in order
/// before. When this returns, it is ready.
pub(crate) async fn restart(
    spec: &DeploySpec,
    children: &mut [Child],
    supervisor: &Supervisor,
    name: &str,
) -> Result<(), DeployError> {
    let known = place_of(spec, children, name).zip(kind_of(name));
    let (place, app) = known.ok_or_else(|| DeployError::NoProcess(name.to_owned()))?;
    let file = config_file(spec, name);
    let read = std::fs::read(&file).and_then(|text| Ok(serde_json::from_slice(&text)?));
    let config: serde_json::Value =
        read.map_err(|source| DeployError::File { action: "reading", path: file, source })?;
    children[place].stop(GRACE).await;
    let running = start(spec, supervisor, app, name, &config).await?;
    children[place] = running.child;
    Ok(())
}

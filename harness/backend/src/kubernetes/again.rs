//! What a scenario does to the processes of a system that is in place, and as
//! whom it asks.

use std::path::PathBuf;

use kab_evidence::process::kind_of;
use kab_lab::process::{Child, Supervisor};

use super::{Deployed, GRACE};
use crate::deploy::DeployError;
use crate::deploy::process::{config_file, start};

impl Deployed {
    /// Starts the process called `name` again: the same app with the same
    /// configuration, at the same address. What still runs of it is ended in
    /// order before. When this returns, it is ready.
    ///
    /// # Errors
    /// If there was no such process, or it does not start.
    pub async fn restart(
        &mut self,
        supervisor: &Supervisor,
        name: &str,
    ) -> Result<(), DeployError> {
        let known = self.place_of(name).zip(kind_of(name));
        let (place, app) = known.ok_or_else(|| DeployError::NoProcess(name.to_owned()))?;
        let file = config_file(&self.spec, name);
        let read = std::fs::read(&file).and_then(|text| Ok(serde_json::from_slice(&text)?));
        let config: serde_json::Value = read.map_err(|source| DeployError::File {
            action: "reading",
            path: file,
            source,
        })?;
        self.children[place].stop(GRACE).await;
        let running = start(&self.spec, supervisor, app, name, &config).await?;
        self.children[place] = running.child;
        Ok(())
    }

    /// The processes, also those that have ended.
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// Where the process called `name`, without the instance's prefix, stands
    /// among them.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        let is_it = |child: &Child| child.name().strip_prefix(&*self.spec.prefix) == Some(name);
        self.children.iter().position(is_it)
    }

    /// Kubeconfig of the service account of `app`: `gateway` or `informer`.
    pub fn app_account(&self, app: &str) -> PathBuf {
        self.spec.work_dir.join(format!("{app}.kubeconfig"))
    }
}

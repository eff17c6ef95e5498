//! Waiting until a server says that it is ready.

use std::time::Duration;

use super::ServersError;
use crate::process::{Child, Lines};

/// How long a server may take to become ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives every line that `child` prints to `heard` until that says it is the
/// last one wanted. The lines go on to be read, into the log.
pub(super) async fn ready(
    child: &Child,
    mut heard: impl FnMut(&str) -> bool,
) -> Result<(), ServersError> {
    let said = async {
        let mut lines: Lines = child.take_lines()?;
        while let Some(line) = lines.recv().await {
            if heard(&line) {
                return Some(());
            }
        }
        // It prints no more: it has ended, or is about to.
        None
    };
    match tokio::time::timeout(PATIENCE, said).await {
        Ok(Some(())) => Ok(()),
        Ok(None) => {
            let (name, log) = (child.name().to_owned(), child.log().to_owned());
            Err(ServersError::Died { name, ended: child.ended().await, log })
        }
        Err(_) => {
            child.kill();
            let (name, log) = (child.name().to_owned(), child.log().to_owned());
            Err(ServersError::NotReady { name, after: PATIENCE, log })
        }
    }
}

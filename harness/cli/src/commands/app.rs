//! `kab app`: be one process of the system under test, or the server that
//! stands in for it when kab itself is on trial.

use std::path::Path;

use super::block_on;
use crate::exit::{Exit, Failure, OrExit};

pub fn run(name: &str, config: &Path) -> Result<Exit, Failure> {
    if name == "null" {
        kab_calibrate::server::run(config).or_exit(Exit::Environment)?;
        return Ok(Exit::AsExpected);
    }
    block_on(async { kab_backend::app::run(name, config).await.or_exit(Exit::Environment) })?;
    Ok(Exit::AsExpected)
}

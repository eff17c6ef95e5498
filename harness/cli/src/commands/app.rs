//! `kab app`: be one process of the system under test.

use std::path::Path;

use super::block_on;
use crate::exit::{Exit, Failure, OrExit};

pub fn run(name: &str, config: &Path) -> Result<Exit, Failure> {
    block_on(async { kab_backend::app::run(name, config).await.or_exit(Exit::Environment) })?;
    Ok(Exit::AsExpected)
}

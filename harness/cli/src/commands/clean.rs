//! `kab clean`: remove what a killed kab left behind.

use kab_lab::keep::Labs;

use super::print;
use crate::exit::{Exit, Failure, OrExit};

pub fn run() -> Result<Exit, Failure> {
    let removed = Labs::from_env().and_then(|labs| labs.sweep()).or_exit(Exit::Environment)?;
    for lab in &removed {
        print(&format!("removed {}", lab.path.display()))?;
        for pid in &lab.killed {
            print(&format!("killed process {pid}, which belonged to it"))?;
        }
    }
    if removed.is_empty() {
        anstream::eprintln!("nothing to remove");
    }
    Ok(Exit::AsExpected)
}

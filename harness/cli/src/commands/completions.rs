//! `kab completions`: a completion script.

use clap::CommandFactory;

use crate::args::Cli;
use crate::exit::{Exit, Failure};

pub fn run(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    clap_complete::generate(shell, &mut Cli::command(), "kab", &mut std::io::stdout());
    Ok(Exit::AsExpected)
}

//! One file a command.

pub mod app;
pub mod assets;
pub mod bench;
pub mod calibrate;
pub mod clean;
pub mod compare;
pub mod completions;
pub mod lab;
pub mod list;
pub mod report;
pub mod resume;
pub mod run;
pub mod schema;
pub mod worker;

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::exit::{Exit, Failure, OrExit};

/// Runs `future` on a runtime that does not outlive it: work that blocks, such
/// as a download nobody waits for any more, is left behind.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_exit(Exit::Environment)?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(Duration::ZERO);
    result
}

/// Shows what is wrong with a scenario, on stderr.
fn show(problems: &kab_scenario::Problems) {
    anstream::eprint!("{}", problems.render(style()));
}

/// How problems are drawn here: box drawing and colours are for terminals.
fn style() -> kab_scenario::Style {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match (std::io::stderr().is_terminal(), plain) {
        (true, false) => kab_scenario::Style::Fancy,
        (true, true) => kab_scenario::Style::Monochrome,
        (false, _) => kab_scenario::Style::Plain,
    }
}

/// Prints a line on stdout; an error if it cannot be had, as on a full disk.
fn print(line: &str) -> Result<(), Failure> {
    writeln!(anstream::stdout(), "{line}")
        .map_err(|error| anyhow::anyhow!("writing to stdout: {error}"))
        .or_exit(Exit::Environment)
}

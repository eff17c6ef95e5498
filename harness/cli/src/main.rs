//! kab: the command line, and nothing else.

mod args;
mod commands;
mod exit;
mod progress;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::{Exit, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(cli.verbose);
    match dispatch(cli.command) {
        Ok(exit) => exit.into(),
        Err(Failure { exit, error }) => {
            anstream::eprintln!("kab: {error}");
            exit.into()
        }
    }
}

fn dispatch(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => commands::list::run(&args),
        Command::Run(args) => commands::run::run(&args),
        Command::Resume(args) => commands::resume::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Up(args) => commands::lab::up(&args),
        Command::Hold(args) => commands::lab::hold(&args),
        Command::Down(args) => commands::lab::down(&args),
        Command::Clean => commands::clean::run(),
        Command::Calibrate(args) => commands::calibrate::run(&args),
        Command::Assets(args) => commands::assets::run(&args),
        Command::Schema { of } => commands::schema::run(of),
        Command::Completions { shell } => commands::completions::run(shell),
        Command::App { name, config } => commands::app::run(&name, &config),
        Command::Worker => commands::worker::run(),
        Command::Bench(args) => commands::bench::run(&args),
        Command::BenchWorker { config } => commands::bench::worker(&config),
    }
}

/// Logs to stderr: warnings, more with `-v`, or as `RUST_LOG` says.
fn log(verbose: u8) {
    let default = ["warn", "info", "debug"][usize::from(verbose.min(2))];
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}

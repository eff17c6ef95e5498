//! The null server as a process of its own: `kab-null CONFIG`. For users `kab
//! app null --config CONFIG` is the same.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The last argument, so that the command line of `kab app null` fits too.
    let Some(config) = std::env::args_os().nth(1).and(std::env::args_os().last()) else {
        return fail("the configuration, a JSON file, is to be the last argument");
    };
    match kab_calibrate::server::run(&PathBuf::from(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(why: &str) -> ExitCode {
    // Nothing is left to say it to, if this fails.
    let _ = writeln!(std::io::stderr(), "kab-null: {why}");
    ExitCode::FAILURE
}

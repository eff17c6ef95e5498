//! Runs one app of the reference system as a process, for this crate's tests:
//! `kab-app app NAME --config FILE`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["app", name, "--config", file] => {
            let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string());
            runtime.and_then(|runtime| {
                let app = kab_backend::app::run(name, Path::new(file));
                runtime.block_on(app).map_err(|e| e.to_string())
            })
        }
        _ => Err("usage: kab-app app NAME --config FILE".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}

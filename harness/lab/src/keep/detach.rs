//! Starting the process that holds a lab after its starter has ended.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{KeepError, failed};
use crate::process::{TAIL_LINES, log_tail};

/// A process of a session of its own, which outlives its starter.
#[derive(Debug)]
pub struct Keeper {
    /// Its process id.
    pub pid: u32,
    /// The first line that it printed, which says that the lab is ready.
    pub said: String,
}

/// Starts `program` in a session of its own, so that neither the end of its
/// starter nor that of the terminal ends it. Waits for the first line of its
/// stdout; its stderr goes to the file `log`. Blocks the thread.
pub fn start_keeper<I>(program: &Path, args: I, log: &Path) -> Result<Keeper, KeepError>
where
    I: IntoIterator<Item: AsRef<OsStr>>,
{
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).map_err(failed("making", folder))?;
    }
    let stderr = File::create(log).map_err(failed("making", log))?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    lead_a_session(&mut command);
    let mut child = command.spawn().map_err(failed("starting", program))?;
    let said = first_line(&mut child).map_err(failed("listening to", program))?;
    if let Some(said) = said {
        return Ok(Keeper { pid: child.id(), said });
    }
    let how = child.wait().map_err(failed("waiting for", program))?;
    Err(KeepError::Keeper { how: how.to_string(), log_tail: log_tail(log, TAIL_LINES) })
}

/// None if it closed its stdout without a line.
fn first_line(child: &mut Child) -> io::Result<Option<String>> {
    let Some(stdout) = child.stdout.take() else { return Ok(None) };
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((!line.is_empty()).then(|| line.trim_end().to_owned()))
}

#[allow(unsafe_code, reason = "what runs between fork and exec cannot be set safely")]
fn lead_a_session(command: &mut Command) {
    // SAFETY: between fork and exec only async-signal-safe calls are allowed;
    // this is a single system call, and allocates nothing.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?));
    }
}

//! The one thread that forks.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;
use std::{io, thread};

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

/// How often a program that is being written is tried again: for a second.
const BUSY_TRIES: u32 = 100;

/// How long after a try the next one follows.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// A thread that starts processes for others. It has to outlive them: the
/// kernel takes a process's parent to be the thread that forked it.
#[derive(Debug)]
pub(super) struct Spawner(Sender<Request>);

struct Request {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

impl Spawner {
    /// Starts the thread. It ends when the spawner is dropped.
    pub(super) fn start() -> io::Result<Self> {
        let (sender, requests) = channel();
        thread::Builder::new().name("kab-spawn".into()).spawn(move || serve(&requests))?;
        Ok(Self(sender))
    }

    /// Starts `command` as the leader of a process group of its own, which
    /// dies with kab.
    pub(super) fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts processes has ended");
        let (answer, answers) = sync_channel(1);
        self.0.send(Request { command, answer }).map_err(|_| gone())?;
        answers.recv().map_err(|_| gone())?
    }
}

fn serve(requests: &Receiver<Request>) {
    for Request { mut command, answer } in requests {
        bind_to_parent(&mut command);
        command.process_group(0);
        // Whoever asked waits for the answer.
        let _ = answer.send(spawn_when_free(&mut command));
    }
}

/// A program that was just written can be "busy": when another thread forks,
/// its child holds the file open for writing until it runs its own program.
fn spawn_when_free(command: &mut Command) -> io::Result<Child> {
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                thread::sleep(BUSY_PAUSE);
            }
            outcome => return outcome,
        }
    }
    command.spawn()
}

/// Has the kernel kill the process when the calling thread ends.
#[allow(unsafe_code, reason = "what runs between fork and exec cannot be set safely")]
fn bind_to_parent(command: &mut Command) {
    let parent = getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed.
    // `die_with` makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || die_with(parent));
    }
}

fn die_with(parent: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // If kab ended before the call above, nothing will send that signal.
    if getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
}

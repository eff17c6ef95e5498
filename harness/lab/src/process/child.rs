//! One child: its state, and the threads that look after it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Duration;
use std::{fmt, io, thread};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid,
};
use tokio::sync::{mpsc, watch};

use super::{ChildSpec, Death, ProcessError, Shared, TAIL_LINES, locked, log_tail};

/// How long the last lines of a dead child's stdout are waited for. They are
/// in the pipe already, unless another process holds it open.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// A child's lines, as it prints them.
pub type Lines = mpsc::UnboundedReceiver<String>;

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status, unless a signal ended it.
    pub status: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// CPU time that it used, user and system, all threads, in the kernel's
    /// clock ticks; none where the kernel does not say.
    pub cpu: Option<Duration>,
    /// The last lines of its log.
    pub log_tail: Vec<String>,
}

impl Ended {
    /// Whether it ended by itself, with status 0.
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, self.signal) {
            (Some(status), _) => write!(f, "exit status {status}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => f.write_str("unknown status"),
        }
    }
}

/// A child that was started. Clones are the same child; dropping them does
/// not stop it.
#[derive(Debug, Clone)]
pub struct Child(Arc<State>);

#[derive(Debug)]
pub(super) struct State {
    name: String,
    pid: Pid,
    log: PathBuf,
    lines: Mutex<Option<Lines>>,
    input: Mutex<Option<ChildStdin>>,
    phase: Mutex<Phase>,
    gone: Condvar,
    ended: watch::Sender<Option<Ended>>,
}

/// Signals are sent, and the child is reaped, under this lock only: so no
/// signal can hit a process that has got the pid since.
#[derive(Debug)]
struct Phase {
    ended: Option<Ended>,
    asked: bool,
    announced: bool,
}

impl State {
    /// Looks after a process that was just started.
    pub(super) fn adopt(
        mut process: std::process::Child,
        spec: ChildSpec,
        log: Option<File>,
        shared: &Arc<Shared>,
    ) -> Result<Child, ProcessError> {
        let (sender, lines) = mpsc::unbounded_channel();
        let child = Child(Arc::new(Self {
            name: spec.name,
            pid: Pid::from_child(&process),
            log: spec.log,
            lines: Mutex::new(spec.lines.map(|_| lines)),
            input: Mutex::new(process.stdin.take()),
            phase: Mutex::new(Phase { ended: None, asked: false, announced: spec.announced }),
            gone: Condvar::new(),
            ended: watch::Sender::new(None),
        }));
        let (drained, draining) = std_mpsc::channel();
        let look_after = || {
            let stdout = process.stdout.take().map(|stdout| Box::new(stdout) as Box<Printed>);
            let printed =
                stdout.or_else(|| process.stderr.take().map(|stderr| Box::new(stderr) as _));
            if let (Some(printed), Some(log)) = (printed, log) {
                thread::Builder::new()
                    .name("kab-lines".into())
                    .spawn(move || copy_lines(printed, log, &sender, drained))?;
            }
            let (child, shared) = (child.clone(), Arc::clone(shared));
            thread::Builder::new()
                .name("kab-wait".into())
                .spawn(move || child.look_after(&shared, &draining))
        };
        shared.add(child.clone());
        if let Err(source) = look_after() {
            child.kill();
            let _ = process.wait();
            shared.remove(child.pid());
            return Err(ProcessError::Thread(source));
        }
        Ok(child)
    }
}

impl Child {
    /// What it is.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its process id, which is its process group's id too.
    pub fn pid(&self) -> u32 {
        self.0.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The file that it prints into.
    pub fn log(&self) -> &Path {
        &self.0.log
    }

    /// Its lines from the first one on, once, if they were asked for by
    /// [`ChildSpec::lines`] or [`ChildSpec::lines_of_stderr`].
    pub fn take_lines(&self) -> Option<Lines> {
        locked(&self.0.lines).take()
    }

    /// Its stdin, once, if it was asked for by [`ChildSpec::input`]. Dropped, it
    /// is closed.
    pub fn take_input(&self) -> Option<ChildStdin> {
        locked(&self.0.input).take()
    }

    /// How it ended; none while it runs.
    pub fn has_ended(&self) -> Option<Ended> {
        locked(&self.0.phase).ended.clone()
    }

    /// Waits until it has ended.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.0.ended.subscribe();
        loop {
            if let Some(ended) = ended.borrow_and_update().clone() {
                return ended;
            }
            if ended.changed().await.is_err() {
                // Cannot happen: the sender is in `self`.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until it has ended, at most for `patience`, blocking the thread.
    pub fn wait_blocking(&self, patience: Duration) -> Option<Ended> {
        let phase = locked(&self.0.phase);
        let (phase, _) = self
            .0
            .gone
            .wait_timeout_while(phase, patience, |phase| phase.ended.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        phase.ended.clone()
    }

    /// From now on its death is told to all listeners, as that of other
    /// children is; at once, if it is dead already.
    pub fn announce(&self, supervisor: &super::Supervisor) {
        let mut phase = locked(&self.0.phase);
        let news = !phase.announced && !phase.asked;
        phase.announced = true;
        if let (true, Some(ended)) = (news, &phase.ended) {
            supervisor.shared.announce(&self.death(ended));
        }
    }

    /// Sends a signal to it and its helpers. Its end, should it follow, counts
    /// as a death that nobody asked for: this is what faults are made of.
    /// Nothing happens if it has ended.
    pub fn signal(&self, signal: Signal) {
        self.send(&locked(&self.0.phase), signal);
    }

    /// Has it and its helpers stand still, until [`Self::go_on`].
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Has it and its helpers go on after [`Self::pause`].
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it and its helpers, without waiting.
    pub fn kill(&self) {
        let mut phase = locked(&self.0.phase);
        phase.asked = true;
        self.send(&phase, Signal::KILL);
    }

    /// Asks it to end by a signal of its own choice, without waiting: what
    /// follows is no death that nobody asked for.
    pub fn ask(&self, signal: Signal) {
        let mut phase = locked(&self.0.phase);
        phase.asked = true;
        self.send(&phase, signal);
        // A child that is paused sees the signal when it goes on.
        self.send(&phase, Signal::CONT);
    }

    /// Stops it: SIGTERM, then SIGKILL if it still runs after `grace`. With no
    /// grace, SIGKILL at once.
    pub async fn stop(&self, grace: Duration) -> Ended {
        self.stop_by(Signal::TERM, grace).await
    }

    /// The same, with `signal` in place of SIGTERM.
    pub async fn stop_by(&self, signal: Signal, grace: Duration) -> Ended {
        if !grace.is_zero() {
            self.ask(signal);
            if let Ok(ended) = tokio::time::timeout(grace, self.ended()).await {
                return ended;
            }
        }
        self.kill();
        self.ended().await
    }

    fn send(&self, phase: &Phase, signal: Signal) {
        if phase.ended.is_none() {
            // Fails only if the whole group is gone, which is what was wanted.
            let _ = kill_process_group(self.0.pid, signal);
        }
    }

    fn death(&self, ended: &Ended) -> Death {
        Death {
            name: self.0.name.clone(),
            pid: self.pid(),
            how: ended.to_string(),
            log_tail: ended.log_tail.clone(),
        }
    }

    /// Blocks until the process has ended, and tells everybody.
    fn look_after(&self, shared: &Shared, draining: &std_mpsc::Receiver<()>) {
        // It stays a zombie for now, so that its pid is not given to others.
        let _ = wait_for(self.0.pid, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        // Helpers that it left behind go with it.
        let _ = kill_process_group(self.0.pid, Signal::KILL);
        let _ = draining.recv_timeout(DRAIN_PATIENCE);
        let tail = log_tail(&self.0.log, TAIL_LINES);

        let cpu = cpu_of(self.0.pid);

        let mut phase = locked(&self.0.phase);
        let status = wait_for(self.0.pid, WaitIdOptions::EXITED).ok().flatten();
        let ended = Ended {
            status: status.as_ref().and_then(WaitIdStatus::exit_status),
            signal: status.as_ref().and_then(WaitIdStatus::terminating_signal),
            cpu,
            log_tail: tail,
        };
        tracing::debug!(name = self.0.name, pid = self.pid(), how = %ended, "child ended");
        phase.ended = Some(ended.clone());
        shared.remove(self.pid());
        if phase.announced && !phase.asked {
            shared.announce(&self.death(&ended));
        }
        drop(phase);
        self.0.gone.notify_all();
        self.0.ended.send_replace(Some(ended));
    }
}

fn wait_for(pid: Pid, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
    rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), options))
}

/// CPU time of a process, which a zombie still has.
fn cpu_of(pid: Pid) -> Option<Duration> {
    let stat = procfs::process::Process::new(pid.as_raw_nonzero().get()).ok()?.stat().ok()?;
    let per_second = procfs::ticks_per_second();
    Some(Duration::from_nanos((stat.utime + stat.stime) * (1_000_000_000 / per_second.max(1))))
}

/// What a child prints.
type Printed = dyn Read + Send;

/// Copies what is printed into the log and to whoever listens, line by line.
/// `drained` is dropped when no more can come.
fn copy_lines(
    printed: Box<Printed>,
    mut log: File,
    lines: &mpsc::UnboundedSender<String>,
    drained: std_mpsc::Sender<()>,
) {
    let mut printed = BufReader::new(printed);
    let mut line = Vec::new();
    loop {
        line.clear();
        match printed.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        }
        // A full disk must not stop the child, nor its lines.
        let _ = log.write_all(&line);
        let _ = lines.send(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
    drop(drained);
}

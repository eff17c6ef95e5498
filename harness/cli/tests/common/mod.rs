//! Runs the real kab and looks at what it leaves behind.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use kab_evidence::event::{Event, Happening};
use kab_evidence::folder::RunFolder;
use kab_evidence::record::RunRecord;
use rustix::process::{Pid, Signal, kill_process};

/// A place of its own for one test's runs. Its path is on the command line of
/// every process that kab starts there, which is how leftovers are found. Only
/// one test at a time has one: a port that a killed process gave back must not
/// be taken by another test's lab before it was looked at.
pub struct Place(tempfile::TempDir, #[allow(unused)] MutexGuard<'static, ()>);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Place {
    pub fn new() -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Self(tempfile::tempdir().unwrap(), turn)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn out(&self) -> PathBuf {
        self.0.path().join("run")
    }

    /// kab with state of its own, and the shared cache.
    pub fn kab(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kab"));
        command.args(args).env("KAB_STATE", self.path().join("state")).env("NO_COLOR", "1");
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        command.stdin(Stdio::null());
        command
    }

    pub fn output(&self, args: &[&str]) -> Output {
        self.kab(args).output().unwrap()
    }

    /// Starts a short quickstart, sets added.
    pub fn quickstart(&self, sets: &[&str]) -> Running {
        let out = self.out();
        let mut args = vec!["run", "quickstart", "--seed", "1", "--out", out.to_str().unwrap()];
        sets.iter().for_each(|set| args.extend(["--set", set]));
        Running::start(self.kab(&args))
    }

    pub fn record(&self) -> RunRecord {
        RunFolder::open(&self.out()).unwrap().read_record().unwrap()
    }

    pub fn events(&self) -> Vec<Event> {
        let folder = RunFolder::open(&self.out()).unwrap();
        kab_evidence::jsonl::read(&folder.events_path()).unwrap().values
    }

    /// Process id of the named part of the system, from the run's events.
    pub fn pid_of(&self, name: &str) -> u32 {
        let started = self.events().into_iter().find_map(|event| match event.what {
            Happening::ChildStarted { name: found, pid } if found.starts_with(name) => Some(pid),
            _ => None,
        });
        started.unwrap_or_else(|| panic!("no {name} was started"))
    }

    /// Command lines of processes that belong to this place.
    pub fn processes(&self) -> Vec<String> {
        let mark = self.path().to_str().unwrap();
        let commands = procfs::process::all_processes().unwrap().filter_map(|p| {
            let process = p.ok()?;
            let alive = process.stat().ok().is_some_and(|s| s.state != 'Z');
            Some(process.cmdline().ok()?.join(" ")).filter(|line| alive && line.contains(mark))
        });
        commands.collect()
    }

    /// Ports that processes of this place listen on.
    pub fn ports(&self) -> BTreeSet<u16> {
        let mark = self.path().to_str().unwrap();
        let mut inodes = BTreeSet::new();
        for process in procfs::process::all_processes().unwrap().filter_map(Result::ok) {
            let ours = process.cmdline().is_ok_and(|c| c.join(" ").contains(mark));
            if let (true, Ok(fds)) = (ours, process.fd()) {
                inodes.extend(fds.filter_map(Result::ok).filter_map(|fd| match fd.target {
                    procfs::process::FDTarget::Socket(inode) => Some(inode),
                    _ => None,
                }));
            }
        }
        let sockets = procfs::net::tcp().unwrap().into_iter();
        sockets
            .filter(|s| s.state == procfs::net::TcpState::Listen && inodes.contains(&s.inode))
            .map(|s| s.local_address.port())
            .collect()
    }

    /// What labs have on disk here, but for the lock that all of them share.
    pub fn lab_files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.path().join("state/labs")).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        files.filter(|path| path.file_name().unwrap() != ".lock").collect()
    }

    /// Nothing that ran here is left: no process, none of `ports`.
    pub fn assert_nothing_left(&self, ports: &BTreeSet<u16>) {
        let open = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
        let left = || -> (Vec<String>, Vec<u16>) {
            (self.processes(), ports.iter().copied().filter(open).collect())
        };
        // A killed process takes a moment to give back its memory, and then its
        // sockets: bounded retries, and the assertion below decides.
        for _ in 0..200 {
            if left() == (Vec::new(), Vec::new()) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(left(), (Vec::new(), Vec::new()));
    }
}

/// A kab under way.
pub struct Running {
    pub child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

/// How a kab ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits until kab has said `text`.
    pub fn await_line(&mut self, text: &str) {
        if !self.reaches(text) {
            panic!("kab ended without saying {text:?}; it said:\n{}", self.seen.join("\n"));
        }
    }

    /// Waits until kab has said `text`; false if it ended without.
    pub fn reaches(&mut self, text: &str) -> bool {
        while let Ok(line) = self.lines.recv() {
            let found = line.contains(text);
            self.seen.push(line);
            if found {
                return true;
            }
        }
        false
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.child.id(), signal);
    }

    pub fn end(mut self) -> Ended {
        let mut stdout = String::new();
        std::io::Read::read_to_string(&mut self.child.stdout.take().unwrap(), &mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        self.seen.extend(self.lines.iter());
        Ended { code, stdout, stderr: self.seen.join("\n") }
    }
}

pub fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

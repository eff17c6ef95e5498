//! The tools, and how each is told to do a task.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::stage::Site;
use crate::task::Task;
use crate::worker::WorkerConfig;

/// A tool in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// kab, over HTTP/2 on four connections.
    Kab,
    /// kab, over HTTP/1.1 on 32 connections.
    KabHttp1,
    /// nghttp2's load generator, over HTTP/2 on four connections.
    H2load,
    /// oha, over HTTP/1.1 on 32 connections.
    Oha,
    /// wrk, over HTTP/1.1 on 32 connections; it can only read here.
    Wrk,
    /// The program of client-go that creates Todos (`cgbench`).
    ClientGo,
}

/// Everyone, in the order of the first round.
pub const ALL: [Tool; 6] =
    [Tool::Kab, Tool::H2load, Tool::KabHttp1, Tool::Oha, Tool::Wrk, Tool::ClientGo];

/// How a tool is started.
#[derive(Debug, Clone)]
pub struct Start {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables of its environment.
    pub env: Vec<(&'static str, OsString)>,
}

impl Tool {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kab => "kab (h2)",
            Self::KabHttp1 => "kab (http/1.1)",
            Self::H2load => "h2load (h2)",
            Self::Oha => "oha (http/1.1)",
            Self::Wrk => "wrk (http/1.1)",
            Self::ClientGo => "client-go (h2)",
        }
    }

    /// The program's name; none for kab itself.
    const fn program(self) -> Option<&'static str> {
        match self {
            Self::Kab | Self::KabHttp1 => None,
            Self::H2load => Some("h2load"),
            Self::Oha => Some("oha"),
            Self::Wrk => Some("wrk"),
            Self::ClientGo => Some("cgbench"),
        }
    }

    /// Where it is, looked for in `folders`; kab is `own`.
    pub fn find(self, folders: &[PathBuf], own: &Path) -> Option<PathBuf> {
        let Some(name) = self.program() else { return Some(own.to_owned()) };
        folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }

    /// How it is told to do `task`; none if it cannot.
    pub fn start(self, program: PathBuf, task: Task, site: &Site, round: &Round) -> Option<Start> {
        let authorization = match &site.token {
            Some(token) => format!("Authorization: Bearer {token}"),
            // A header of a like length: nobody is to have less to send.
            None => format!("Authorization: Bearer {}", "t".repeat(900)),
        };
        let text = |parts: &[&str]| parts.iter().map(OsString::from).collect::<Vec<_>>();
        let start = |args| Some(Start { program: program.clone(), args, env: Vec::new() });
        match (self, task) {
            (Self::Kab | Self::KabHttp1, _) => {
                let http2 = self == Self::Kab;
                let config = WorkerConfig {
                    target: site.target.clone(),
                    task,
                    http2,
                    connections: if http2 { 4 } else { 32 },
                    seed: if task.creates() { round.seed } else { 0 },
                    ledger: round.dir.join("ops.jsonl"),
                };
                let file = round.dir.join("task.json");
                std::fs::write(&file, serde_json::to_vec(&config).ok()?).ok()?;
                start(vec!["bench-worker".into(), "--config".into(), file.into()])
            }
            (Self::H2load, Task::Create { count, in_flight }) => {
                let streams = (in_flight / 4).max(1).to_string();
                let mut args =
                    text(&["-H", &authorization, "-H", "Content-Type: application/json"]);
                args.extend(["-d".into(), site.body.clone().into()]);
                args.extend(text(&["-n", &count.to_string(), "-c", "4", "-m", &streams]));
                args.push(site.url.clone().into());
                start(args)
            }
            (Self::H2load, Task::Get { count, in_flight } | Task::NullGet { count, in_flight }) => {
                let streams = (in_flight / 4).max(1).to_string();
                let url = format!("{}/{}", site.url, round.known);
                let n = count.to_string();
                start(text(&["-H", &authorization, "-n", &n, "-c", "4", "-m", &streams, &url]))
            }
            (Self::Oha, _) => {
                let mut args = text(&["--no-tui", "--insecure", "--output-format", "json"]);
                args.extend(text(&["-H", &authorization]));
                let creates = task.creates();
                if creates {
                    args.extend(text(&["-m", "POST", "-T", "application/json", "-D"]));
                    args.push(site.body.clone().into());
                }
                match task {
                    Task::Create { count, in_flight }
                    | Task::Get { count, in_flight }
                    | Task::NullGet { count, in_flight } => {
                        args.extend(text(&[
                            "-n",
                            &count.to_string(),
                            "-c",
                            &in_flight.to_string(),
                        ]));
                    }
                    Task::Rate { per_second, seconds } => args.extend(text(&[
                        "-z",
                        &format!("{seconds}s"),
                        "-q",
                        &per_second.to_string(),
                        "-c",
                        "32",
                        "--latency-correction",
                    ])),
                }
                let url = if creates {
                    site.url.clone()
                } else {
                    format!("{}/{}", site.url, round.known)
                };
                args.push(url.into());
                start(args)
            }
            (Self::Wrk, Task::Get { in_flight, .. } | Task::NullGet { in_flight, .. }) => {
                let url = format!("{}/{}", site.url, round.known);
                let c = in_flight.to_string();
                start(text(&["-H", &authorization, "-t", "1", "-c", &c, "-d", "8s", &url]))
            }
            (Self::ClientGo, Task::Create { count, in_flight }) => {
                let (n, c) = (count.to_string(), in_flight.to_string());
                let args = text(&["create", "-n", &n, "-c", &c]);
                let env = vec![("KUBECONFIG", site.kubeconfig()?.into())];
                Some(Start { program, args, env })
            }
            (Self::ClientGo, Task::Rate { per_second, seconds }) => {
                let (rate, dur) = (per_second.to_string(), format!("{seconds}s"));
                let args = text(&["create", "-rate", &rate, "-dur", &dur]);
                let env = vec![("KUBECONFIG", site.kubeconfig()?.into())];
                Some(Start { program, args, env })
            }
            _ => None,
        }
    }
}

/// What differs from run to run.
#[derive(Debug, Clone)]
pub struct Round {
    /// A folder of its own.
    pub dir: PathBuf,
    /// Begins the names of what kab makes.
    pub seed: u64,
    /// The name of an entity that is there.
    pub known: String,
}

//! The command line's words.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kab_bench::task::Task;

/// Tests whether Kubernetes can be an application's backend, and reports what
/// it costs and where it breaks.
#[derive(Debug, Parser)]
#[command(
    name = "kab",
    version,
    after_help = "\
Examples:
  kab list
  kab run quickstart
  kab run quickstart --dry-run
  kab run quickstart --system naive,hardened,conventional
  kab run quickstart --set steps.write.load.rate=80/s --out reports/fast
  kab report reports/fast
  kab compare reports/slow reports/fast

Exit codes:
  0    every verdict was reached and is as the scenario expects
  1    a verdict differs from what the scenario expects
  2    bad usage, or a bad scenario
  3    inconclusive, or not good enough to judge
  4    the environment could not be brought up
  130  interrupted"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more (twice: much more) about what happens, on stderr.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What kab can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the scenarios.
    List(List),
    /// Run a scenario and report on it.
    Run(Run),
    /// Go on with a run that was killed, interrupted or given up.
    Resume(Resume),
    /// Judge and draw a past run again, offline.
    Report(Report),
    /// Compare two past runs, offline: what became slower or faster.
    Compare(Compare),
    /// Start a control plane and print its KUBECONFIG.
    Up(Up),
    /// Stop a control plane that `kab up` started.
    Down(Down),
    /// Remove what a killed kab left behind.
    Clean,
    /// Hold kab against a server whose answers are known, and find its ceiling.
    Calibrate(Calibrate),
    /// Show where etcd and kube-apiserver come from, getting them if need be.
    Assets(AssetArgs),
    /// Compare kab's engine with other load tools, on a server of the lab's.
    Bench(Bench),
    /// Print a JSON schema: scenario, record or report.
    Schema {
        /// Which one.
        #[arg(value_enum)]
        of: SchemaOf,
    },
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Be one process of the system under test.
    #[command(hide = true)]
    App {
        /// Which: gateway, webhook, informer or null.
        name: String,
        /// Its configuration, a JSON file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Do a part of a load: orders on stdin, news on stdout, both lines of JSON.
    #[command(hide = true)]
    Worker,
    /// Do one task of `kab bench`, and print what came of it as JSON.
    #[command(hide = true)]
    BenchWorker {
        /// Its configuration, a JSON file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Hold the control plane of `kab up`.
    #[command(hide = true)]
    Hold(Up),
}

/// Arguments of `kab list`.
#[derive(Debug, Args)]
pub struct List {
    /// Folder to look in; by default ./scenarios, and those built in.
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `kab run`.
#[derive(Debug, Args)]
#[command(
    after_help = "The run folder's path is the last line of stdout; progress goes to stderr.\n\nExamples:\n  \
                  kab run quickstart\n  kab run ./my-scenario.yaml --seed 7\n  \
                  kab run quickstart --system naive,hardened,conventional\n  \
                  kab run quickstart --set steps.write.load.duration=60s --set cluster.etcd.fsync=false"
)]
pub struct Run {
    /// Name of a scenario (see `kab list`), or a path to one.
    pub scenario: String,
    /// Print what would be done, and start nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Change a value of the scenario, by its path below `spec`. Repeatable.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Seed of everything random. By default it is drawn anew, and recorded.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Which systems to try, side by side in one report. By default as the
    /// scenario says.
    #[arg(long = "system", value_name = "NAME", value_delimiter = ',')]
    pub systems: Vec<String>,
    /// How many processes share each load. By default as the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: Option<u32>,
    /// Folder for the run; it must not hold one. Default: reports/NAME-TIME.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where to find the control plane's programs.
    #[command(flatten)]
    pub assets: AssetArgs,
}

/// Arguments of `kab resume`.
#[derive(Debug, Args)]
#[command(
    after_help = "Cells that were done are kept. A cell that was under way is run again from its beginning; \
                  its old evidence is moved to set-aside/ in the run folder."
)]
pub struct Resume {
    /// A run folder, as `kab run` printed it.
    pub run: PathBuf,
    /// Go on even if another version of kab began the run; the record says so.
    #[arg(long)]
    pub force: bool,
    /// Where to find the control plane's programs.
    #[command(flatten)]
    pub assets: AssetArgs,
}

/// Where to find the control plane's programs.
#[derive(Debug, Clone, Default, Args)]
pub struct AssetArgs {
    /// Folder with etcd and kube-apiserver; looked in first.
    #[arg(long = "assets", value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Arguments of `kab bench`.
#[derive(Debug, Args)]
#[command(
    after_help = "Tools are looked for in --tools, then on PATH: h2load, oha, wrk, cgbench (a client-go \
                  program). Those that are not there are left out.\n\nExamples:\n  kab bench\n  \
                  kab bench --only create --rounds 5 --json"
)]
pub struct Bench {
    /// Which tasks; by default all.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<BenchTask>,
    /// How often each tool does each task, in turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Folder with tools. Repeatable.
    #[arg(long, value_name = "DIR")]
    pub tools: Vec<PathBuf>,
    /// Print every run as JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Where to find the control plane's programs.
    #[command(flatten)]
    pub assets: AssetArgs,
}

/// A task of `kab bench`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BenchTask {
    /// 5,000 creates, 32 in flight.
    Create,
    /// 200 creates a second for 30 s.
    Rate,
    /// 20,000 reads of one object, 32 in flight.
    Get,
    /// 200,000 reads of kab's own null server, 32 in flight.
    Null,
}

impl Bench {
    /// The tasks that are wanted.
    pub fn tasks(&self) -> Vec<Task> {
        let all = [
            (BenchTask::Create, Task::Create { count: 5_000, in_flight: 32 }),
            (BenchTask::Rate, Task::Rate { per_second: 200.0, seconds: 30 }),
            (BenchTask::Get, Task::Get { count: 20_000, in_flight: 32 }),
            (BenchTask::Null, Task::NullGet { count: 200_000, in_flight: 32 }),
        ];
        let wanted = |name: &BenchTask| self.only.is_empty() || self.only.contains(name);
        all.into_iter().filter(|(name, _)| wanted(name)).map(|(_, task)| task).collect()
    }
}

/// Arguments of `kab report`.
#[derive(Debug, Args)]
pub struct Report {
    /// A run folder, as `kab run` printed it.
    pub run: PathBuf,
}

/// Arguments of `kab calibrate`.
#[derive(Debug, Args)]
#[command(
    after_help = "The result is kept, and cited by the reports of later runs.\n\nExit codes: 0 every property \
                  holds, 1 one does not, 3 the machine was too busy to say."
)]
pub struct Calibrate {
    /// Print JSON instead of a line a property.
    #[arg(long)]
    pub json: bool,
    /// Try everything, but for a third of the time.
    #[arg(long)]
    pub quick: bool,
}

/// Arguments of `kab compare`.
#[derive(Debug, Args)]
#[command(
    after_help = "Both runs must be valid; if one is not, nothing is said and the exit code is 3.\n\nExample:\n  \
                  kab compare reports/before reports/after"
)]
pub struct Compare {
    /// The run to compare with, a folder.
    #[arg(value_name = "RUN_A")]
    pub a: PathBuf,
    /// The run that is slower or faster than it, a folder.
    #[arg(value_name = "RUN_B")]
    pub b: PathBuf,
    /// Print JSON instead of Markdown; lengths of time are in nanoseconds.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `kab up`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Example:\n  export KUBECONFIG=$(kab up)\n  kubectl get namespaces\n  kab down"
)]
pub struct Up {
    /// Name of the control plane, so that there can be several.
    #[arg(long, default_value = "default")]
    pub name: String,
    /// Where to find its programs.
    #[command(flatten)]
    pub assets: AssetArgs,
}

/// Arguments of `kab down`.
#[derive(Debug, Args)]
pub struct Down {
    /// Name of the control plane.
    #[arg(long, default_value = "default")]
    pub name: String,
}

/// The published schemas.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum SchemaOf {
    /// Of a scenario file.
    Scenario,
    /// Of record.json.
    Record,
    /// Of report.json.
    Report,
}

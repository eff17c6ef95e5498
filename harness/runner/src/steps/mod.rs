//! One file a step verb.

mod attempt;
mod check;
mod fault;
mod load;
mod search;
mod seed;
mod subscribe;
mod wait;

use kab_scenario::model::{Step, Verb};

pub(crate) use load::waiting;

use crate::cell::Cell;
use crate::recorder::{RecorderError, StepResults};

/// A step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The load's generator.
    #[error(transparent)]
    Load(#[from] kab_load::LoadError),
    /// The seeding.
    #[error(transparent)]
    Seed(#[from] kab_load::SeedError),
    /// What the load is.
    #[error(transparent)]
    What(#[from] crate::arrivals::BadLoad),
    /// An account of the load.
    #[error(transparent)]
    Peer(#[from] kab_backend::peer::PeerError),
    /// The kubeconfig of an account.
    #[error("reading the kubeconfig {}, which was just written: {source}", path.display())]
    Kubeconfig {
        /// The file.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// What a load is made of.
    #[error(transparent)]
    Job(#[from] crate::share::JobError),
    /// Workers.
    #[error(transparent)]
    Share(#[from] crate::share::ShareError),
    /// A search's range.
    #[error(transparent)]
    Search(#[from] kab_load::capacity::BadSearch),
    /// A search's objective.
    #[error(transparent)]
    Objective(#[from] kab_verdict::expression::BadExpression),
    /// A subscriber.
    #[error(transparent)]
    Subscriber(#[from] kab_load::SubscriberError),
    /// Watchers.
    #[error(transparent)]
    Watch(#[from] kab_watch::WatchError),
    /// The watchers' account.
    #[error(transparent)]
    Account(#[from] kab_backend::client::ClientError),
    /// A single request.
    #[error(transparent)]
    Ask(#[from] crate::ask::AskError),
    /// A fault of what is not there.
    #[error(transparent)]
    Fault(#[from] crate::faults::NothingHit),
    /// The system under test.
    #[error(transparent)]
    System(#[from] kab_backend::deploy::DeployError),
    /// The evidence.
    #[error(transparent)]
    Evidence(#[from] kab_evidence::jsonl::JsonlError),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecorderError),
}

/// Does `step` in `cell`, and says what it found out.
pub async fn run(step: &Step, cell: &mut Cell<'_>) -> Result<StepResults, StepError> {
    match &step.verb {
        Verb::Seed(seed) => seed::run(&step.name, seed, cell).await,
        Verb::Subscribe(subscribe) => subscribe::run(&step.name, subscribe, cell).await,
        Verb::Load(load) => load::run(&step.name, load, cell).await,
        Verb::Search(search) => search::run(&step.name, search, cell).await,
        Verb::Wait(wait) => wait::run(wait, cell).await,
        Verb::Check(check) => check::run(check, cell).await,
        Verb::Attempt(attempt) => attempt::run(&step.name, attempt, cell).await,
        Verb::Fault(fault) => fault::run(fault, cell).await,
    }
}

/// Step results from pairs of name and value.
fn results<const N: usize>(pairs: [(&str, serde_json::Value); N]) -> StepResults {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

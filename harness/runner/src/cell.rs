//! One cell of a plan: a system on trial in a lab of its own, and what its
//! steps share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kab_backend::operator::OperatorDeployed;
use kab_backend::system::Deployed;
use kab_evidence::event::Happening;
use kab_evidence::folder::CellFolder;
use kab_evidence::id::OpId;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::OpRecord;
use kab_evidence::store::StoredEntity;
use kab_lab::local::Local;
use kab_lab::process::{Deaths, Supervisor};
use kab_lab::progress::Progress;
use kab_lab::servers::Servers;
use kab_load::Subscriber;
use kab_scenario::model::Payload;
use kab_watch::Watchers;

use crate::deaths;
use crate::otlp::Receiver;
use crate::recorder::Recorder;
use crate::sampler::Pids;
use crate::steps::StepError;
use crate::stop::Stop;

/// What the steps of a cell share.
pub struct Cell<'a> {
    pub(crate) folder: CellFolder,
    pub(crate) recorder: &'a Recorder,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) supervisor: &'a Supervisor,
    pub(crate) stop: Stop,
    /// The program that is every worker, by `worker`.
    pub(crate) program: &'a std::path::Path,
    /// The control plane, of a system that needs one.
    pub(crate) local: Option<Local>,
    /// PostgreSQL and the broker, of a system that needs them.
    pub(crate) servers: Option<Servers>,
    pub(crate) system: Deployed,
    /// Instances beside it: idle, unless a step addresses them.
    pub(crate) others: Vec<Deployed>,
    /// Who deployed it, if it was an operator, and the deaths of its pods.
    pub(crate) operator: Option<OperatorDeployed>,
    pub(crate) pod_deaths: Option<Deaths>,
    pub(crate) ledger: Arc<JsonlWriter<OpRecord>>,
    pub(crate) pids: Pids,
    pub(crate) seed: u64,
    pub(crate) nonce: u64,
    pub(crate) next_sequence: u64,
    /// What each seed step made, and how many.
    pub(crate) seeded: HashMap<String, (Payload, u64)>,
    pub(crate) subscribers: Vec<Subscriber>,
    /// Watchers, and how many writes had been acknowledged before they began:
    /// of those they hear nothing.
    pub(crate) watchers: Vec<(usize, Watchers)>,
    pub(crate) acknowledged: Vec<OpId>,
    /// What each attempt selected, for those after it.
    pub(crate) selected: HashMap<String, String>,
    /// Takes in the apiserver's own spans, if it traces.
    pub(crate) receiver: Option<Receiver>,
}

impl Cell<'_> {
    /// Where the cell's evidence goes.
    pub fn folder(&self) -> &CellFolder {
        &self.folder
    }

    /// The operation ledger.
    pub fn ledger(&self) -> Arc<JsonlWriter<OpRecord>> {
        Arc::clone(&self.ledger)
    }

    /// Hears when the run is to stop.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Tells the user.
    pub fn say(&self, sentence: &str) {
        self.progress.say(sentence);
    }

    /// Tells the user, and the reader of the report.
    pub fn warn(&self, text: String) {
        self.progress.say(&format!("warning: {text}"));
        self.recorder.event(Happening::Warning { text });
    }

    /// Sets aside so many operation ids; the first one's sequence number.
    pub(crate) const fn set_aside(&mut self, count: u64) -> u64 {
        let first = self.next_sequence;
        self.next_sequence += count;
        first
    }

    /// Remembers acknowledged writes, for whoever waits for their delivery.
    pub fn acknowledged(&mut self, writes: &[OpId]) {
        self.acknowledged.extend_from_slice(writes);
    }

    /// Starts one more subscriber, and an informer of so many replicas that
    /// notifies it.
    pub async fn add_subscriber(&mut self, replicas: u32) -> Result<(), StepError> {
        let index = u32::try_from(self.subscribers.len()).unwrap_or(u32::MAX);
        let subscriber = Subscriber::start(index, &self.folder.spans_dir()).await?;
        let url = format!("http://{}", subscriber.address());
        self.system.add_informer(self.supervisor, index, replicas, &url).await?;
        self.subscribers.push(subscriber);
        self.note_processes();
        Ok(())
    }

    /// Writes down processes that were started since the last call, and has
    /// them sampled.
    pub fn note_processes(&self) {
        let pods = self.operator.iter().flat_map(OperatorDeployed::pids);
        for (name, pid) in pods.filter(|(name, _)| name != "operator") {
            if self.pids.add(&name, pid) {
                self.recorder.event(Happening::ChildStarted { name, pid });
            }
        }
        for child in self.supervisor.children() {
            let (name, pid) = (child.name().to_owned(), child.pid());
            if self.pids.add(&name, pid) {
                self.recorder.event(Happening::ChildStarted { name, pid });
            }
        }
    }

    /// Writes down which pods have died since the last call.
    pub(crate) fn tell_pod_deaths(&mut self) {
        if let Some(deaths) = &mut self.pod_deaths {
            deaths::report_rest(deaths, self.recorder, self.progress);
        }
    }

    /// Waits until every acknowledged write has reached every subscriber and
    /// every watcher, at most so long; how many notifications are still missing.
    pub async fn undelivered(&self, at_most: Duration) -> usize {
        let told = self.subscribers.iter().map(|s| s.await_delivered(&self.acknowledged, at_most));
        let later = |from: usize| self.acknowledged.get(from..).unwrap_or_default();
        let seen = self.watchers.iter().map(|(from, w)| w.await_delivered(later(*from), at_most));
        let (told, seen) =
            futures::future::join(futures::future::join_all(told), futures::future::join_all(seen))
                .await;
        told.into_iter().chain(seen).sum()
    }

    /// What the store holds now.
    pub async fn stored(&self) -> Result<Vec<StoredEntity>, StepError> {
        Ok(self.system.stored().await?)
    }
}

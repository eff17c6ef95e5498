//! The informer: tells one subscriber of every change.
//!
//! | module | idea |
//! |---|---|
//! | [`mirror`] | what is news |
//! | [`notify`] | how the subscriber is told |
//! | [`callback`] | the origin's way: one after the other, once (defects 6, 8) |
//! | [`queue`] | a work queue: again and again, entity beside entity |
//! | [`dead_letter`] | what becomes of what cannot be delivered |
//! | [`progress`] | up to where everything has been delivered |
//! | [`lease`] | which replica notifies, and where the next one goes on |
//! | [`recorder`] | Kubernetes Events |

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::Event;
use kube::Client;
use kube::api::Api;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::reflector::{Reading, Reflector, Start};
use super::spans::Spans;
use super::watched::Watched;
use super::{AppError, announce, terminated};
use crate::client::connect;
use crate::defect::{Defect, Defects};
use crate::entity::Todo;
use crate::kubernetes::objects::definition::has_status;

mod callback;
mod dead_letter;
mod lease;
pub(super) mod mirror;
mod notify;
mod progress;
mod queue;
mod recorder;

use lease::{Candidate, Held};
use mirror::Mirror;
use notify::Notifier;
use progress::Progress;

/// What an informer needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InformerConfig {
    /// How to reach the apiserver, and as whom; left out in a pod.
    #[serde(default)]
    pub kubeconfig: PathBuf,
    /// Where the entities live.
    pub namespace: String,
    /// Which subscriber it serves, from 0.
    pub subscriber: u32,
    /// Where the subscriber listens: notifications go to
    /// `/api/todonotifications` below it.
    pub subscriber_url: String,
    /// Which replica of the subscriber's informer it is, from 0.
    #[serde(default)]
    pub replica: u32,
    /// What it calls itself among the replicas: nobody else may, at the same
    /// time. Made up unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// What is wrong with it.
    #[serde(default)]
    pub defects: Defects,
    /// How it tries again.
    #[serde(default)]
    pub delivery: Delivery,
}

/// How an informer tries again, and looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delivery {
    /// How often a notification is tried before it is a dead letter.
    pub attempts: u32,
    /// Pause after the first failure, in milliseconds; it doubles each time...
    pub first_pause_ms: u64,
    /// ... until it is so long.
    pub longest_pause_ms: u64,
    /// How many notifications may be under way at once.
    pub parallel: u32,
    /// How long the subscriber may take to answer, in milliseconds.
    pub timeout_ms: u64,
    /// How often everything is listed, to find what the watch did not tell, in
    /// seconds.
    pub resync_s: u64,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            attempts: 12,
            first_pause_ms: 100,
            longest_pause_ms: 30_000,
            parallel: 16,
            timeout_ms: 5_000,
            resync_s: 300,
        }
    }
}

/// The name of a replica's process: `informer-0`, `informer-0-1`.
pub(crate) fn process_name(subscriber: u32, replica: u32) -> String {
    match replica {
        0 => format!("informer-{subscriber}"),
        n => format!("informer-{subscriber}-{n}"),
    }
}

/// What the Events of informers name as their source.
pub(crate) const EVENT_SOURCE: &str = "todos-informer";

/// Runs until SIGTERM, or until it cannot go on.
pub(super) async fn run(config: InformerConfig, spans: Arc<Spans>) -> Result<(), AppError> {
    let client = connect(&config.kubeconfig).await?;
    let stop: Stop = terminated()?.boxed().shared();
    let (recorder, events) = mpsc::unbounded_channel();
    let recording = Api::namespaced(client.clone(), &config.namespace);
    let mut beside = JoinSet::new();
    beside.spawn(recorder::record_all(events, recording));
    let notifier = Arc::new(Notifier::new(&config, client.clone(), spans)?);
    let mut informer = Informer { config, client, notifier, recorder, stop, announced: false };
    if informer.keeps_post() { informer.run_in_turn().await } else { informer.run_alone().await }
}

/// Resolves when the process is told to end.
type Stop = Shared<BoxFuture<'static, ()>>;

struct Informer {
    config: InformerConfig,
    client: Client,
    notifier: Arc<Notifier>,
    recorder: mpsc::UnboundedSender<Event>,
    stop: Stop,
    /// Whether it has said that it is ready.
    announced: bool,
}

/// Why a session ended.
enum End {
    /// The process is told to end.
    Stopped,
    /// Another replica may notify now.
    Lost,
}

impl Informer {
    fn has(&self, defect: Defect) -> bool {
        self.config.defects.has(defect)
    }

    /// Whether it has to remember anything, or to take turns.
    fn keeps_post(&self) -> bool {
        !self.has(Defect::ReplayOnStart) || !self.has(Defect::EveryReplicaNotifies)
    }

    async fn run_alone(&mut self) -> Result<(), AppError> {
        self.session(Start::Listing, None).await.map(drop)
    }

    /// Notifies whenever it is its turn.
    async fn run_in_turn(&mut self) -> Result<(), AppError> {
        let mut candidate = Candidate::new(&self.config, self.client.clone());
        loop {
            let stop = self.stop.clone();
            let mut held = loop {
                let outranked = candidate.outranked();
                tokio::select! {
                    held = candidate.win() => break held,
                    () = outranked, if !self.announced => self.announce()?,
                    () = stop.clone() => return Ok(()),
                }
            };
            let start = match held.delivered() {
                Some(position) if !self.has(Defect::ReplayOnStart) => Start::After(position),
                _ => Start::Listing,
            };
            let progress = Progress::default();
            match self.session(start, Some((&mut held, &progress))).await? {
                End::Stopped => {
                    held.release(progress.delivered()).await;
                    return Ok(());
                }
                End::Lost => tracing::warn!("the lease is lost: another may notify now"),
            }
        }
    }

    /// Reads and notifies until something ends it.
    async fn session(
        &mut self,
        start: Start,
        post: Option<(&mut Held, &Progress)>,
    ) -> Result<End, AppError> {
        let todos: Api<Todo> = Api::namespaced(self.client.clone(), &self.config.namespace);
        let origins = self.has(Defect::NoRetry);
        let reading = Reading {
            start,
            plainly: self.has(Defect::ReplayOnStart),
            resync: (!origins).then(|| Duration::from_secs(self.config.delivery.resync_s)),
        };
        let mirror = Mirror::new(self.has(Defect::ReplayOnStart), has_status(&self.config.defects));
        let watched = Watched::open(self.config.subscriber, &self.config.namespace)?;
        let (told, queue) = mpsc::unbounded_channel();
        let (established, watching) = oneshot::channel();
        let mut reader = JoinSet::new();
        reader.spawn(Reflector::new(todos, reading, mirror, told, established, watched).run());

        let unkept = Progress::default();
        let (held, progress) = post.map_or((None, &unkept), |(held, kept)| (Some(held), kept));
        let (kept, keeping_began) = watch::channel(held.is_none());
        let keeping = async {
            match held {
                Some(held) => held.keep(progress, &kept).await,
                None => std::future::pending().await,
            }
        };
        let (notifier, stop) = (Arc::clone(&self.notifier), self.stop.clone());
        let recorder = self.recorder.clone();
        let handling = async {
            if origins {
                callback::run(&notifier, &recorder, queue, progress, stop).await
            } else {
                queue::run(notifier, recorder, queue, progress, stop).await
            }
        };
        let ready = async {
            // The sender lives as long as the reflector does. What is delivered
            // is on record from the beginning, or a change could fall between
            // two replicas.
            let _ = watching.await;
            let _ = keeping_began.clone().wait_for(|kept| *kept).await;
            if !self.announced {
                self.announce()?;
            }
            std::future::pending::<Result<End, AppError>>().await
        };
        tokio::select! {
            outcome = ready => outcome,
            outcome = handling => outcome.map(|()| End::Stopped),
            () = keeping => Ok(End::Lost),
        }
    }

    fn announce(&mut self) -> Result<(), AppError> {
        self.announced = true;
        announce(None)
    }
}

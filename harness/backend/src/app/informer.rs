//! The informer: tells one subscriber of every change.
//!
//! As the origin's, it handles changes one after the other, in the callback:
//! fetches the Todo anew, hands a Kubernetes Event to its recorder (which sends
//! them one after the other beside it, as client-go's does), notifies the
//! subscriber.
//! There is no work queue, no retry and no resync (defect 6); of a Todo that
//! is gone it knows no id (7); if the subscriber does not answer, the process
//! ends (8); when it starts, everything there is counts as a change (9).

use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Uri};
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kab_evidence::clock::{self, Mono};
use kab_evidence::id::{RESOURCE_VERSION, TRACEPARENT};
use kab_evidence::span::{Change, Span};
use kube::api::{Api, PostParams};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::outbound::{Outbound, root_cause};
use super::reflector::{Reflector, Seen};
use super::spans::Spans;
use super::watched::Watched;
use super::{AppError, announce, endpoint, terminated};
use crate::client::connect;
use crate::entity::{API_VERSION, KIND, Todo};

/// What an informer needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Body of a notification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'a> {
    todo_id: &'a str,
    /// The origin sends the creation time, whatever the change.
    issued_at: Option<&'a Time>,
}

struct Informer {
    todos: Api<Todo>,
    recorder: mpsc::UnboundedSender<Event>,
    outbound: Outbound,
    notify: Uri,
    spans: Arc<Spans>,
}

/// Runs until SIGTERM, or until the subscriber does not answer.
pub(super) async fn run(config: InformerConfig, spans: Arc<Spans>) -> Result<(), AppError> {
    let client = connect(&config.kubeconfig).await?;
    let todos = Api::namespaced(client.clone(), &config.namespace);
    let (changes, mut queue) = mpsc::unbounded_channel();
    let (established, watching) = oneshot::channel();
    let (recorder, events) = mpsc::unbounded_channel();
    let informer = Informer {
        todos: todos.clone(),
        recorder,
        outbound: Outbound::new(),
        notify: endpoint(&config.subscriber_url, "/api/todonotifications")?,
        spans,
    };
    let stop = terminated()?;
    tokio::spawn(record_all(events, Api::namespaced(client, &config.namespace)));
    let watched = Watched::open(config.subscriber, &config.namespace)?;
    tokio::spawn(Reflector::new(todos, changes, established, watched).run());
    let announced = async {
        // The sender lives as long as the reflector does.
        let _ = watching.await;
        announce(None)?;
        std::future::pending::<Result<(), AppError>>().await
    };
    let handled = async {
        while let Some(seen) = queue.recv().await {
            informer.on_change(seen).await?;
        }
        Ok(())
    };
    tokio::select! {
        outcome = announced => outcome,
        outcome = handled => outcome,
        () = stop => Ok(()),
    }
}

impl Informer {
    /// The origin's callback.
    async fn on_change(&self, seen: Seen) -> Result<(), AppError> {
        let Seen { change, todo, at } = seen;
        let found = self.fetch(todo.name()).await;
        if let Some(found) = &found {
            // The recorder lives as long as the process.
            let _ = self.recorder.send(event(found, change));
        }
        // Gone: the origin goes on with an empty Todo.
        let now = found.unwrap_or_default();
        let notification = Notification {
            todo_id: now.uid(),
            issued_at: now.metadata.creation_timestamp.as_ref(),
        };
        let body = serde_json::to_vec(&notification).unwrap_or_default();
        let headers = trace_headers(&todo);
        let posted = Mono::now();
        let answer = self.outbound.post(self.notify.clone(), headers, body).await;
        self.spans.record(Span::Informer {
            op: todo.op(),
            change,
            uid: todo.uid().to_owned(),
            rv: todo.revision().to_owned(),
            seen: at,
            posted: Some(posted),
            status: answer.as_ref().ok().map(|(status, _)| status.as_u16()),
        });
        match answer {
            Ok((status, _)) => {
                tracing::debug!(%status, name = todo.name(), "notified");
                Ok(())
            }
            Err(e) => Err(AppError::SubscriberDown {
                url: self.notify.to_string(),
                cause: root_cause(&e),
            }),
        }
    }

    async fn fetch(&self, name: &str) -> Option<Todo> {
        match self.todos.get(name).await {
            Ok(todo) => Some(todo),
            Err(e) => {
                tracing::warn!(name, cause = root_cause(&e), "the Todo cannot be fetched");
                None
            }
        }
    }
}

/// Sends Events as they come. One that the apiserver refuses is lost.
async fn record_all(mut recorded: mpsc::UnboundedReceiver<Event>, events: Api<Event>) {
    while let Some(event) = recorded.recv().await {
        if let Err(e) = events.create(&PostParams::default(), &event).await {
            tracing::warn!(cause = root_cause(&e), "the Event cannot be recorded");
        }
    }
}

/// The Event that client-go's recorder would make of a change.
fn event(todo: &Todo, change: Change) -> Event {
    let action = match change {
        Change::Listed => "add",
        Change::Applied if todo.metadata.generation.is_none_or(|first| first == 1) => "add",
        Change::Applied => "update",
        Change::Deleted => "delete",
    };
    let now = clock::wall().as_nanosecond();
    let time = Timestamp::from_nanosecond(now).ok().map(Time);
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{now:x}", todo.name())),
            namespace: todo.metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(KIND.to_owned()),
            name: todo.metadata.name.clone(),
            namespace: todo.metadata.namespace.clone(),
            uid: todo.metadata.uid.clone(),
            resource_version: todo.metadata.resource_version.clone(),
            ..ObjectReference::default()
        },
        type_: Some("Normal".to_owned()),
        reason: Some("Todo CRD changed".to_owned()),
        message: Some(format!("Todo CRD {} has been {action}", todo.name())),
        source: Some(EventSource { component: Some("todos-informer".to_owned()), host: None }),
        count: Some(1),
        first_timestamp: time.clone(),
        last_timestamp: time,
        ..Event::default()
    }
}

/// What a receipt is joined to the write by.
fn trace_headers(todo: &Todo) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let traceparent = todo.op().and_then(|op| HeaderValue::from_str(&op.traceparent()).ok());
    if let Some(traceparent) = traceparent {
        headers.insert(TRACEPARENT, traceparent);
    }
    if let Ok(revision) = HeaderValue::from_str(todo.revision()) {
        headers.insert(RESOURCE_VERSION, revision);
    }
    headers
}

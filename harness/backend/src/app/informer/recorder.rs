//! Kubernetes Events: what anybody sees who describes a Todo.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kab_evidence::clock;
use kab_evidence::span::Change;
use kube::api::{Api, PostParams};
use tokio::sync::mpsc;

use super::EVENT_SOURCE;
use crate::app::outbound::root_cause;
use crate::entity::{API_VERSION, KIND, Todo};

/// Sends Events one after the other, beside the informer, as client-go's
/// recorder does. One that the apiserver refuses is lost.
pub(super) async fn record_all(mut recorded: mpsc::UnboundedReceiver<Event>, events: Api<Event>) {
    while let Some(event) = recorded.recv().await {
        if let Err(e) = events.create(&PostParams::default(), &event).await {
            tracing::warn!(cause = root_cause(&e), "the Event cannot be recorded");
        }
    }
}

/// The Event that the origin makes of each change.
pub(super) fn changed(todo: &Todo, change: Change) -> Event {
    let action = match change {
        Change::Listed => "add",
        Change::Applied if todo.metadata.generation.is_none_or(|first| first == 1) => "add",
        Change::Applied => "update",
        Change::Deleted => "delete",
    };
    let message = format!("Todo CRD {} has been {action}", todo.name());
    event(todo, "Normal", "Todo CRD changed", message)
}

/// The Event of a dead letter.
pub(super) fn undelivered(todo: &Todo, attempts: u32, cause: &str) -> Event {
    let revision = todo.revision();
    let message =
        format!("revision {revision} is not delivered: tried {attempts} times, last: {cause}");
    event(todo, "Warning", "DeliveryFailed", message)
}

fn event(todo: &Todo, kind: &str, reason: &str, message: String) -> Event {
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
        type_: Some(kind.to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message),
        source: Some(EventSource { component: Some(EVENT_SOURCE.to_owned()), host: None }),
        count: Some(1),
        first_timestamp: time.clone(),
        last_timestamp: time,
        ..Event::default()
    }
}

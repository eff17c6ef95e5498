//! What an operator tells of its doings, as Events on the instance.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};

use super::context::Context;
use super::pass::{Failure, Pass, cause};
use super::resource::K8sAsBackend;

/// What had to be done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// It was not there yet.
    Made,
    /// Something else is wanted of it than before.
    Changed,
    /// Somebody had changed it.
    Repaired,
    /// Somebody had deleted it.
    Recreated,
}

/// What was done to which object.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) done: Done,
    pub(super) title: String,
    pub(super) object: ObjectReference,
}

/// Tells what a pass has done. That it cannot be told does not hinder it.
pub(super) async fn tell(backend: &K8sAsBackend, pass: &Pass<'_>) {
    let all = |done: Done| pass.told.iter().filter(move |told| told.done == done);
    for (done, reason, action, verb) in [
        (Done::Made, "Created", "Create", "created"),
        (Done::Changed, "Changed", "Change", "changed"),
    ] {
        // Events that are about the same are counted, and only the first one's note
        // is kept: so each names the first of its objects.
        let Some(first) = all(done).next() else { continue };
        let titles = all(done).map(|told| told.title.as_str()).collect::<Vec<_>>().join(", ");
        let (note, object) = (format!("{verb} {titles}"), Some(first.object.clone()));
        publish(pass.context, backend, reason, action, note, object).await;
    }
    for told in &pass.told {
        // With one action, a change would be counted as another deletion.
        let (action, found) = match told.done {
            Done::Repaired => ("Repair", "was changed by somebody else and is put right"),
            Done::Recreated => ("Recreate", "was deleted by somebody else and is made anew"),
            Done::Made | Done::Changed => continue,
        };
        let note = format!("{} {found}", told.title);
        let object = Some(told.object.clone());
        publish(pass.context, backend, "DriftRepaired", action, note, object).await;
    }
    for failure in &pass.failures {
        failed(pass.context, backend, failure).await;
    }
}

/// Tells that every replica runs another version now.
pub(super) async fn upgraded(context: &Context, backend: &K8sAsBackend, from: &str) {
    let note = format!("upgraded from {from} to {}", backend.spec.product_version);
    publish(context, backend, "Upgraded", "Upgrade", note, None).await;
}

async fn failed(context: &Context, backend: &K8sAsBackend, failure: &Failure) {
    // What it is about makes it another event than the last failure's.
    let about = ObjectReference { name: Some(failure.object.clone()), ..Default::default() };
    let note = failure.to_string();
    send(context, backend, EventType::Warning, "Failed", failure.action, note, Some(about)).await;
}

async fn publish(
    context: &Context,
    backend: &K8sAsBackend,
    reason: &str,
    action: &str,
    note: String,
    object: Option<ObjectReference>,
) {
    send(context, backend, EventType::Normal, reason, action, note, object).await;
}

async fn send(
    context: &Context,
    backend: &K8sAsBackend,
    type_: EventType,
    reason: &str,
    action: &str,
    note: String,
    secondary: Option<ObjectReference>,
) {
    // The apiserver refuses notes longer than 1 kB.
    let note = note.chars().take(900).collect();
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: action.to_owned(),
        secondary,
    };
    // The recorder counts, with their first note, events of the same reason on
    // the same objects. Other news come with another version of the instance.
    let mut about = backend.object_ref(&());
    about.resource_version = backend.resource_version();
    if let Err(error) = context.recorder.publish(&event, &about).await {
        tracing::warn!(reason, cause = cause(&error), "the Event cannot be recorded");
    }
}

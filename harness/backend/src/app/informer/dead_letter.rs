//! What becomes of a change that the subscriber cannot be told: it is written
//! in the entity's own status, where whoever looks after it finds it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Event;
use kab_evidence::clock;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::notify::Notifier;
use super::recorder::undelivered;
use crate::app::outbound::root_cause;
use crate::app::reflector::Seen;
use crate::entity::{API_VERSION, KIND, Todo};
use crate::store::ChangeKind;

/// Longest cause kept, in characters.
const LONGEST_CAUSE: usize = 1024;

pub(super) struct DeadLetters {
    notifier: Arc<Notifier>,
    recorder: mpsc::UnboundedSender<Event>,
    /// UIDs of the entities that have one, as far as this process wrote it.
    buried: Mutex<HashSet<String>>,
}

impl DeadLetters {
    pub(super) fn new(notifier: &Arc<Notifier>, recorder: mpsc::UnboundedSender<Event>) -> Self {
        Self { notifier: Arc::clone(notifier), recorder, buried: Mutex::default() }
    }

    /// The field manager: each subscriber's letters are its own.
    fn manager(&self) -> String {
        format!("kab-informer-{}", self.notifier.config.subscriber)
    }

    /// Writes down that `seen` was given up after so many tries.
    pub(super) async fn bury(&self, seen: &Seen, attempts: u32, cause: &str) {
        let (todo, kind) = (&seen.news.todo, seen.news.kind);
        let cause: String = cause.chars().take(LONGEST_CAUSE).collect();
        tracing::error!(
            name = todo.name(),
            uid = todo.uid(),
            revision = todo.revision(),
            ?kind,
            cause,
            "the subscriber cannot be told: a dead letter"
        );
        let _ = self.recorder.send(undelivered(todo, attempts, &cause));
        if kind == ChangeKind::Deleted {
            // There is no status any more: log and Event are all there is.
            return;
        }
        let subscriber = self.notifier.config.subscriber;
        let now = clock::wall().to_string();
        let message = format!("revision {} was tried {attempts} times: {cause}", todo.revision());
        let status = json!({
            "conditions": [self.condition("False", "DeliveryFailed", &message)],
            "deadLetters": [{
                "subscriber": subscriber, "change": kind, "revision": todo.revision(),
                "attempts": attempts, "cause": cause, "at": now,
            }],
        });
        if self.write(todo, status).await {
            self.letters(|buried| {
                buried.insert(todo.uid().to_owned());
            });
        }
    }

    /// Takes back what an earlier change has left, now that a later one is
    /// delivered.
    pub(super) async fn clear(&self, seen: &Seen) {
        let todo = &seen.news.todo;
        let mut ours = self.is_marked(todo);
        self.letters(|buried| ours |= buried.remove(todo.uid()));
        if ours && seen.news.kind != ChangeKind::Deleted {
            let message = format!("revision {} is delivered", todo.revision());
            let condition = self.condition("True", "Delivered", &message);
            self.write(todo, json!({ "conditions": [condition], "deadLetters": [] })).await;
        }
    }

    /// What is to be seen at once of an entity: whether this subscriber knows it.
    fn condition(&self, status: &str, reason: &str, message: &str) -> Value {
        json!({
            "type": format!("Subscriber{}Told", self.notifier.config.subscriber),
            "status": status, "reason": reason, "message": message,
            "lastTransitionTime": clock::wall().to_string(),
        })
    }

    fn letters(&self, act: impl FnOnce(&mut HashSet<String>)) {
        act(&mut self.buried.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether an earlier process has left one.
    fn is_marked(&self, todo: &Todo) -> bool {
        let letters = todo.status.as_ref().and_then(|status| status.get("deadLetters")?.as_array());
        letters.is_some_and(|letters| {
            letters.iter().any(|letter| letter["subscriber"] == self.notifier.config.subscriber)
        })
    }

    /// Applies this subscriber's part of the status; whether that was taken.
    async fn write(&self, todo: &Todo, mut status: Value) -> bool {
        status["of"] = state_of(todo);
        let object = json!({
            "apiVersion": API_VERSION, "kind": KIND,
            // Of this very entity, not of one that has its name by now.
            "metadata": { "name": todo.name(), "uid": todo.uid() },
            "status": status,
        });
        let params = PatchParams::apply(&self.manager()).force();
        let written =
            self.notifier.todos.patch_status(todo.name(), &params, &Patch::Apply(&object)).await;
        match written {
            Ok(_) => true,
            Err(e) => {
                let name = todo.name();
                tracing::error!(name, cause = root_cause(&e), "writing the status failed");
                false
            }
        }
    }
}

/// Which state of `todo` its status is written to: the write gives the object
/// another resourceVersion, and whoever reads it must be able to tell that from
/// a change.
fn state_of(todo: &Todo) -> Value {
    let (generation, op) = (todo.metadata.generation, todo.op());
    let known = todo.status.as_ref().and_then(|status| status.get("of"));
    let same = |of: &&Value| of["generation"] == json!(generation) && of["op"] == json!(op);
    match known.filter(same) {
        Some(of) => of.clone(),
        None => {
            let mut of = json!({ "generation": generation, "revision": todo.revision() });
            if let Some(op) = op {
                of["op"] = json!(op);
            }
            of
        }
    }
}

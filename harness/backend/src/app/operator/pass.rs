//! One pass over the objects of an instance: each is brought into line, and
//! what had to be done to it is known.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::context::Context;
use super::events::{Done, Told};
use super::hash::hash;
use super::kinds;
use super::names::MANAGED_BY;
use super::objects::{Desired, Plan};
use super::resource::{GROUP, K8sAsBackend};
use crate::defect::Defect;

/// How often an object is read again that changes between being read and
/// being brought into line, before it is left to a later pass.
const ATTEMPTS: u32 = 8;

/// What went wrong with one object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} {object}: {cause}")]
pub(super) struct Failure {
    pub(super) action: &'static str,
    pub(super) object: String,
    pub(super) cause: String,
}

impl Failure {
    pub(super) fn of(
        action: &'static str,
        object: impl Into<String>,
    ) -> impl FnOnce(kube::Error) -> Self {
        let object = object.into();
        move |error| Self { action, object, cause: cause(&error) }
    }
}

/// Why an attempt to bring an object into line came to nothing.
#[derive(Debug)]
enum Refusal {
    /// It is no longer as it was read.
    Overtaken(kube::Error),
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What the apiserver said, without the frame that kube puts around it.
pub(super) fn cause(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        other => crate::app::outbound::root_cause(other),
    }
}

/// A pass, and what came of it so far.
pub(super) struct Pass<'a> {
    pub(super) context: &'a Context,
    pub(super) plan: Plan<'a>,
    /// What was there after the last pass.
    known: BTreeSet<&'a str>,
    /// What is there now, in the order in which it was made.
    pub(super) present: Vec<String>,
    pub(super) told: Vec<Told>,
    pub(super) failures: Vec<Failure>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(context: &'a Context, backend: &'a K8sAsBackend, plan: Plan<'a>) -> Self {
        let objects = backend.status.iter().flat_map(|status| &status.objects);
        Self {
            context,
            plan,
            known: objects.map(String::as_str).collect(),
            present: Vec::new(),
            told: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Brings one object into line. If that fails, it is noted, and the pass
    /// goes on: what can be in place, should be.
    pub(super) async fn put(&mut self, desired: &Desired) -> Option<DynamicObject> {
        self.put_after(desired, false).await
    }

    /// The same for one whose content is made anew because it was `tampered`
    /// with.
    pub(super) async fn put_after(
        &mut self,
        desired: &Desired,
        tampered: bool,
    ) -> Option<DynamicObject> {
        match self.apply(desired, tampered).await {
            Ok((object, done)) => {
                if let Some(done) = done {
                    self.context.wrote();
                    let object = reference(desired, &object);
                    self.told.push(Told { done, title: desired.title(), object });
                }
                self.present.push(desired.title());
                Some(object)
            }
            Err(failure) => {
                self.failures.push(failure);
                // Still known, or it would seem new to the next pass, and its
                // deletion by somebody else would not be told.
                if self.known.contains(desired.title().as_str()) {
                    self.present.push(desired.title());
                }
                None
            }
        }
    }

    /// One as it is, whatever is wanted of it; none if that cannot be read.
    pub(super) async fn live(&self, desired: &Desired) -> Option<DynamicObject> {
        self.read(desired).await.ok().flatten()
    }

    /// What is done to an object is told from how it was before, so that must
    /// be what it is done to: if somebody comes in between, all begins anew.
    async fn apply(
        &self,
        desired: &Desired,
        tampered: bool,
    ) -> Result<(DynamicObject, Option<Done>), Failure> {
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            let before = self.read(desired).await?;
            match self.attempt(desired, before, tampered).await {
                Ok(applied) => return Ok(applied),
                Err(Refusal::Overtaken(_)) if left > 0 => {}
                Err(Refusal::Overtaken(error)) => {
                    return Err(Failure::of("applying", desired.title())(error));
                }
                Err(Refusal::Failed(failure)) => return Err(failure),
            }
        }
    }

    async fn read(&self, desired: &Desired) -> Result<Option<DynamicObject>, Failure> {
        let api = desired.kind.api(&self.context.client, &self.plan.names.namespace);
        let found = api.get_opt(&desired.name).await;
        found.map_err(Failure::of("reading", desired.title()))
    }

    async fn attempt(
        &self,
        desired: &Desired,
        before: Option<DynamicObject>,
        tampered: bool,
    ) -> Result<(DynamicObject, Option<Done>), Refusal> {
        let (title, names) = (desired.title(), &self.plan.names);
        let api = desired.kind.api(&self.context.client, &names.namespace);
        if before.as_ref().is_some_and(|object| object.metadata.deletion_timestamp.is_some()) {
            let cause = "it is still being deleted; it is made anew once it is gone".to_owned();
            return Err(Failure { action: "applying", object: title, cause }.into());
        }
        let mut desired = desired.clone();
        if let Some(before) = &before
            && self.plan.has(Defect::MakeOnceOperator)
        {
            // Defect 14: what is there stays; only the size is looked at.
            if desired.kind != &kinds::DEPLOYMENT {
                return Ok((before.clone(), None));
            }
            desired.body["spec"]["template"] = before.data["spec"]["template"].clone();
        }
        let (manager, mark) = if desired.shared && desired.kind == &kinds::WEBHOOK {
            (names.manager(), format!("{GROUP}/applied-{}", hash(&json!(names.manager()))))
        } else {
            (MANAGED_BY.to_owned(), format!("{GROUP}/applied"))
        };
        let hash = hash(&json!([desired.body, desired.labels]));
        let mut object = self.plan.object(&desired, &json!({ mark.as_str(): hash }));
        if let Some(before) = &before {
            object["metadata"]["uid"] = json!(before.metadata.uid);
            object["metadata"]["resourceVersion"] = json!(before.metadata.resource_version);
        }
        let params = PatchParams::apply(&manager).force();
        let after = match api.patch(&desired.name, &params, &Patch::Apply(&object)).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {
                return Err(Refusal::Overtaken(kube::Error::Api(status)));
            }
            after => after.map_err(Failure::of("applying", &title))?,
        };
        let known = self.known.contains(title.as_str());
        let marked = before.as_ref().map(|before| {
            before.metadata.annotations.as_ref().and_then(|all| all.get(&mark)) == Some(&hash)
        });
        let done = match marked {
            None if known => Some(Done::Recreated),
            None => Some(Done::Made),
            Some(_) if before.as_ref().map(content) == Some(content(&after)) => None,
            Some(true) => Some(Done::Repaired),
            Some(false) if tampered => Some(Done::Repaired),
            Some(false) if known && unmarked(before.as_ref(), &mark) => Some(Done::Repaired),
            Some(false) => Some(Done::Changed),
        };
        Ok((after, done))
    }
}

/// Whether somebody took the mark off.
fn unmarked(object: Option<&DynamicObject>, mark: &str) -> bool {
    let annotations = object.and_then(|object| object.metadata.annotations.as_ref());
    annotations.is_none_or(|all| !all.contains_key(mark))
}

/// What an object says, without what the apiserver keeps about it.
fn content(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = value["metadata"].as_object_mut() {
        for kept in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(kept);
        }
    }
    value
}

fn reference(desired: &Desired, object: &DynamicObject) -> ObjectReference {
    object.object_ref(&desired.kind.resource())
}

#[cfg(test)]
mod tests;

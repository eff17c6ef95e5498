//! What is wanted of an instance, made so.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kab_evidence::clock;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{self, Event, finalizer};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::certificates::{Chain, Schedule, Step};
use super::cleanup::{clean_up, prune};
use super::context::Context;
use super::events;
use super::names::{BadName, Names};
use super::objects::{APP, Desired, Plan, SHARED_WEBHOOK, WEBHOOK};
use super::pass::{Failure, Pass, cause};
use super::resource::{GROUP, K8sAsBackend};
use super::status::{Found, lacks, status};
use super::{Reach, kinds, tls};
use crate::defect::Defect;
use crate::standin::ADDRESS_ANNOTATION;

/// Holds up the deletion of an instance until its objects are gone.
pub(super) const FINALIZER: &str = "k8s-as-backend.example.com/cleanup";

/// How often an instance is looked at when nothing calls for it.
const RESYNC: Duration = Duration::from_secs(300);

/// An instance could not be made what it is wanted to be.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReconcileError {
    /// Something could not be brought into line, made or deleted.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Objects(Vec<Failure>),
    /// Its objects cannot be named after it.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Its finalizer could not be set or taken away.
    #[error("keeping the finalizer: {0}")]
    Finalizer(String),
}

impl From<finalizer::Error<Self>> for ReconcileError {
    fn from(error: finalizer::Error<Self>) -> Self {
        match error {
            finalizer::Error::ApplyFailed(error) | finalizer::Error::CleanupFailed(error) => error,
            finalizer::Error::AddFinalizer(error) | finalizer::Error::RemoveFinalizer(error) => {
                Self::Finalizer(cause(&error))
            }
            other => Self::Finalizer(other.to_string()),
        }
    }
}

pub(super) async fn reconcile(
    backend: Arc<K8sAsBackend>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let uid = backend.uid().unwrap_or_default();
    let namespace = backend.namespace().unwrap_or_default();
    let api: Api<K8sAsBackend> = Api::namespaced(context.client.clone(), &namespace);
    let held = backend.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    // Defect 14: nobody waits for the end, and nothing is cleaned up.
    if backend.spec.defects().has(Defect::MakeOnceOperator) && !held {
        if backend.metadata.deletion_timestamp.is_some() {
            return Ok(Action::await_change());
        }
        let action = bring_into_line(&context, &backend).await?;
        context.succeeded(&uid);
        return Ok(action);
    }
    let handled = finalizer(&api, FINALIZER, backend, async |event| match event {
        Event::Apply(backend) => bring_into_line(&context, &backend).await,
        Event::Cleanup(backend) => {
            // One that cannot be named has no objects.
            if let Ok(names) = Names::of(&backend) {
                let cleaned = clean_up(&context, &backend, &names).await;
                cleaned.map_err(|failure| ReconcileError::Objects(vec![failure]))?;
            }
            Ok(Action::await_change())
        }
    });
    let action = handled.await?;
    context.succeeded(&uid);
    Ok(action)
}

pub(super) fn retry(
    backend: Arc<K8sAsBackend>,
    error: &ReconcileError,
    context: Arc<Context>,
) -> Action {
    let wait = context.failed(&backend.uid().unwrap_or_default());
    let (namespace, name) = (backend.namespace().unwrap_or_default(), backend.name_any());
    tracing::warn!(namespace, name, %error, ?wait, "not as wanted");
    Action::requeue(wait)
}

async fn bring_into_line(
    context: &Context,
    backend: &K8sAsBackend,
) -> Result<Action, ReconcileError> {
    let names = match Names::of(backend) {
        Ok(names) => names,
        Err(error) => {
            let (object, cause) = (backend.name_any(), error.to_string());
            let failures = vec![Failure { action: "naming", object, cause }];
            report(context, backend, Found { failures, ..Found::default() }).await?;
            return Ok(Action::await_change());
        }
    };
    let mut pass = Pass::new(context, backend, Plan::new(backend, names));
    let mut next_look = RESYNC;
    if leads(context, backend) {
        let definition = pass.plan.definition();
        pass.put(&definition).await;
    }
    put_all(&mut pass, Plan::foundation).await;
    let chain = if pass.plan.webhook() {
        let (chain, wait) = certificate(&mut pass).await;
        next_look = next_look.min(wait);
        chain
    } else {
        None
    };
    let deployments = put_all(&mut pass, Plan::workloads).await;
    let mut found = Found::default();
    let address = |component: &str| {
        let name = pass.plan.names.local(component);
        let object = deployments.iter().find(|object| object.name_any() == name)?;
        object.annotations().get(ADDRESS_ANNOTATION).cloned()
    };
    let (app, server) = (address(APP), address(WEBHOOK));
    found.address = match context.config.reach {
        Reach::Service => Some(format!("http://{}", pass.plan.names.host(APP))),
        Reach::Annotated => app.map(|address| format!("http://{address}")),
    };
    for desired in judges(&pass, chain.as_ref(), server, &mut found.waiting) {
        pass.put(&desired).await;
    }
    found.waiting.extend(deployments.iter().filter_map(lacks));

    let seen = backend.status.as_ref().map(|status| status.observed_generation);
    let complete = pass.failures.is_empty() && found.waiting.is_empty();
    let make_once = pass.plan.has(Defect::MakeOnceOperator);
    // Only once what comes instead is in place.
    if complete && !make_once && (seen != backend.metadata.generation || !backend.is_ready()) {
        let wanted: BTreeSet<&str> = pass.present.iter().map(String::as_str).collect();
        if let Err(failure) = prune(context, &pass.plan.names, &wanted).await {
            pass.failures.push(failure);
        }
    }
    events::tell(backend, &pass).await;
    found.present = pass.present;
    found.failures.clone_from(&pass.failures);
    report(context, backend, found).await?;
    if pass.failures.is_empty() {
        Ok(Action::requeue(next_look))
    } else {
        Err(ReconcileError::Objects(pass.failures))
    }
}

/// Puts what `part` of the plan wants; the Deployments among it, as they are:
/// one that cannot be changed runs on, at its address.
async fn put_all<'a>(
    pass: &mut Pass<'a>,
    part: impl Fn(&Plan<'a>) -> Vec<Desired>,
) -> Vec<DynamicObject> {
    let mut deployments = Vec::new();
    for desired in part(&pass.plan) {
        let object = pass.put(&desired).await;
        if desired.kind == &kinds::DEPLOYMENT {
            deployments.extend(match object {
                Some(object) => Some(object),
                None => pass.live(&desired).await,
            });
        }
    }
    deployments
}

/// Whether this instance decides what the definition says: the oldest does,
/// or two that want different ones would undo each other's for ever.
fn leads(context: &Context, backend: &K8sAsBackend) -> bool {
    let age = |backend: &K8sAsBackend| {
        (backend.creation_timestamp(), backend.namespace(), backend.name_any())
    };
    let mine = age(backend);
    let alive = context.instances.state().into_iter();
    let mut others = alive.filter(|other| other.metadata.deletion_timestamp.is_none());
    !others.any(|other| age(&other) < mine)
}

/// What judges writes, as far as it can be put in place.
fn judges(
    pass: &Pass<'_>,
    chain: Option<&Chain>,
    server: Option<String>,
    waiting: &mut Vec<String>,
) -> Vec<Desired> {
    if !pass.plan.webhook() {
        return pass.plan.policies().into();
    }
    // Without a certificate the failure is told already.
    let Some(chain) = chain else { return Vec::new() };
    match (pass.context.config.reach, server) {
        (Reach::Service, _) => vec![pass.plan.registration(None, &chain.authorities)],
        (Reach::Annotated, Some(server)) => {
            vec![pass.plan.registration(Some(&server), &chain.authorities)]
        }
        (Reach::Annotated, None) => {
            let name = pass.plan.names.local(WEBHOOK);
            waiting.push(format!("Deployment {name} has no address yet"));
            Vec::new()
        }
    }
}

/// The webhook server's certificate, in its Secret; and when to look at it
/// again.
async fn certificate(pass: &mut Pass<'_>) -> (Option<Chain>, Duration) {
    let config = &pass.context.config.certificates;
    let (schedule, now) = (config.schedule(), clock::wall());
    match chain(pass, schedule).await {
        Ok((chain, tampered)) => {
            let secret = pass.plan.secret(&chain);
            let wait = match chain.step(schedule, now, Some(&chain.authorities)) {
                Step::Keep(wait) => wait,
                Step::Stage | Step::Promote => schedule.settle,
            };
            let put = pass.put_after(&secret, tampered).await;
            (put.map(|_| chain), wait)
        }
        Err(failure) => {
            pass.failures.push(failure);
            (None, RESYNC)
        }
    }
}

/// The chain that is wanted now, and whether somebody else wrote into the one
/// that was there.
async fn chain(pass: &Pass<'_>, schedule: Schedule) -> Result<(Chain, bool), Failure> {
    let (plan, context, now) = (&pass.plan, pass.context, clock::wall());
    let name = plan.names.local("tls");
    let title = format!("Secret {name}");
    let secrets = kinds::SECRET.api(&context.client, &plan.names.namespace);
    let live = secrets.get_opt(&name).await.map_err(Failure::of("reading", &title))?;
    let registered = registered(pass).await?;
    let make = || {
        let made = if plan.has(Defect::SharedCertificate) {
            plan.shared_certificate(&context.config.certificates.shared_folder(), schedule)
        } else {
            plan.certificate(schedule)
        };
        made.map_err(|error| Failure {
            action: "filling",
            object: title.clone(),
            cause: error.to_string(),
        })
    };
    let chain = live.as_ref().and_then(tls::read);
    let Some(chain) = chain else {
        let believed = live.as_ref().and_then(tls::authorities).or(registered);
        let chain = Chain::first(make()?, believed.as_deref().unwrap_or_default(), now);
        return Ok((chain, live.is_some()));
    };
    let fixed = plan.has(Defect::MakeOnceOperator) || plan.has(Defect::SharedCertificate);
    let step = chain.step(schedule, now, registered.as_deref());
    let chain = match step {
        Step::Stage if !fixed => chain.staged(make()?, now),
        Step::Promote if !fixed => chain.promoted(now),
        _ => chain,
    };
    Ok((chain, false))
}

/// Whom the apiserver believes to be this instance's webhook server.
async fn registered(pass: &Pass<'_>) -> Result<Option<String>, Failure> {
    let names = &pass.plan.names;
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(pass.context.client.clone());
    let shared = pass.plan.has(Defect::SharedWebhook);
    let name = if shared { SHARED_WEBHOOK.to_owned() } else { names.global() };
    let title = format!("{} {name}", kinds::WEBHOOK.kind);
    let found = configurations.get_opt(&name).await.map_err(Failure::of("reading", title))?;
    let mut hooks = found.and_then(|found| found.webhooks).unwrap_or_default().into_iter();
    let ours = format!("{}.{}.", names.instance, names.namespace);
    let hook = hooks.find(|hook| hook.name.starts_with(&ours));
    let bundle = hook.and_then(|hook| hook.client_config.ca_bundle);
    Ok(bundle.and_then(|bundle| String::from_utf8(bundle.0).ok()))
}

/// Writes the status, if it says anything new.
async fn report(
    context: &Context,
    backend: &K8sAsBackend,
    found: Found,
) -> Result<(), ReconcileError> {
    let status = status(backend, found);
    if backend.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let (namespace, name) = (backend.namespace().unwrap_or_default(), backend.name_any());
    let api: Api<K8sAsBackend> = Api::namespaced(context.client.clone(), &namespace);
    let patch = json!({
        "apiVersion": K8sAsBackend::api_version(&()), "kind": K8sAsBackend::kind(&()),
        "status": status,
    });
    let params = PatchParams { field_manager: Some(GROUP.to_owned()), ..Default::default() };
    match api.patch_status(&name, &params, &Patch::Merge(&patch)).await {
        Ok(_) => {}
        // It was deleted meanwhile, without a finalizer.
        Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(()),
        Err(error) => {
            let failure = Failure::of("writing the status of", format!("K8sAsBackend {name}"));
            return Err(ReconcileError::Objects(vec![failure(error)]));
        }
    }
    let before = backend.status.as_ref().and_then(|status| status.product_version.as_ref());
    if let Some(before) = before
        && status.product_version.as_ref() != Some(before)
    {
        events::upgraded(context, backend, before).await;
    }
    Ok(())
}

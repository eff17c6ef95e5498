//! The gateway: the API in front of where entities are kept.
//!
//! With the origin's defects it answers 400 to every error of what is behind
//! it (11), lists without a limit (13), finds everything valid (3), and keeps
//! notifications in its memory (10).

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use futures::FutureExt;
use futures::future::Shared;
use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_evidence::ledger::Outcome;
use kab_evidence::span::Span;
use serde::{Deserialize, Serialize};

use super::spans::Spans;
use super::{AppError, GRACE, announce, any_loopback_port, failed, terminated};
use crate::client::connect;
use crate::defect::{Defect, Defects};
use crate::store::kubernetes::KubernetesStore;
use crate::store::postgres::PostgresStore;
use crate::store::{Done, Entity, Notice, Notices, Store};

mod changes;
mod list;
pub(crate) mod messages;
mod notifications;
pub mod openapi;
pub(crate) mod precondition;
pub(crate) mod problem;
mod read;
mod todo;
mod transactions;
mod validate;

/// Path of the entities: creates are posted to it, lists read from it, and
/// each entity is below it.
pub const TODO_PATH: &str = "/api/todo";

/// Path that a webhook asks for a judgement.
pub const VALIDATE_PATH: &str = "/api/todo/validate";

/// Path of the stream of changes.
pub const CHANGES_PATH: &str = "/api/todochanges";

/// Path that transactions are posted to.
pub const TRANSACTIONS_PATH: &str = "/api/todotransactions";

/// What a gateway needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayConfig {
    /// Where the entities are kept.
    pub store: StoreConfig,
    /// What is wrong with it.
    pub defects: Defects,
    /// What it calls itself in the answer to `GET /api/todonotifications`.
    pub pod_name: String,
    /// Where to listen; a free loopback port unless given.
    #[serde(default = "any_loopback_port")]
    pub listen: SocketAddr,
}

/// Where entities are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum StoreConfig {
    /// In custom resources.
    Kubernetes {
        /// How to reach the apiserver, and as whom; left out in a pod.
        #[serde(default)]
        kubeconfig: PathBuf,
        /// Where the entities live.
        namespace: String,
    },
    /// In a table.
    Postgres {
        /// How to reach the database, and as whom.
        url: String,
        /// Whose rows.
        tenant: String,
        /// How many connections at most.
        pool: u32,
    },
}

/// Resolves when the process is told to end.
type Stop = Shared<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// A gateway in front of `store`.
struct Gateway<S> {
    store: S,
    pod_name: String,
    spans: Arc<Spans>,
    stop: Stop,
    /// Every refusal is a 400 (defect 11), and a create answers as the
    /// origin's does.
    one_status: bool,
    /// Lists have no limit (defect 13).
    unbounded: bool,
    /// Everything is valid (defect 3).
    always_valid: bool,
    /// Last notice of each Todo, where it is gone with the process (defect 10).
    memory: Option<Mutex<BTreeMap<String, Notice>>>,
}

/// Serves until SIGTERM.
pub(super) async fn run(config: GatewayConfig, spans: Arc<Spans>) -> Result<(), AppError> {
    match &config.store {
        StoreConfig::Kubernetes { kubeconfig, namespace } => {
            let client = connect(kubeconfig).await?;
            serve(KubernetesStore::new(client, namespace, &config.defects), &config, spans).await
        }
        StoreConfig::Postgres { url, tenant, pool } => {
            serve(PostgresStore::connect(url, tenant, *pool).await?, &config, spans).await
        }
    }
}

/// Serves `store` until SIGTERM.
pub(crate) async fn serve<S: Store + Notices>(
    store: S,
    config: &GatewayConfig,
    spans: Arc<Spans>,
) -> Result<(), AppError> {
    let listener =
        super::listen(config.listen).map_err(failed(format!("listening on {}", config.listen)))?;
    let address = listener.local_addr().map_err(failed("asking for the address listened on"))?;
    let stop: Stop = terminated()?.boxed().shared();
    let gateway =
        Gateway::new(store, &config.defects, config.pod_name.clone(), spans, stop.clone());
    let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
    let server = axum::serve(listener, router(gateway)).with_graceful_shutdown(stop.clone());
    announce(Some(address))?;
    tokio::select! {
        outcome = server.into_future() => outcome.map_err(failed("serving")),
        // Requests that still wait for a stalled apiserver are given up.
        () = async { stop.await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

fn router<S: Store + Notices>(gateway: Gateway<S>) -> Router {
    let one_status = gateway.one_status;
    let entity = "/api/todo/{code}";
    let one = get(todo::get::<S>).put(todo::update::<S>).delete(todo::delete::<S>);
    let router = Router::new()
        .route(TODO_PATH, post(todo::create::<S>).get(list::list::<S>))
        .route(entity, one)
        // Before the entity with that code: POST is no method of an entity.
        .route(
            VALIDATE_PATH,
            post(validate::validate::<S>)
                .get(todo::get::<S>)
                .put(todo::update::<S>)
                .delete(todo::delete::<S>),
        )
        .route(CHANGES_PATH, get(changes::changes::<S>))
        .route(TRANSACTIONS_PATH, post(transactions::transact::<S>))
        .route(
            "/api/todonotifications",
            post(notifications::notify::<S>).get(notifications::notifications::<S>),
        );
    let router = if one_status {
        router
    } else {
        router
            .route("/openapi.json", get(openapi::document))
            .fallback(problem::no_route)
            .method_not_allowed_fallback(problem::no_method)
    };
    router.with_state(Arc::new(gateway))
}

impl<S> Gateway<S> {
    fn new(store: S, defects: &Defects, pod_name: String, spans: Arc<Spans>, stop: Stop) -> Self {
        Self {
            store,
            pod_name,
            spans,
            stop,
            one_status: defects.has(Defect::OneStatus),
            unbounded: defects.has(Defect::UnboundedList),
            always_valid: defects.has(Defect::AlwaysValid),
            memory: defects.has(Defect::ForgetfulReplicas).then(Mutex::default),
        }
    }

    /// Notes what became of a request, and of which entity: with its revision,
    /// if the request wrote it.
    fn record<T>(
        &self,
        op: Option<OpId>,
        start: Mono,
        done: &Done<T>,
        status: http::StatusCode,
        entity: Wrote<'_>,
    ) {
        let (uid, rv) = match entity {
            Wrote::Nothing => (None, None),
            Wrote::Removed(entity) => (Some(entity.id.clone()), None),
            Wrote::State(entity) => (Some(entity.id.clone()), Some(entity.revision.0.clone())),
        };
        self.spans.record(Span::Gateway {
            op,
            start,
            api_sent: done.sent,
            api_done: done.done,
            end: Mono::now(),
            status: status.as_u16(),
            api_status: done.status,
            uid,
            rv,
        });
    }
}

/// What a request has done to an entity.
#[derive(Clone, Copy)]
enum Wrote<'a> {
    Nothing,
    /// At a revision that nobody says.
    Removed(&'a Entity),
    State(&'a Entity),
}

/// What a client of a gateway can conclude from the status of its answer to a
/// write.
///
/// With `one_status`, the gateway answers 400 to every failure, also to those
/// after which the write may have been stored: a lost connection, a timeout
/// (defect 11). So 400 leaves everything open. Otherwise only an answer that
/// says so does.
pub const fn classify(one_status: bool, status: u16) -> Outcome {
    match status {
        200..=299 => Outcome::Ok,
        // The gateway's router, which comes before any write.
        404 | 405 | 413 | 414 | 415 | 431 => Outcome::Failed,
        400..=499 | 501 | 503 if !one_status => Outcome::Failed,
        _ => Outcome::Indeterminate,
    }
}

#[cfg(test)]
mod tests;

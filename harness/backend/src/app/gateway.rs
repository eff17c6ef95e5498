//! The gateway: the REST layer in front of the apiserver.
//!
//! As the origin's, it answers 400 to every error of the apiserver (defect
//! 11), lists without a limit (13), finds everything valid (3), and keeps
//! notifications in its memory (10).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kab_evidence::clock::Mono;
use kab_evidence::id::{OP_ANNOTATION, OpId, TRACEPARENT};
use kab_evidence::span::Span;
use kube::Client;
use serde::{Deserialize, Serialize};

use super::spans::Spans;
use super::{AppError, GRACE, announce, any_loopback_port, failed, terminated};
use crate::client::connect;
use crate::entity::{API_VERSION, KIND, Todo};

pub(crate) mod messages;
mod upstream;

use messages::{
    Item, NewTodo, Notification, Object, ObjectHead, ObjectSpec, Refusal, Stock, Stored,
    StoredHead, TodoView, ValidateRequest, ValidateResponse,
};
use upstream::{Answer, Upstream};

/// Longest request body taken, in bytes: the default limit of Kestrel, which
/// serves the origin's gateway. The apiserver's own limit is met long before.
const BODY_LIMIT: usize = 30_000_000;

/// What a gateway needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayConfig {
    /// How to reach the apiserver, and as whom; left out in a pod.
    #[serde(default)]
    pub kubeconfig: PathBuf,
    /// Where the entities live.
    pub namespace: String,
    /// What it calls itself in the answer to `GET /api/todonotifications`.
    pub pod_name: String,
    /// Where to listen; a free loopback port unless given.
    #[serde(default = "any_loopback_port")]
    pub listen: SocketAddr,
}

struct Gateway {
    upstream: Upstream,
    pod_name: String,
    spans: Arc<Spans>,
    /// Last notification of each Todo: gone with the process (defect 10).
    notifications: Mutex<BTreeMap<String, Notification>>,
}

/// Serves until SIGTERM.
pub(super) async fn run(config: GatewayConfig, spans: Arc<Spans>) -> Result<(), AppError> {
    let client = connect(&config.kubeconfig).await?;
    let listener =
        super::listen(config.listen).map_err(failed(format!("listening on {}", config.listen)))?;
    let address = listener.local_addr().map_err(failed("asking for the address listened on"))?;
    let app = router(client, &config.namespace, config.pod_name, spans);
    let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
    let stop = terminated()?.shared();
    let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone());
    announce(Some(address))?;
    tokio::select! {
        outcome = server.into_future() => outcome.map_err(failed("serving")),
        // Requests that still wait for a stalled apiserver are given up.
        () = async { stop.await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

fn router(client: Client, namespace: &str, pod_name: String, spans: Arc<Spans>) -> Router {
    let collection = <Todo as kube::Resource>::url_path(&(), Some(namespace));
    let gateway = Gateway {
        upstream: Upstream::new(client, collection),
        pod_name,
        spans,
        notifications: Mutex::default(),
    };
    Router::new()
        .route("/api/todo", post(create).get(list))
        .route("/api/todo/validate", post(validate))
        .route("/api/todonotifications", post(notify).get(notifications))
        .with_state(Arc::new(gateway))
}

async fn create(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let start = Mono::now();
    let (head, body) = request.into_parts();
    let traceparent = head.headers.get(TRACEPARENT);
    let op = op(&head.headers);
    let body = match read(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let new: NewTodo<'_> = match serde_json::from_slice(&body) {
        Ok(new) => new,
        Err(e) => return bad_request(&e.to_string()),
    };
    let object = Object {
        api_version: API_VERSION,
        kind: KIND,
        metadata: ObjectHead {
            name: &new.code,
            annotations: op.map(|op| BTreeMap::from([(OP_ANNOTATION, op)])),
        },
        spec: ObjectSpec { message: Cow::Borrowed(&new.message), when: Cow::Borrowed(&new.when) },
    };
    let object = match serde_json::to_vec(&object) {
        Ok(object) => object,
        Err(e) => return bad_request(&e.to_string()),
    };
    let answer = gateway.upstream.create(object, traceparent).await;
    let stored = answer.read::<Stored>();
    let response = match &stored {
        Ok(Stored { metadata }) => json(
            StatusCode::OK,
            &TodoView {
                id: &metadata.uid,
                code: &new.code,
                message: &new.message,
                when: &new.when,
            },
        ),
        Err(refusal) => json(StatusCode::BAD_REQUEST, refusal),
    };
    let head = stored.ok().map(|stored| stored.metadata);
    gateway.record(op, start, &answer, response.status(), head);
    response
}

async fn list(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    let start = Mono::now();
    let op = op(&headers);
    let answer = gateway.upstream.list(headers.get(TRACEPARENT)).await;
    let response = match answer.read::<&serde_json::value::RawValue>() {
        // One Todo that is not as the gateway expects, and nobody sees any:
        // nothing keeps such a Todo out (defects 2, 3 and 4).
        Ok(stock) => match serde_json::from_str::<Stock<'_>>(stock.get()) {
            Ok(Stock { items }) => json(StatusCode::OK, &views(&items)),
            Err(e) => {
                let message = Cow::Owned(format!("a Todo in the list cannot be read: {e}"));
                let refusal = Refusal { message, code: None, status: "Failure" };
                json(StatusCode::INTERNAL_SERVER_ERROR, &refusal)
            }
        },
        Err(refusal) => json(StatusCode::BAD_REQUEST, &refusal),
    };
    gateway.record(op, start, &answer, response.status(), None);
    response
}

fn views<'a>(items: &'a [Item<'a>]) -> Vec<TodoView<'a>> {
    let view = |item: &'a Item<'a>| TodoView {
        id: &item.metadata.uid,
        code: &item.metadata.name,
        message: &item.spec.message,
        when: &item.spec.when,
    };
    items.iter().map(view).collect()
}

async fn validate(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let start = Mono::now();
    let (head, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let response = match serde_json::from_slice::<ValidateRequest<'_>>(&body) {
        Ok(ValidateRequest { raw }) => {
            tracing::debug!(bytes = raw.len(), "asked to judge a Todo");
            // Whatever it is (defect 3).
            json(StatusCode::OK, &ValidateResponse { valid: true, message: None })
        }
        Err(e) => return bad_request(&e.to_string()),
    };
    let op = op(&head.headers);
    gateway.spans.record(Span::Validate { op, start, end: Mono::now(), valid: true });
    response
}

async fn notify(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let body = match read(request.into_body()).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let notification: Notification = match serde_json::from_slice(&body) {
        Ok(notification) => notification,
        Err(e) => return bad_request(&e.to_string()),
    };
    // The origin binds the id to a GUID, which no empty text is.
    if notification.todo_id.is_empty() {
        return bad_request("todoId is empty");
    }
    let mut known = gateway.notifications.lock().unwrap_or_else(PoisonError::into_inner);
    known.insert(notification.todo_id.clone(), notification);
    StatusCode::OK.into_response()
}

async fn notifications(State(gateway): State<Arc<Gateway>>) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Meta<'a> {
        pod_name: &'a str,
    }
    #[derive(Serialize)]
    struct Known<'a> {
        notifications: Vec<&'a Notification>,
        meta: Meta<'a>,
    }
    let known = gateway.notifications.lock().unwrap_or_else(PoisonError::into_inner);
    let meta = Meta { pod_name: &gateway.pod_name };
    json(StatusCode::OK, &Known { notifications: known.values().collect(), meta })
}

impl Gateway {
    fn record(
        &self,
        op: Option<OpId>,
        start: Mono,
        answer: &Answer,
        status: StatusCode,
        stored: Option<StoredHead>,
    ) {
        let (uid, rv) = stored.map(|head| (head.uid, head.resource_version)).unzip();
        self.spans.record(Span::Gateway {
            op,
            start,
            api_sent: answer.sent,
            api_done: answer.done,
            end: Mono::now(),
            status: status.as_u16(),
            api_status: answer.status().map(|status| status.as_u16()),
            uid,
            rv,
        });
    }
}

fn op(headers: &HeaderMap) -> Option<OpId> {
    OpId::from_traceparent(headers.get(TRACEPARENT)?.to_str().ok()?)
}

async fn read(body: axum::body::Body) -> Result<Bytes, Response> {
    axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|e| bad_request(&e.to_string()))
}

fn bad_request(message: &str) -> Response {
    let refusal = Refusal { message: message.into(), code: None, status: "Failure" };
    json(StatusCode::BAD_REQUEST, &refusal)
}

fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(header::CONTENT_TYPE, JSON)], body).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests;

//! The admission webhook: asks the gateway whether a Todo is valid.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsAcceptor;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use kab_evidence::clock::Mono;
use kab_evidence::id::{OpId, TRACEPARENT};
use kab_evidence::span::Span;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::outbound::{Outbound, root_cause};
use super::spans::Spans;
use super::{AppError, GRACE, announce, any_loopback_port, endpoint, failed, terminated};
use crate::entity::op_of;

/// Longest review taken, in bytes: the old and the new object, each at most
/// as long as the apiserver takes (3 MiB), and their frame.
const BODY_LIMIT: usize = 8 << 20;

/// What a webhook needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookConfig {
    /// The gateway that knows the rules: `http://127.0.0.1:41001`.
    pub gateway_url: String,
    /// Its certificate, PEM.
    pub certificate: PathBuf,
    /// The certificate's key, PEM.
    pub key: PathBuf,
    /// Where to listen; a free loopback port unless given.
    #[serde(default = "any_loopback_port")]
    pub listen: SocketAddr,
}

/// What the webhook reads of an `AdmissionReview`. kube's own type would
/// decode the object only for it to be serialised again; the origin passes on
/// its bytes as they came.
#[derive(Deserialize)]
struct Review<'a> {
    #[serde(borrow)]
    request: ReviewRequest<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewRequest<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    /// None for a delete.
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    /// None for a create.
    #[serde(borrow, default)]
    old_object: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Judgement<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: JudgementResponse<'a>,
}

#[derive(Serialize)]
struct JudgementResponse<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Reason>,
}

#[derive(Serialize)]
struct Reason {
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    raw: &'a str,
    /// What it becomes of. (The origin does not ask that: its rules are about
    /// one state.)
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_old: Option<&'a str>,
}

/// What the gateway says. Whatever is not a plain `true` is a no, as in the
/// origin.
#[derive(Default, Deserialize)]
struct Opinion {
    #[serde(default)]
    valid: Option<bool>,
    #[serde(default)]
    message: Option<String>,
}

mod certificate;

struct Webhook {
    gateway: Outbound,
    validate: Uri,
    spans: Arc<Spans>,
}

/// Serves until SIGTERM.
pub(super) async fn run(config: WebhookConfig, spans: Arc<Spans>) -> Result<(), AppError> {
    let tls = certificate::load(&config.certificate, &config.key).await?;
    let listener = super::listen(config.listen)
        .and_then(tokio::net::TcpListener::into_std)
        .map_err(failed(format!("listening on {}", config.listen)))?;
    let address = listener.local_addr().map_err(failed("asking for the address listened on"))?;
    let app = router(endpoint(&config.gateway_url, "/api/todo/validate")?, spans);
    let handle = axum_server::Handle::new();
    let (stop, stopping) = (terminated()?, handle.clone());
    tokio::spawn(async move {
        stop.await;
        stopping.graceful_shutdown(Some(GRACE));
    });
    let server = axum_server::from_tcp(listener)
        .map_err(failed("serving"))?
        .acceptor(RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new()))
        .handle(handle);
    announce(Some(address))?;
    server.serve(app.into_make_service()).await.map_err(failed("serving"))
}

fn router(validate: Uri, spans: Arc<Spans>) -> Router {
    let webhook = Webhook { gateway: Outbound::new(), validate, spans };
    Router::new()
        .route("/crd", post(review))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(webhook))
}

async fn review(State(webhook): State<Arc<Webhook>>, body: Bytes) -> Response {
    let start = Mono::now();
    let request = match serde_json::from_slice::<Review<'_>>(&body) {
        Ok(Review { request }) => request,
        Err(e) => {
            let message = format!("not an AdmissionReview with a request: {e}");
            return (StatusCode::BAD_REQUEST, message).into_response();
        }
    };
    let op = writer(&request);
    let question = Question {
        raw: request.object.map_or("", RawValue::get),
        raw_old: request.old_object.map(RawValue::get),
    };
    let opinion = match webhook.ask(&question, op).await {
        Ok(opinion) => opinion,
        // The origin panics here and Go's server hangs up: no judgement, no
        // span, and what the apiserver makes of it is its failurePolicy's.
        Err(cause) => {
            tracing::warn!(uid = %request.uid, %cause, "the gateway gave no opinion");
            return (StatusCode::INTERNAL_SERVER_ERROR, cause).into_response();
        }
    };
    let allowed = opinion.valid == Some(true);
    let message = opinion.message.unwrap_or_else(|| "the Todo is not valid".to_owned());
    let judgement = Judgement {
        api_version: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response: JudgementResponse {
            uid: &request.uid,
            allowed,
            status: (!allowed).then_some(Reason { message }),
        },
    };
    let response = match serde_json::to_vec(&judgement) {
        Ok(text) => {
            const JSON: HeaderValue = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, JSON)], text).into_response()
        }
        Err(e) => return (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    };
    webhook.spans.record(Span::Webhook { op, start, end: Mono::now(), allowed });
    response
}

/// The operation that this very request comes from. An annotation that was
/// there before is an earlier operation's, still on the entity.
fn writer(request: &ReviewRequest<'_>) -> Option<OpId> {
    let op = op_of(request.object?.get())?;
    let before = request.old_object.and_then(|old| op_of(old.get()));
    (before != Some(op)).then_some(op)
}

impl Webhook {
    async fn ask(&self, question: &Question<'_>, op: Option<OpId>) -> Result<Opinion, String> {
        let question = serde_json::to_vec(question).map_err(|e| e.to_string())?;
        let mut headers = HeaderMap::new();
        let traceparent = op.and_then(|op| HeaderValue::from_str(&op.traceparent()).ok());
        if let Some(traceparent) = traceparent {
            headers.insert(TRACEPARENT, traceparent);
        }
        let asked = self.gateway.post(self.validate.clone(), headers, question).await;
        let (_, body) = asked.map_err(|e| root_cause(&e))?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;

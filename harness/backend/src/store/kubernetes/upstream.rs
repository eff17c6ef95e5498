//! The conversation with the apiserver.
//!
//! Requests are made by hand, because they are on the measured path: the
//! object is serialised once, of the answer only what is needed is decoded,
//! and the times of sending and of the last byte read are those of the
//! transport.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use kab_evidence::clock::Mono;
use kab_evidence::id::{OpId, TRACEPARENT};
use kube::Client;
use kube::client::Body;

use super::status::{Purpose, lost, refused};
use crate::app::outbound::root_cause;
use crate::store::{Done, Refused};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const MERGE_PATCH: HeaderValue = HeaderValue::from_static("application/merge-patch+json");

/// An apiserver, as one of its clients.
#[derive(Clone)]
pub(super) struct Upstream {
    pub(super) client: Client,
    /// How long an answer may take.
    pub(super) deadline: Duration,
}

/// A request to be sent.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Vec<u8>,
    pub(super) op: Option<OpId>,
}

impl Upstream {
    /// Sends `ask`; the whole body of a success.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Done<Bytes> {
        let purpose = match ask.method {
            Method::GET => Purpose::Read,
            _ => Purpose::Write,
        };
        let sent = Mono::now();
        let asking = self.exchange(ask, purpose);
        let (status, answer) = match tokio::time::timeout(self.deadline, asking).await {
            Ok(Ok((status, headers, body))) if !status.is_success() => {
                (Some(status), Err(refused(purpose, status, &headers, &body)))
            }
            Ok(Ok((status, _, body))) => (Some(status), Ok(body)),
            Ok(Err(why)) => (None, Err(why)),
            Err(_) => {
                let why = format!("no answer within {} s", self.deadline.as_secs());
                (None, Err(lost(purpose, why)))
            }
        };
        Done { answer, sent, done: Mono::now(), status: status.map(|status| status.as_u16()) }
    }

    async fn exchange(
        &self,
        ask: Ask<'_>,
        purpose: Purpose,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Refused> {
        let (head, body) = self.send(ask, purpose).await?.into_parts();
        let body = body.collect().await.map_err(|e| lost(purpose, root_cause(&e)))?;
        Ok((head.status, head.headers, body.to_bytes()))
    }

    /// Sends `ask`; the answer as soon as it begins, whatever it is.
    async fn send(&self, ask: Ask<'_>, purpose: Purpose) -> Result<Response<Body>, Refused> {
        let content = if ask.method == Method::PATCH { MERGE_PATCH } else { JSON };
        let request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(header::ACCEPT, JSON)
            .header(header::CONTENT_TYPE, content)
            .header(header::USER_AGENT, HeaderValue::from_static("TodoApp"))
            .body(Body::from(ask.body));
        let mut request = request.map_err(|e| Refused::Invalid(e.to_string()))?;
        if let Some(op) = ask.op
            && let Ok(value) = HeaderValue::from_str(op.traceparent_text().as_str())
        {
            request.headers_mut().insert(TRACEPARENT, value);
        }
        self.client.send(request).await.map_err(|e| {
            let why = root_cause(&e);
            // Without a connection, nothing was sent.
            if unconnected(&e) { Refused::Unavailable(why) } else { lost(purpose, why) }
        })
    }

    /// Opens a stream; its body.
    pub(super) async fn open(&self, path: &str) -> Done<Body> {
        let sent = Mono::now();
        let ask = Ask { method: Method::GET, path, body: Vec::new(), op: None };
        let opening = async {
            let response = self.send(ask, Purpose::Read).await.map_err(|why| (None, why))?;
            let (head, body) = response.into_parts();
            if head.status.is_success() {
                return Ok((head.status, body));
            }
            let status = Some(head.status);
            let body = body.collect().await;
            let body = body.map_err(|e| (status, lost(Purpose::Read, root_cause(&e))))?;
            Err((status, refused(Purpose::Read, head.status, &head.headers, &body.to_bytes())))
        };
        let opened = tokio::time::timeout(self.deadline, opening).await.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", self.deadline.as_secs());
            Err((None, Refused::Unavailable(why)))
        });
        let (status, answer) = match opened {
            Ok((status, body)) => (Some(status), Ok(body)),
            Err((status, why)) => (status, Err(why)),
        };
        Done { answer, sent, done: Mono::now(), status: status.map(|status| status.as_u16()) }
    }
}

/// Whether the request failed because there was no connection to send it on.
fn unconnected(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| {
        error
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
    })
}

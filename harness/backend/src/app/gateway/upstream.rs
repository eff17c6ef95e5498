//! The gateway's conversation with the apiserver.
//!
//! Requests are made by hand, because they are on the measured path: the
//! object is serialised once, of the answer only what is needed is decoded,
//! and the times of sending and of the last byte read are those of the
//! transport.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use kab_evidence::clock::Mono;
use kab_evidence::id::TRACEPARENT;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;

use super::messages::Refusal;
use crate::app::outbound::root_cause;

/// The collection of Todos at the apiserver.
pub(super) struct Upstream {
    client: Client,
    collection: String,
}

/// What became of one request to the apiserver.
pub(super) struct Answer {
    /// Request handed to the transport.
    pub(super) sent: Mono,
    /// Last byte of the answer read, or given up.
    pub(super) done: Mono,
    content: Result<(StatusCode, Bytes), String>,
}

/// The apiserver's own description of a failure.
#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
    #[serde(default)]
    code: Option<u16>,
}

impl Upstream {
    pub(super) fn new(client: Client, collection: String) -> Self {
        Self { client, collection }
    }

    pub(super) async fn create(
        &self,
        object: Vec<u8>,
        traceparent: Option<&HeaderValue>,
    ) -> Answer {
        self.ask(Method::POST, object, traceparent).await
    }

    pub(super) async fn list(&self, traceparent: Option<&HeaderValue>) -> Answer {
        self.ask(Method::GET, Vec::new(), traceparent).await
    }

    async fn ask(
        &self,
        method: Method,
        body: Vec<u8>,
        traceparent: Option<&HeaderValue>,
    ) -> Answer {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        let request = Request::builder()
            .method(method)
            .uri(&self.collection)
            .header(header::ACCEPT, JSON)
            .header(header::CONTENT_TYPE, JSON)
            .header(header::USER_AGENT, HeaderValue::from_static("TodoApp"))
            .body(Body::from(body));
        let sent = Mono::now();
        let content = match request {
            Ok(mut request) => {
                if let Some(traceparent) = traceparent {
                    request.headers_mut().insert(TRACEPARENT, traceparent.clone());
                }
                self.exchange(request).await
            }
            Err(e) => Err(e.to_string()),
        };
        Answer { sent, done: Mono::now(), content }
    }

    async fn exchange(&self, request: Request<Body>) -> Result<(StatusCode, Bytes), String> {
        let response = self.client.send(request).await.map_err(|e| root_cause(&e))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|e| root_cause(&e))?;
        Ok((status, body.to_bytes()))
    }
}

impl Answer {
    /// The status answered; none if there was no whole answer.
    pub(super) fn status(&self) -> Option<StatusCode> {
        self.content.as_ref().ok().map(|(status, _)| *status)
    }

    /// The body of a success, or what the gateway's client is told instead:
    /// one and the same status for whatever went wrong (defect 11).
    pub(super) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Refusal<'a>> {
        let refusal =
            |message: String, code| Refusal { message: message.into(), code, status: "Failure" };
        match &self.content {
            Ok((status, body)) if status.is_success() => {
                serde_json::from_slice(body).map_err(|e| refusal(e.to_string(), None))
            }
            Ok((status, body)) => Err(match serde_json::from_slice::<Failure>(body) {
                Ok(failure) => refusal(failure.message, failure.code),
                Err(_) => {
                    refusal(String::from_utf8_lossy(body).into_owned(), Some(status.as_u16()))
                }
            }),
            Err(lost) => Err(refusal(lost.clone(), None)),
        }
    }
}

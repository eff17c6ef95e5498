//! Plain HTTP from one app to another, over connections that are kept alive.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// Posts JSON to another app.
#[derive(Debug, Clone)]
pub(crate) struct Outbound(Client<HttpConnector, Full<Bytes>>);

/// The other side gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It could not be reached, or hung up before it answered.
    #[error("{0}")]
    Request(#[from] hyper_util::client::legacy::Error),
    /// It hung up in the middle of its answer.
    #[error("answer cut off: {0}")]
    Body(#[from] hyper::Error),
}

impl Outbound {
    pub(crate) fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(tcp);
        Self(client)
    }

    /// Sends `request`; the answer as soon as it begins.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        self.0.request(request).await
    }

    /// Posts `body` to `to` with `headers` beside the content type. Waits as
    /// long as the other side takes: Go's default client has no timeout, and
    /// the origin's apps use it.
    pub(crate) async fn post(
        &self,
        to: Uri,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), NoAnswer> {
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = to;
        *request.headers_mut() = headers;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        let response = self.send(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// The cause at the bottom of an error: `Connection refused (os error 111)`
/// says more than `client error (Connect)`.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

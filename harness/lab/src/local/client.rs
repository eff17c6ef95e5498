//! The lab's own client: asks components whether they are ready and what they
//! are. Not for anything that is measured.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kab_evidence::clock::Mono;
use kab_evidence::id::TRACEPARENT;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;

use super::pki::Identity;

/// How long a component may take over one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A component did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The certificates are not usable.
    #[error("setting up TLS to {base}: {why}")]
    Tls {
        /// Where to.
        base: String,
        /// What is wrong.
        why: String,
    },
    /// It could not be asked, or did not answer.
    #[error("GET {url}: {why}")]
    NoAnswer {
        /// What was asked for.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// Its answer is not what was expected.
    #[error("GET {url}: {status}: {body}")]
    Answer {
        /// What was asked for.
        url: String,
        /// The answer's status.
        status: StatusCode,
        /// The beginning of the answer.
        body: String,
    },
}

/// Talks to one component, over TLS and with a client certificate.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Client {
    /// A client of the component at `base` (`https://127.0.0.1:PORT`).
    pub fn new(base: &str, identity: &Identity) -> Result<Self, ClientError> {
        let tls = tls(identity).map_err(|why| ClientError::Tls { base: base.to_owned(), why })?;
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        let http =
            hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { base: base.to_owned(), http })
    }

    /// GETs `path`; gives the status and the whole body.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), ClientError> {
        let mut body = BytesMut::new();
        let status = self.get_in_pieces(path, |_, piece| body.extend_from_slice(piece)).await?;
        Ok((status, body.freeze()))
    }

    /// GETs `path` as part of the trace `traceparent` (W3C Trace Context); gives
    /// the status.
    ///
    /// # Errors
    /// If it could not be asked, or did not answer.
    pub async fn get_traced(
        &self,
        path: &str,
        traceparent: HeaderValue,
    ) -> Result<StatusCode, ClientError> {
        self.ask(path, Some(traceparent), |_, _| {}).await
    }

    /// GETs `path`; hands every piece of the body to `each` as it arrives,
    /// with the instant at which the head of the answer was read.
    pub async fn get_in_pieces(
        &self,
        path: &str,
        each: impl FnMut(Mono, &[u8]),
    ) -> Result<StatusCode, ClientError> {
        self.ask(path, None, each).await
    }

    async fn ask(
        &self,
        path: &str,
        traceparent: Option<HeaderValue>,
        mut each: impl FnMut(Mono, &[u8]),
    ) -> Result<StatusCode, ClientError> {
        let url = format!("{}{path}", self.base);
        let no_answer = |why: String| ClientError::NoAnswer { url: url.clone(), why };
        let uri: Uri = url.parse().map_err(|e: http::uri::InvalidUri| no_answer(e.to_string()))?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        if let Some(traceparent) = traceparent {
            request.headers_mut().insert(TRACEPARENT, traceparent);
        }
        let exchange = async {
            let answer = self.http.request(request).await.map_err(|e| no_answer(reason(&e)))?;
            let (status, answered) = (answer.status(), Mono::now());
            let mut body = answer.into_body();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|e| no_answer(reason(&e)))?;
                if let Some(piece) = frame.data_ref() {
                    each(answered, piece);
                }
            }
            Ok(status)
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err(no_answer(format!("no answer within {PATIENCE:?}"))))
    }

    /// GETs a JSON document.
    pub async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let (status, body) = self.get(path).await?;
        let parsed = status.is_success().then(|| serde_json::from_slice(&body).ok()).flatten();
        parsed.ok_or_else(|| ClientError::Answer {
            url: format!("{}{path}", self.base),
            status,
            body: String::from_utf8_lossy(&body).chars().take(300).collect(),
        })
    }
}

fn tls(identity: &Identity) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(identity.ca_pem().as_bytes()) {
        roots.add(ca.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    }
    let chain = CertificateDer::pem_slice_iter(identity.cert_pem().as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| e.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes());
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key.map_err(|e| e.to_string())?)
        .map_err(|e| e.to_string())
}

/// An error with its causes, which hold the interesting part.
fn reason(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

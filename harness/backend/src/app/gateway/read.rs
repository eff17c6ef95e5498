//! What comes in.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::LengthLimitError;
use kab_evidence::id::{OpId, TRACEPARENT};
use serde::Deserialize;

use super::Gateway;
use super::problem::Kind;

/// Longest request body taken, in bytes: the default limit of Kestrel, which
/// serves the origin's gateway. The apiserver's own limit is met long before.
const BODY_LIMIT: usize = 30_000_000;

/// The operation that a request belongs to.
pub(super) fn op(headers: &HeaderMap) -> Option<OpId> {
    OpId::from_traceparent(headers.get(TRACEPARENT)?.to_str().ok()?)
}

impl<S> Gateway<S> {
    /// The whole body, or the answer to what cannot be read.
    pub(super) async fn body(&self, body: Body) -> Result<Bytes, Response> {
        axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|e| {
            let why = e.to_string();
            let long = e.into_inner().is::<LengthLimitError>();
            self.refuse_at_once(if long { Kind::TooLarge } else { Kind::BadRequest }, &why)
        })
    }

    /// What `body` says, or the answer to what it says not.
    pub(super) fn parsed<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, Response> {
        let parsed = serde_json::from_slice(body);
        parsed.map_err(|e| self.refuse_at_once(Kind::BadRequest, &e.to_string()))
    }
}

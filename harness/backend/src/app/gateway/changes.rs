//! Changes, as a stream of JSON lines.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as Parameters, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::Gateway;
use super::messages::{Broke, ChangeView};
use super::problem::{About, Kind};
use crate::store::{Change, Notices, Position, Refused, Revision, Store};

/// From where changes are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// Everything after this revision; from now on unless said.
    after: Option<String>,
}

/// Hear of every change, each once, in order, one JSON line each.
///
/// The answer begins when changes from then on are sure to be told. A stream
/// that ends can be gone on with after the last change's `revision`. If it ends
/// with a line `{"problem": {...}}`, that says why.
#[utoipa::path(
    get, path = "/api/todochanges", tag = "changes", operation_id = "followTodos",
    params(From),
    responses(
        (status = 200, description = "A line for each change", body = ChangeView<'static>, content_type = "application/x-ndjson"),
        (status = 400, description = "`after` cannot be understood"),
        (status = 403, description = "They may not be read"),
        (status = 410, description = "`after` is too old: list, and follow from there"),
        (status = 422, description = "`after` is no revision"),
        (status = 429, description = "Too much at once: come again after `Retry-After` seconds"),
        (status = 503, description = "Something needed does not work"),
    )
)]
pub(super) async fn changes<S: Store + Notices>(
    State(gateway): State<Arc<Gateway<S>>>,
    from: Result<Parameters<From>, QueryRejection>,
) -> Response {
    let position = match from {
        Ok(Parameters(From { after: Some(revision) })) => Position::After(Revision(revision)),
        Ok(Parameters(From { after: None })) => Position::Now,
        Err(e) => return gateway.refuse_at_once(Kind::BadRequest, &e.body_text()),
    };
    let mut done = gateway.store.changes(position).await;
    match done.answer {
        Ok(stream) => {
            let lines = stream.map(|change| Ok::<_, Infallible>(told(&change)));
            let lines = lines.take_until(gateway.stop.clone());
            let media = HeaderValue::from_static("application/x-ndjson");
            ([(header::CONTENT_TYPE, media)], Body::from_stream(lines)).into_response()
        }
        Err(why) => {
            done.answer = Err(why.clone());
            gateway.refuse(&done, &why, About::default())
        }
    }
}

fn told(change: &Result<Change, Refused>) -> Bytes {
    match change {
        Ok(change) => line(&ChangeView::from(change)),
        Err(why) => line(&Broke { problem: Kind::of(why, false).view(why.why()) }),
    }
}

fn line<T: Serialize>(value: &T) -> Bytes {
    // Texts and a number: this cannot fail.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

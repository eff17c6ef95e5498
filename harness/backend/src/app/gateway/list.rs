//! All Todos, or some.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as Parameters, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use kab_evidence::clock::Mono;
use serde::Deserialize;
use utoipa::IntoParams;

use super::messages::{PageView, TodoView};
use super::problem::{About, Kind, json, origin};
use super::read::op;
use super::{Gateway, Wrote};
use crate::store::{Done, Notices, Page, Query, Refused, Store};

/// Which Todos are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// At most so many; 100 unless said, and never more than 500.
    #[param(minimum = 1)]
    limit: Option<u32>,
    /// Where the page before ended: its `continue`.
    #[serde(rename = "continue")]
    from: Option<String>,
    /// Only those due at exactly this moment.
    when: Option<String>,
}

/// List Todos, page by page.
#[utoipa::path(
    get, path = "/api/todo", tag = "todo", operation_id = "listTodos",
    params(Wanted),
    responses(
        (status = 200, description = "These", body = PageView<'static>),
        (status = 400, description = "A parameter cannot be understood"),
        (status = 403, description = "They may not be read"),
        (status = 410, description = "`continue` is too old: begin anew"),
        (status = 429, description = "Too much at once: come again after `Retry-After` seconds"),
        (status = 503, description = "Something needed does not work"),
    )
)]
pub(super) async fn list<S: Store + Notices>(
    State(gateway): State<Arc<Gateway<S>>>,
    headers: HeaderMap,
    wanted: Result<Parameters<Wanted>, QueryRejection>,
) -> Response {
    let start = Mono::now();
    let op = op(&headers);
    let query = match wanted {
        // The origin knows no parameters.
        _ if gateway.unbounded => Query::default(),
        Ok(Parameters(Wanted { limit: Some(0), .. })) => {
            return gateway.refuse_at_once(Kind::BadRequest, "a limit of 0 shows nothing");
        }
        Ok(Parameters(Wanted { limit, from, when })) => Query { when, limit, from },
        Err(e) => return gateway.refuse_at_once(Kind::BadRequest, &e.body_text()),
    };
    let done = gateway.store.list(op, &query).await;
    let response = match &done.answer {
        Ok(page) if gateway.unbounded => {
            json(StatusCode::OK, &page.items.iter().map(TodoView::plain).collect::<Vec<_>>())
        }
        Ok(page) => json(StatusCode::OK, &view(page)),
        Err(why) => gateway.unlisted(&done, why),
    };
    gateway.record(op, start, &done, response.status(), Wrote::Nothing);
    response
}

fn view(page: &Page) -> PageView<'_> {
    PageView {
        items: page.items.iter().map(TodoView::from).collect(),
        next: page.next.as_deref().map(Into::into),
        revision: page.revision.as_ref().map(|revision| revision.0.as_str().into()),
    }
}

impl<S> Gateway<S> {
    fn unlisted(&self, done: &Done<Page>, why: &Refused) -> Response {
        // One Todo that is not as the gateway expects, and nobody sees any:
        // nothing keeps such a Todo out (defects 2, 3 and 4).
        if self.one_status && done.status.is_some_and(|status| status < 300) {
            return origin(StatusCode::INTERNAL_SERVER_ERROR, why.why(), None);
        }
        self.refuse(done, why, About::default())
    }
}

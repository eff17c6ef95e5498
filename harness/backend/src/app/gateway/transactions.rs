//! Several writes as one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use kab_evidence::clock::Mono;
use serde::Deserialize;
use utoipa::ToSchema;

use super::messages::{NewTodoSchema, TodoView, WrittenView};
use super::problem::{About, json};
use super::read::op;
use super::{Gateway, Wrote};
use crate::store::{Notices, Store, Write};

#[derive(Deserialize)]
struct Transaction<'a> {
    #[serde(borrow)]
    writes: Vec<Write<'a>>,
}

/// Writes that are done together or not at all.
#[derive(ToSchema)]
#[schema(as = Transaction)]
#[expect(dead_code, reason = "describes `Transaction` to readers of the API's document")]
pub(super) struct TransactionSchema {
    /// In this order.
    writes: Vec<WriteSchema>,
}

/// One of several writes.
#[derive(ToSchema)]
#[schema(as = Write, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes `Write` to readers of the API's document")]
pub(super) enum WriteSchema {
    /// Make a Todo.
    Create(NewTodoSchema),
    /// Replace the one with this code.
    Update(NewTodoSchema),
    /// Remove the one with this code.
    Delete(String),
}

/// Write several Todos: all or none.
///
/// Systems that keep Todos in custom resources cannot do this.
#[utoipa::path(
    post, path = "/api/todotransactions", tag = "transactions", operation_id = "writeTodos",
    request_body = TransactionSchema,
    responses(
        (status = 200, description = "All were done", body = WrittenView<'static>),
        (status = 400, description = "The body is no transaction"),
        (status = 403, description = "One may not be done, so none was"),
        (status = 404, description = "One is of a Todo that is not there, so none was done"),
        (status = 409, description = "One creates what is there, or others write the same Todos, so none was done"),
        (status = 413, description = "It is more than is taken"),
        (status = 422, description = "One breaks a rule, so none was done"),
        (status = 429, description = "Too much at once: come again after `Retry-After` seconds"),
        (status = 501, description = "This system has no transactions"),
        (status = 503, description = "Something needed does not work; nothing was done"),
        (status = 504, description = "Nobody knows whether they were done"),
    )
)]
pub(super) async fn transact<S: Store + Notices>(
    State(gateway): State<Arc<Gateway<S>>>,
    request: Request,
) -> Response {
    let start = Mono::now();
    let (head, body) = request.into_parts();
    let op = op(&head.headers);
    let body = match gateway.body(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Transaction { writes } = match gateway.parsed(&body) {
        Ok(transaction) => transaction,
        Err(refusal) => return refusal,
    };
    let done = gateway.store.transact(op, &writes).await;
    let response = match &done.answer {
        Ok(written) => {
            let entities = written.iter().map(TodoView::from).collect();
            json(StatusCode::OK, &WrittenView { entities })
        }
        Err(why) => gateway.refuse(&done, why, About::default()),
    };
    gateway.record(op, start, &done, response.status(), Wrote::Nothing);
    response
}

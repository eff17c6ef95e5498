//! Of what the application was told.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::Gateway;
use super::messages::{Known, Meta, Notification};
use super::problem::{About, Kind, json};
use crate::store::{Done, Notice, Notices, Refused, Store};

/// Be told of a change of a Todo.
#[utoipa::path(
    post, path = "/api/todonotifications", tag = "notifications", operation_id = "notify",
    request_body = Notification,
    responses(
        (status = 200, description = "Understood, and kept for all replicas"),
        (status = 400, description = "The body is no notification"),
        (status = 409, description = "Others write the same Todo all the time"),
        (status = 429, description = "Too much at once: come again after `Retry-After` seconds"),
        (status = 503, description = "Something needed does not work"),
        (status = 504, description = "Nobody knows whether it was kept"),
    )
)]
pub(super) async fn notify<S: Store + Notices>(
    State(gateway): State<Arc<Gateway<S>>>,
    request: Request,
) -> Response {
    let body = match gateway.body(request.into_body()).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Notification { todo_id, issued_at, code } = match gateway.parsed(&body) {
        Ok(notification) => notification,
        Err(refusal) => return refusal,
    };
    // The origin binds the id to a GUID, which no empty text is.
    if todo_id.is_empty() {
        return gateway.refuse_at_once(Kind::BadRequest, "todoId is empty");
    }
    let notice = Notice { todo_id, issued_at };
    if let Some(mut memory) = gateway.memory() {
        memory.insert(notice.todo_id.clone(), notice);
        return StatusCode::OK.into_response();
    }
    match gateway.store.keep(&notice, code.as_deref()).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(why) => gateway.unknown(why),
    }
}

/// The last notification of each Todo.
#[utoipa::path(
    get, path = "/api/todonotifications", tag = "notifications", operation_id = "notifications",
    responses(
        (status = 200, description = "What all replicas know", body = Known<'static>),
        (status = 403, description = "They may not be read"),
        (status = 429, description = "Too much at once: come again after `Retry-After` seconds"),
        (status = 503, description = "Something needed does not work"),
    )
)]
pub(super) async fn notifications<S: Store + Notices>(
    State(gateway): State<Arc<Gateway<S>>>,
) -> Response {
    let remembered = gateway.memory().map(|memory| memory.values().cloned().collect());
    let kept = match remembered {
        Some(remembered) => Ok(remembered),
        None => gateway.store.kept().await,
    };
    match kept {
        Ok(notices) => {
            let meta = Meta { pod_name: &gateway.pod_name };
            json(StatusCode::OK, &Known { notifications: &notices, meta })
        }
        Err(why) => gateway.unknown(why),
    }
}

impl<S> Gateway<S> {
    /// Where notices are gone with the process (defect 10).
    fn memory(&self) -> Option<MutexGuard<'_, BTreeMap<String, Notice>>> {
        self.memory.as_ref().map(|memory| memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn unknown(&self, why: Refused) -> Response {
        let done = Done::<()>::refused(why.clone());
        self.refuse(&done, &why, About::default())
    }
}

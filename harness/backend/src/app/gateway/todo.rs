//! One Todo: made, read, replaced, removed.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kab_evidence::clock::Mono;

use super::messages::{Content, NewTodo, NewTodoSchema, TodoView};
use super::precondition::{Condition, condition, etag};
use super::problem::{About, Kind, json};
use super::read::op;
use super::{Gateway, TODO_PATH, VALIDATE_PATH, Wrote};
use crate::store::text::escaped;
use crate::store::{Done, Draft, Entity, Notices, Refused, Revision, Store};

type Code = Result<Path<String>, PathRejection>;

/// Make a Todo.
///
/// Its code must not be taken.
#[utoipa::path(
    post, path = "/api/todo", tag = "todo", operation_id = "createTodo",
    request_body = NewTodoSchema,
    responses(
        (status = 201, description = "It was made", body = TodoView<'static>,
            headers(("Location" = String, description = "Where it is"),
                    ("ETag" = String, description = "Its state"))),
        (status = 400, description = "The body is no Todo"),
        (status = 403, description = "It may not be made"),
        (status = 409, description = "There is a Todo with this code"),
        (status = 413, description = "It, or the number of Todos, is more than is taken"),
        (status = 422, description = "It breaks a rule: `errors` says which"),
        (status = 429, description = "Too much at once: come again after `Retry-After` seconds"),
        (status = 503, description = "Something needed does not work; nothing was made"),
        (status = 504, description = "Nobody knows whether it was made"),
    )
)]
pub(super) async fn create<S: Store + Notices>(
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
    let draft: NewTodo<'_> = match gateway.parsed(&body) {
        Ok(draft) => draft,
        Err(refusal) => return refusal,
    };
    let done = gateway.store.create(op, &draft).await;
    let response = match &done.answer {
        // As the origin answers.
        Ok(entity) if gateway.one_status => {
            tagged(json(StatusCode::OK, &TodoView::plain(entity)), &entity.revision)
        }
        Ok(entity) => {
            let mut made = json(StatusCode::CREATED, &TodoView::from(entity));
            let place = format!("{TODO_PATH}/{}", escaped(&entity.code));
            if let Ok(place) = HeaderValue::from_str(&place) {
                made.headers_mut().insert(header::LOCATION, place);
            }
            tagged(made, &entity.revision)
        }
        Err(why) => gateway.refuse(&done, why, About { draft: Some(&draft), conditional: false }),
    };
    let wrote = done.answer.as_ref().map_or(Wrote::Nothing, Wrote::State);
    gateway.record(op, start, &done, response.status(), wrote);
    response
}

/// Read a Todo.
#[utoipa::path(
    get, path = "/api/todo/{code}", tag = "todo", operation_id = "getTodo",
    params(("code" = String, Path, description = "Its business code")),
    responses(
        (status = 200, description = "This is it", body = TodoView<'static>,
            headers(("ETag" = String, description = "Its state"))),
        (status = 403, description = "It may not be read"),
        (status = 404, description = "There is none"),
        (status = 429, description = "Too much at once"),
        (status = 503, description = "Something needed does not work"),
    )
)]
pub(super) async fn get<S: Store + Notices>(
    State(gateway): State<Arc<Gateway<S>>>,
    code: Code,
    request: Request,
) -> Response {
    let start = Mono::now();
    let op = op(request.headers());
    let code = match gateway.code(code, &request) {
        Ok(code) => code,
        Err(refusal) => return refusal,
    };
    let done = gateway.store.get(op, &code).await;
    let response = match &done.answer {
        Ok(entity) => tagged(json(StatusCode::OK, &TodoView::from(entity)), &entity.revision),
        Err(why) => gateway.refuse(&done, why, About::default()),
    };
    gateway.record(op, start, &done, response.status(), Wrote::Nothing);
    response
}

/// Replace what a Todo says.
///
/// With `If-Match`, only if it is still in that state.
#[utoipa::path(
    put, path = "/api/todo/{code}", tag = "todo", operation_id = "updateTodo",
    params(
        ("code" = String, Path, description = "Its business code"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the state that it must be in"),
    ),
    request_body = Content<'static>,
    responses(
        (status = 200, description = "It was replaced by this", body = TodoView<'static>,
            headers(("ETag" = String, description = "Its new state"))),
        (status = 400, description = "Body or `If-Match` cannot be understood"),
        (status = 403, description = "It may not be replaced"),
        (status = 404, description = "There is none"),
        (status = 409, description = "Others write it all the time"),
        (status = 412, description = "It is in another state"),
        (status = 413, description = "It is more than is taken"),
        (status = 422, description = "It breaks a rule: `errors` says which"),
        (status = 429, description = "Too much at once: come again after `Retry-After` seconds"),
        (status = 503, description = "Something needed does not work; nothing was replaced"),
        (status = 504, description = "Nobody knows whether it was replaced"),
    )
)]
pub(super) async fn update<S: Store + Notices>(
    State(gateway): State<Arc<Gateway<S>>>,
    code: Code,
    request: Request,
) -> Response {
    let start = Mono::now();
    let code = match gateway.code(code, &request) {
        Ok(code) => code,
        Err(refusal) => return refusal,
    };
    let (head, body) = request.into_parts();
    let op = op(&head.headers);
    let body = match gateway.body(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let (expected, content) = match gateway.asked::<Content<'_>>(&head.headers, &body) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    if content.code.as_ref().is_some_and(|said| *said != *code) {
        let why = format!("the body names another code than the path: {code:?} cannot change");
        return gateway.refuse_at_once(Kind::BadRequest, &why);
    }
    let draft = Draft { code: code.into(), message: content.message, when: content.when };
    let done = match expected {
        Condition::Never => never(),
        Condition::None => gateway.store.update(op, &draft, None).await,
        Condition::At(ref state) => gateway.store.update(op, &draft, Some(state)).await,
    };
    let about = About { draft: Some(&draft), conditional: expected != Condition::None };
    let response = match &done.answer {
        Ok(entity) => tagged(json(StatusCode::OK, &TodoView::from(entity)), &entity.revision),
        Err(why) => gateway.refuse(&done, why, about),
    };
    let wrote = done.answer.as_ref().map_or(Wrote::Nothing, Wrote::State);
    gateway.record(op, start, &done, response.status(), wrote);
    response
}

/// Remove a Todo.
///
/// With `If-Match`, only if it is still in that state.
#[utoipa::path(
    delete, path = "/api/todo/{code}", tag = "todo", operation_id = "deleteTodo",
    params(
        ("code" = String, Path, description = "Its business code"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the state that it must be in"),
    ),
    responses(
        (status = 200, description = "It was removed; this is how it was", body = TodoView<'static>),
        (status = 400, description = "`If-Match` cannot be understood"),
        (status = 403, description = "It may not be removed"),
        (status = 404, description = "There is none"),
        (status = 409, description = "Others write it all the time"),
        (status = 412, description = "It is in another state"),
        (status = 429, description = "Too much at once: come again after `Retry-After` seconds"),
        (status = 503, description = "Something needed does not work; nothing was removed"),
        (status = 504, description = "Nobody knows whether it was removed"),
    )
)]
pub(super) async fn delete<S: Store + Notices>(
    State(gateway): State<Arc<Gateway<S>>>,
    code: Code,
    request: Request,
) -> Response {
    let start = Mono::now();
    let headers = request.headers();
    let op = op(headers);
    let code = match gateway.code(code, &request) {
        Ok(code) => code,
        Err(refusal) => return refusal,
    };
    let expected = match gateway.condition(headers) {
        Ok(expected) => expected,
        Err(refusal) => return refusal,
    };
    let done = match expected {
        Condition::Never => never(),
        Condition::None => gateway.store.delete(op, &code, None).await,
        Condition::At(ref state) => gateway.store.delete(op, &code, Some(state)).await,
    };
    let about = About { draft: None, conditional: expected != Condition::None };
    let response = match &done.answer {
        Ok(entity) => json(StatusCode::OK, &TodoView::from(entity)),
        Err(why) => gateway.refuse(&done, why, about),
    };
    let wrote = done.answer.as_ref().map_or(Wrote::Nothing, Wrote::Removed);
    gateway.record(op, start, &done, response.status(), wrote);
    response
}

fn never() -> Done<Entity> {
    Done::refused(Refused::Conflict("If-Match names a weak tag, and those never match".to_owned()))
}

fn tagged(mut response: Response, revision: &Revision) -> Response {
    if let Some(tag) = etag(revision) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

impl<S> Gateway<S> {
    /// The code in a path; `validate` is a path of its own.
    fn code(&self, code: Code, request: &Request) -> Result<String, Response> {
        match code {
            Ok(Path(code)) => Ok(code),
            Err(_) if request.uri().path() == VALIDATE_PATH => Ok("validate".to_owned()),
            Err(e) => Err(self.refuse_at_once(Kind::BadRequest, &e.body_text())),
        }
    }

    fn condition(&self, headers: &HeaderMap) -> Result<Condition, Response> {
        condition(headers).map_err(|why| self.refuse_at_once(Kind::BadRequest, &why))
    }

    fn asked<'a, T: serde::Deserialize<'a>>(
        &self,
        headers: &HeaderMap,
        body: &'a [u8],
    ) -> Result<(Condition, T), Response> {
        Ok((self.condition(headers)?, self.parsed(body)?))
    }
}

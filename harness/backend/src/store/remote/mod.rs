//! Entities behind a gateway, as an application has them that only knows its
//! API.
//!
//! A gateway with the origin's one status tells refusals not apart: all of them
//! are [`Refused::Indeterminate`] then. Its lists do not say which state an
//! entity is in: the revision is empty there.

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use kab_evidence::clock::Mono;
use kab_evidence::id::{OpId, TRACEPARENT};
use serde::Serialize;
use serde_json::json;

use super::text::escaped;
use super::{
    Change, Difference, Done, Draft, Entity, Page, Position, Query, Refused, Revision, Store, Write,
};
use crate::app::gateway::messages::{PageView, TodoView, WrittenView};
use crate::app::gateway::precondition::revision;
use crate::app::gateway::{CHANGES_PATH, TODO_PATH, TRANSACTIONS_PATH};
use crate::app::outbound::{Outbound, root_cause};
use crate::defect::{Defect, Defects};

mod refusal;
mod stream;

use refusal::refused;

/// A gateway, as one of its clients.
#[derive(Debug, Clone)]
pub struct RemoteStore {
    outbound: Outbound,
    /// `http://127.0.0.1:41001`
    url: String,
    differences: Vec<Difference>,
}

/// What a gateway cannot do in a system with `defects`, if what it keeps its
/// entities in has the differences `behind`.
pub fn differences(behind: &[Difference], defects: &Defects) -> Vec<Difference> {
    let mut differences = behind.to_vec();
    if defects.has(Defect::OneStatus) {
        differences.push(Difference::OneRefusal);
    }
    differences
}

/// An answer that is a success.
struct Good {
    headers: HeaderMap,
    body: Bytes,
}

impl RemoteStore {
    /// The gateway at `url`, which has these `differences`.
    pub fn new(url: &str, differences: Vec<Difference>) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { outbound: Outbound::new(), url, differences }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        op: Option<OpId>,
        expected: Option<&Revision>,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, Refused> {
        let json = HeaderValue::from_static("application/json");
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(header::CONTENT_TYPE, json);
        if let Some(op) = op {
            request = request.header(TRACEPARENT, op.traceparent());
        }
        if let Some(expected) = expected {
            request = request.header(header::IF_MATCH, format!("\"{expected}\""));
        }
        request.body(Full::from(body)).map_err(|e| Refused::Invalid(e.to_string()))
    }

    async fn ask(&self, request: Result<Request<Full<Bytes>>, Refused>) -> Done<Good> {
        let request = match request {
            Ok(request) => request,
            Err(why) => return Done::refused(why),
        };
        let sent = Mono::now();
        let (status, answer) = match self.exchange(request).await {
            Ok((status, good)) if status.is_success() => (Some(status), Ok(good)),
            Ok((status, Good { headers, body })) => {
                (Some(status), Err(refused(status, &headers, &body)))
            }
            Err(why) => (None, Err(why)),
        };
        Done { answer, sent, done: Mono::now(), status: status.map(|status| status.as_u16()) }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Good), Refused> {
        let reads = request.method() == Method::GET;
        let lost = |why: String| match reads {
            true => Refused::Unavailable(why),
            false => Refused::Indeterminate(why),
        };
        let response = self.outbound.send(request).await.map_err(|e| {
            let why = root_cause(&e);
            // Without a connection, nothing was sent.
            if e.is_connect() { Refused::Unavailable(why) } else { lost(why) }
        })?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|e| lost(root_cause(&e)))?.to_bytes();
        Ok((head.status, Good { headers: head.headers, body }))
    }

    async fn one(
        &self,
        method: Method,
        code: &str,
        op: Option<OpId>,
        expected: Option<&Revision>,
        body: Vec<u8>,
    ) -> Done<Entity> {
        let path = format!("{TODO_PATH}/{}", escaped(code));
        let request = self.request(method, &path, op, expected, body);
        self.ask(request).await.and_then(|good| good.entity())
    }
}

impl Good {
    fn entity(&self) -> Result<Entity, Refused> {
        let view: TodoView<'_> = self.said()?;
        let mut entity = entity(view);
        if entity.revision.0.is_empty()
            && let Some(tag) = self.headers.get(header::ETAG).and_then(revision)
        {
            entity.revision = tag;
        }
        Ok(entity)
    }

    fn said<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, Refused> {
        serde_json::from_slice(&self.body).map_err(|e| unreadable(&e))
    }
}

/// A success that cannot be read: if it was a write, it was done or not.
fn unreadable(error: &serde_json::Error) -> Refused {
    Refused::Indeterminate(format!("the gateway's answer cannot be read: {error}"))
}

fn entity(view: TodoView<'_>) -> Entity {
    Entity {
        id: view.id.into_owned(),
        code: view.code.into_owned(),
        message: view.message.into_owned(),
        when: view.when.into_owned(),
        revision: Revision(view.revision.unwrap_or_default().into_owned()),
        op: None,
    }
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    // Texts: this cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

fn list_path(query: &Query) -> String {
    let limit = query.limit.map(|limit| ("limit", limit.to_string()));
    let from = query.from.as_ref().map(|from| ("continue", escaped(from)));
    let when = query.when.as_ref().map(|when| ("when", escaped(when)));
    let given = [limit, from, when].into_iter().flatten();
    let given: Vec<_> = given.map(|(name, value)| format!("{name}={value}")).collect();
    match given.is_empty() {
        true => TODO_PATH.to_owned(),
        false => format!("{TODO_PATH}?{}", given.join("&")),
    }
}

/// A list, in the origin's shape or in the other one.
fn page(good: &Good) -> Result<Page, Refused> {
    if let Ok(items) = serde_json::from_slice::<Vec<TodoView<'_>>>(&good.body) {
        let items = items.into_iter().map(entity).collect();
        return Ok(Page { items, next: None, revision: None });
    }
    let page: PageView<'_> = good.said()?;
    Ok(Page {
        items: page.items.into_iter().map(entity).collect(),
        next: page.next.map(|next| next.into_owned()),
        revision: page.revision.map(|revision| Revision(revision.into_owned())),
    })
}

impl Store for RemoteStore {
    fn differences(&self) -> Vec<Difference> {
        self.differences.clone()
    }

    async fn create(&self, op: Option<OpId>, draft: &Draft<'_>) -> Done<Entity> {
        let request = self.request(Method::POST, TODO_PATH, op, None, encoded(draft));
        self.ask(request).await.and_then(|good| good.entity())
    }

    async fn get(&self, op: Option<OpId>, code: &str) -> Done<Entity> {
        self.one(Method::GET, code, op, None, Vec::new()).await
    }

    async fn list(&self, op: Option<OpId>, query: &Query) -> Done<Page> {
        let request = self.request(Method::GET, &list_path(query), op, None, Vec::new());
        self.ask(request).await.and_then(|good| page(&good))
    }

    async fn update(
        &self,
        op: Option<OpId>,
        draft: &Draft<'_>,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        self.one(Method::PUT, &draft.code, op, expected, encoded(draft)).await
    }

    async fn delete(
        &self,
        op: Option<OpId>,
        code: &str,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        self.one(Method::DELETE, code, op, expected, Vec::new()).await
    }

    async fn transact(&self, op: Option<OpId>, writes: &[Write<'_>]) -> Done<Vec<Entity>> {
        let body = encoded(&json!({ "writes": writes }));
        let request = self.request(Method::POST, TRANSACTIONS_PATH, op, None, body);
        self.ask(request).await.and_then(|good| {
            let written: WrittenView<'_> = good.said()?;
            Ok(written.entities.into_iter().map(entity).collect())
        })
    }

    async fn changes(&self, from: Position) -> Done<BoxStream<'static, Result<Change, Refused>>> {
        let path = match from {
            Position::Now => CHANGES_PATH.to_owned(),
            Position::After(revision) => format!("{CHANGES_PATH}?after={}", escaped(&revision.0)),
        };
        let request = match self.request(Method::GET, &path, None, None, Vec::new()) {
            Ok(request) => request,
            Err(why) => return Done::refused(why),
        };
        let sent = Mono::now();
        let (status, answer) = self.open(request).await;
        let answer = answer.map(|body| stream::changes(body).boxed());
        Done { answer, sent, done: Mono::now(), status: status.map(|status| status.as_u16()) }
    }
}

impl RemoteStore {
    /// The body of a stream, as soon as it begins.
    async fn open(
        &self,
        request: Request<Full<Bytes>>,
    ) -> (Option<StatusCode>, Result<Incoming, Refused>) {
        let response = match self.outbound.send(request).await {
            Ok(response) => response,
            Err(e) => return (None, Err(Refused::Unavailable(root_cause(&e)))),
        };
        let (head, body) = response.into_parts();
        let answer = match head.status.is_success() {
            true => Ok(body),
            false => Err(match body.collect().await {
                Ok(body) => refused(head.status, &head.headers, &body.to_bytes()),
                Err(e) => Refused::Unavailable(root_cause(&e)),
            }),
        };
        (Some(head.status), answer)
    }
}

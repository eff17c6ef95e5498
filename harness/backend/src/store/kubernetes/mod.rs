//! Entities in custom resources.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::Method;
use kab_evidence::id::OpId;
use kube::Client;
use serde::Deserialize;
use serde_json::Value;

use super::text::escaped;
use super::{
    Change, Difference, Done, Draft, Entity, Page, Position, Query, Refused, Revision, Store, Write,
};
use crate::defect::{Defect, Defects};
use crate::entity::{Todo, is_name, name_of};

mod changes;
mod notices;
mod object;
mod status;
mod upstream;

use changes::Versioned;
use object::{Stored, StoredHead, unreadable};
use upstream::{Ask, Upstream};

/// How long the apiserver may take to answer. Its own limit is a minute, but
/// nobody who waits for a gateway waits so long.
const DEADLINE: Duration = Duration::from_secs(10);

/// The same, in the origin: what .NET's `HttpClient` waits.
const ORIGIN_DEADLINE: Duration = Duration::from_secs(100);

/// How many entities a page has unless somebody says so, and at most.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 500;

/// How often a write is tried that nobody has made depend on a state, but that
/// meets another writer.
const TRIES: u32 = 5;

/// How long is waited before a write is tried again, each time longer.
const PAUSE: Duration = Duration::from_millis(5);

/// The entities of one namespace.
#[derive(Clone)]
pub struct KubernetesStore {
    upstream: Upstream,
    /// Path of the collection.
    collection: String,
    /// Whether a code that is no name gets one made of it.
    names: bool,
    /// Whether lists have pages, and can be filtered.
    pages: bool,
    /// Whether a write that meets another one is tried again.
    tries: u32,
    differences: Vec<Difference>,
}

/// What custom resources cannot do in a system with `defects`.
pub fn differences(defects: &Defects) -> Vec<Difference> {
    let mut differences =
        vec![Difference::NoTransaction, Difference::PositionsExpire, Difference::SmallEntities];
    if defects.has(Defect::NoSchema) {
        differences.push(Difference::PlainCodes);
        if defects.has(Defect::AlwaysValid) {
            differences.push(Difference::NoRules);
        }
    } else {
        differences.push(Difference::OwnOrder);
    }
    if defects.has(Defect::UnboundedList) {
        differences.extend([Difference::NoQuery, Difference::NoPage]);
    }
    differences
}

impl KubernetesStore {
    /// The Todos of `namespace` in a system with `defects`, asked for through
    /// `client`.
    pub fn new(client: Client, namespace: &str, defects: &Defects) -> Self {
        let origin = defects.has(Defect::OneStatus);
        Self {
            upstream: Upstream {
                client,
                deadline: if origin { ORIGIN_DEADLINE } else { DEADLINE },
            },
            collection: <Todo as kube::Resource>::url_path(&(), Some(namespace)),
            names: !defects.has(Defect::NoSchema),
            pages: !defects.has(Defect::UnboundedList),
            tries: if origin { 1 } else { TRIES },
            differences: differences(defects),
        }
    }

    fn name<'a>(&self, code: &'a str) -> Cow<'a, str> {
        if self.names { name_of(code) } else { Cow::Borrowed(code) }
    }

    /// Path of the entity with this code, if there can be one.
    fn path(&self, code: &str) -> Result<String, Refused> {
        let name = self.name(code);
        if is_name(&name) { Ok(format!("{}/{name}", self.collection)) } else { Err(missing(code)) }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        op: Option<OpId>,
    ) -> Done<Bytes> {
        self.upstream.ask(Ask { method, path, body, op }).await
    }

    async fn read(&self, path: &str, op: Option<OpId>) -> Done<Bytes> {
        self.ask(Method::GET, path, Vec::new(), op).await
    }

    /// Whether what is at `path` is still in the state `expected`, and only its
    /// status is another: the resourceVersion that it has now.
    async fn still(&self, path: &str, expected: &Revision) -> Option<String> {
        let found = self.read(path, None).await.answer.ok()?;
        let todo: Stored<'_, Value> = serde_json::from_slice(&found).ok()?;
        let now = &todo.metadata.resource_version;
        (todo.revision() == expected.0 && **now != expected.0).then(|| now.to_string())
    }

    async fn replace(
        &self,
        op: Option<OpId>,
        draft: &Draft<'_>,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        let path = match self.path(&draft.code) {
            Ok(path) => path,
            Err(why) => return Done::refused(why),
        };
        if let Some(expected) = expected.filter(|revision| !is_version(&revision.0)) {
            return Done::refused(other_state(&draft.code, expected));
        }
        let mut version = expected.map(|revision| revision.0.clone());
        let mut sent = None;
        for tried in 1.. {
            let body = match object::change(draft, op, version.as_deref()) {
                Ok(body) => body,
                Err(e) => return Done::refused(Refused::Invalid(e.to_string())),
            };
            let mut answer = self.ask(Method::PATCH, &path, body, op).await;
            answer.sent = *sent.get_or_insert(answer.sent);
            let again = matches!(answer.answer, Err(Refused::Conflict(_))) && tried < self.tries;
            if !again {
                return answer.and_then(|body| written(&body, draft, op));
            }
            match expected {
                None => tokio::time::sleep(PAUSE * tried).await,
                Some(expected) => match self.still(&path, expected).await {
                    None => return answer.and_then(|body| written(&body, draft, op)),
                    now => version = now,
                },
            }
        }
        Done::refused(other_state_of(&draft.code))
    }

    async fn remove(
        &self,
        op: Option<OpId>,
        code: &str,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        let path = match self.path(code) {
            Ok(path) => path,
            Err(why) => return Done::refused(why),
        };
        let mut sent = None;
        for tried in 1.. {
            let found = self.read(&path, op).await.and_then(|body| doomed(&body, code, expected));
            let began = *sent.get_or_insert(found.sent);
            let Done { answer, done, status, .. } = found;
            let (entity, options) = match answer {
                Ok(found) => found,
                Err(why) => return Done { answer: Err(why), sent: began, done, status },
            };
            let mut removed = self.ask(Method::DELETE, &path, options, op).await;
            removed.sent = began;
            // Somebody has written it, or its status, since it was read.
            let again = matches!(removed.answer, Err(Refused::Conflict(_))) && tried < TRIES;
            if !again {
                return removed.map(|_| entity);
            }
            tokio::time::sleep(PAUSE * tried).await;
        }
        Done::refused(other_state_of(code))
    }

    fn list_path(&self, query: &Query) -> String {
        let mut path = self.collection.clone();
        if !self.pages {
            return path;
        }
        let limit = query.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
        path.push_str(&format!("?limit={limit}"));
        if let Some(when) = &query.when {
            // What would end the value of a selector is escaped in it.
            let when = when.replace('\\', r"\\").replace(',', r"\,").replace('=', r"\=");
            path.push_str("&fieldSelector=");
            path.push_str(&escaped(&format!("spec.when={when}")));
        }
        if let Some(from) = &query.from {
            path.push_str("&continue=");
            path.push_str(&escaped(from));
        }
        path
    }
}

/// Whether `text` can be a resourceVersion of an object.
fn is_version(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn missing(code: &str) -> Refused {
    Refused::NotFound(format!("there is no Todo with the code {code:?}"))
}

fn other_state(code: &str, expected: &Revision) -> Refused {
    Refused::Conflict(format!("the Todo {code:?} is not at revision {expected}"))
}

fn other_state_of(code: &str) -> Refused {
    Refused::Conflict(format!("others write the Todo {code:?} all the time"))
}

/// The entity in `body`, which is to be removed if it is as `expected`, and the
/// request's body that removes it in just this state.
fn doomed(
    body: &[u8],
    code: &str,
    expected: Option<&Revision>,
) -> Result<(Entity, Vec<u8>), Refused> {
    let todo: Stored<'_, Value> = serde_json::from_slice(body).map_err(unreadable)?;
    let entity = todo.loosely();
    match expected {
        Some(expected) if *expected != entity.revision => Err(other_state(code, expected)),
        _ => Ok((entity, object::removal(&todo.metadata.resource_version).map_err(unreadable)?)),
    }
}

/// What was written: `draft`, with what the answer adds to it.
fn written(body: &[u8], draft: &Draft<'_>, op: Option<OpId>) -> Result<Entity, Refused> {
    #[derive(Deserialize)]
    struct Written<'a> {
        #[serde(borrow)]
        metadata: StoredHead<'a>,
    }
    let Written { metadata } = serde_json::from_slice(body).map_err(|e| {
        Refused::Indeterminate(format!("the answer to a write cannot be read: {e}"))
    })?;
    Ok(Entity {
        id: metadata.uid.into_owned(),
        code: draft.code.clone().into_owned(),
        message: draft.message.clone().into_owned(),
        when: draft.when.clone().into_owned(),
        revision: Revision(metadata.resource_version.into_owned()),
        op,
    })
}

/// A list as it is read.
#[derive(Deserialize)]
struct Stock<'a, Item> {
    #[serde(borrow, default)]
    metadata: StockHead<'a>,
    items: Vec<Item>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StockHead<'a> {
    #[serde(borrow, default)]
    resource_version: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "continue")]
    next: Option<Cow<'a, str>>,
}

impl Store for KubernetesStore {
    fn differences(&self) -> Vec<Difference> {
        self.differences.clone()
    }

    async fn create(&self, op: Option<OpId>, draft: &Draft<'_>) -> Done<Entity> {
        match object::new(&self.name(&draft.code), draft, op) {
            Ok(body) => {
                let answer = self.ask(Method::POST, &self.collection, body, op).await;
                answer.and_then(|body| written(&body, draft, op))
            }
            Err(e) => Done::refused(Refused::Invalid(e.to_string())),
        }
    }

    async fn get(&self, op: Option<OpId>, code: &str) -> Done<Entity> {
        let path = match self.path(code) {
            Ok(path) => path,
            Err(why) => return Done::refused(why),
        };
        self.read(&path, op).await.and_then(|body| {
            let todo: Stored<'_> = serde_json::from_slice(&body).map_err(unreadable)?;
            let entity = todo.entity()?;
            // Somebody may have taken a name that is made of another code.
            if entity.code == code { Ok(entity) } else { Err(missing(code)) }
        })
    }

    async fn list(&self, op: Option<OpId>, query: &Query) -> Done<Page> {
        self.read(&self.list_path(query), op).await.and_then(|body| {
            let stock: Stock<'_, Stored<'_>> = serde_json::from_slice(&body).map_err(unreadable)?;
            let items = stock.items.iter().map(Stored::entity).collect::<Result<_, _>>()?;
            let text = |text: Cow<'_, str>| text.into_owned();
            Ok(Page {
                items,
                next: stock.metadata.next.filter(|next| !next.is_empty()).map(text),
                revision: stock.metadata.resource_version.map(text).map(Revision),
            })
        })
    }

    async fn update(
        &self,
        op: Option<OpId>,
        draft: &Draft<'_>,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        self.replace(op, draft, expected).await
    }

    async fn delete(
        &self,
        op: Option<OpId>,
        code: &str,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        self.remove(op, code, expected).await
    }

    async fn transact(&self, _: Option<OpId>, _: &[Write<'_>]) -> Done<Vec<Entity>> {
        let why = "Kubernetes writes one object at a time, and has no transactions";
        Done::refused(Refused::Unsupported(why.to_owned()))
    }

    async fn changes(&self, from: Position) -> Done<BoxStream<'static, Result<Change, Refused>>> {
        let at = match from {
            Position::After(revision) if is_version(&revision.0) => revision.0,
            Position::After(revision) => {
                let why = format!("{revision:?} is no revision of this store");
                return Done::refused(Refused::Invalid(why));
            }
            Position::Now => {
                let now = self.read(&format!("{}?limit=1", self.collection), None).await;
                let now = now.and_then(|body| {
                    let now: Versioned<'_> = serde_json::from_slice(&body).map_err(unreadable)?;
                    Ok(now.metadata.resource_version.into_owned())
                });
                match now.answer {
                    Ok(version) => version,
                    Err(why) => {
                        let Done { sent, done, status, .. } = now;
                        return Done { answer: Err(why), sent, done, status };
                    }
                }
            }
        };
        changes::changes(&self.upstream, &self.collection, at).await.map(StreamExt::boxed)
    }
}

//! Changes, told by a watch.

use std::borrow::Cow;

use futures::Stream;
use http_body_util::{BodyDataStream, BodyExt};
use kube::client::Body;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::object::{Stored, unreadable};
use super::upstream::Upstream;
use crate::store::lines::Lines;
use crate::store::{Change, ChangeKind, Done, Refused, Revision};

/// What a watch says, line by line.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// The resourceVersion of a bookmark, or of a list.
#[derive(Deserialize)]
pub(super) struct Versioned<'a> {
    #[serde(borrow)]
    pub(super) metadata: Version<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version<'a> {
    #[serde(borrow)]
    pub(super) resource_version: Cow<'a, str>,
}

/// A watch that is opened again whenever the apiserver ends it, as it does
/// every hour or so.
struct Watch {
    upstream: Upstream,
    collection: String,
    /// Everything up to here has been told.
    at: String,
    body: Lines<BodyDataStream<Body>>,
    /// Whether this body has said anything.
    spoke: bool,
    over: bool,
}

/// What a line of a watch comes to.
enum Told {
    Change(Box<Change>),
    /// Only that everything up to somewhere has been told.
    Nothing,
}

/// Everything in `collection` after the resourceVersion `at`.
pub(super) async fn changes(
    upstream: &Upstream,
    collection: &str,
    at: String,
) -> Done<impl Stream<Item = Result<Change, Refused>> + use<>> {
    let opened = upstream.open(&path(collection, &at)).await;
    let (upstream, collection) = (upstream.clone(), collection.to_owned());
    opened.map(|body| {
        let body = Lines::new(body.into_data_stream());
        let watch = Watch { upstream, collection, at, body, spoke: false, over: false };
        futures::stream::unfold(watch, |mut watch| async {
            let next = watch.next().await?;
            watch.over = next.is_err();
            Some((next, watch))
        })
    })
}

fn path(collection: &str, at: &str) -> String {
    format!("{collection}?watch=1&allowWatchBookmarks=true&resourceVersion={at}")
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Change, Refused>> {
        while !self.over {
            match self.body.next().await {
                Some(Ok(line)) => {
                    self.spoke = true;
                    match self.told(&line) {
                        Ok(Told::Change(change)) => return Some(Ok(*change)),
                        Ok(Told::Nothing) => {}
                        Err(why) => return Some(Err(why)),
                    }
                }
                None | Some(Err(_)) if self.spoke => {
                    if let Err(why) = self.reopen().await {
                        return Some(Err(why));
                    }
                }
                Some(Err(why)) => return Some(Err(Refused::Unavailable(why))),
                // Nothing happened in its time: again, but not at once and
                // forever. Whoever reads may come back.
                None => return None,
            }
        }
        None
    }

    async fn reopen(&mut self) -> Result<(), Refused> {
        let opened = self.upstream.open(&path(&self.collection, &self.at)).await;
        self.body = Lines::new(opened.answer?.into_data_stream());
        self.spoke = false;
        Ok(())
    }

    fn told(&mut self, line: &[u8]) -> Result<Told, Refused> {
        let Event { kind, object } = serde_json::from_slice(line).map_err(unreadable)?;
        let kind = match &*kind {
            "ADDED" => ChangeKind::Created,
            "MODIFIED" => ChangeKind::Updated,
            "DELETED" => ChangeKind::Deleted,
            "BOOKMARK" => {
                let mark: Versioned<'_> = serde_json::from_str(object.get()).map_err(unreadable)?;
                self.at = mark.metadata.resource_version.into_owned();
                return Ok(Told::Nothing);
            }
            _ => return Err(failure(object)),
        };
        let todo: Stored<'_, Value> = serde_json::from_str(object.get()).map_err(unreadable)?;
        let version = &*todo.metadata.resource_version;
        self.at.clear();
        self.at.push_str(version);
        if kind == ChangeKind::Updated && todo.revision() != version {
            // Only its status.
            return Ok(Told::Nothing);
        }
        let mut entity = todo.loosely();
        entity.revision = Revision(version.to_owned());
        Ok(Told::Change(Box::new(Change { kind, entity })))
    }
}

/// What a watch ends with.
fn failure(status: &RawValue) -> Refused {
    #[derive(Default, Deserialize)]
    struct Failure {
        #[serde(default)]
        message: String,
        #[serde(default)]
        code: u16,
    }
    let Failure { message, code } = serde_json::from_str(status.get()).unwrap_or_default();
    match code {
        410 => Refused::Expired(message),
        _ => Refused::Unavailable(message),
    }
}

//! What the gateway, its clients and the apiserver say to each other. Texts are
//! borrowed from the bodies they come in, wherever they can be.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kab_evidence::id::OpId;
use serde::{Deserialize, Serialize};

use crate::rules::Content;

/// Body of `POST /api/todo`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NewTodo<'a> {
    #[serde(borrow)]
    pub(crate) code: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) message: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) when: Cow<'a, str>,
}

/// The object that a create sends to the apiserver.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object<'a> {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: ObjectHead<'a>,
    pub(super) spec: ObjectSpec<'a>,
}

#[derive(Serialize)]
pub(super) struct ObjectHead<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotations: Option<BTreeMap<&'static str, OpId>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ObjectSpec<'a> {
    #[serde(borrow)]
    pub(super) message: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) when: Cow<'a, str>,
}

/// What the gateway reads of the stored object.
#[derive(Deserialize)]
pub(super) struct Stored {
    pub(super) metadata: StoredHead,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredHead {
    pub(super) uid: String,
    pub(super) resource_version: String,
}

/// What the gateway reads of a list.
#[derive(Deserialize)]
pub(super) struct Stock<'a> {
    #[serde(borrow)]
    pub(super) items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    pub(super) metadata: ItemHead<'a>,
    #[serde(borrow)]
    pub(super) spec: ObjectSpec<'a>,
}

#[derive(Deserialize)]
pub(super) struct ItemHead<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) uid: Cow<'a, str>,
}

/// A Todo as the gateway's clients see it.
#[derive(Serialize)]
pub(super) struct TodoView<'a> {
    pub(super) id: &'a str,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) when: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValidateRequest<'a> {
    #[serde(borrow)]
    pub(super) raw: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) raw_old: Option<Cow<'a, str>>,
}

/// What is judged of a Todo.
#[derive(Deserialize)]
pub(super) struct Judged<'a> {
    #[serde(borrow)]
    pub(super) spec: ObjectSpec<'a>,
}

#[derive(Serialize)]
pub(super) struct ValidateResponse {
    pub(super) valid: bool,
    pub(super) message: Option<String>,
}

impl Judged<'_> {
    /// What the rules are about.
    pub(super) fn content(&self) -> Content<'_> {
        Content { message: &self.spec.message, when: &self.spec.when }
    }
}

/// Body of `POST /api/todonotifications`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    pub(super) todo_id: String,
    pub(super) issued_at: String,
}

/// Body of every refusal.
#[derive(Serialize)]
pub(super) struct Refusal<'a> {
    pub(super) message: Cow<'a, str>,
    pub(super) code: Option<u16>,
    pub(super) status: &'a str,
}

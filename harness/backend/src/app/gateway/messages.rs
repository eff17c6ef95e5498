//! What the gateway and its clients say to each other. Texts are borrowed from
//! the bodies they come in, wherever they can be.

use std::borrow::Cow;

use kab_evidence::id::OpId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rules::Broken;
use crate::store::{Change, ChangeKind, Entity, Notice};

/// Body of `POST /api/todo`.
pub(crate) type NewTodo<'a> = crate::store::Draft<'a>;

/// A Todo as the gateway's clients see it.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Todo)]
pub(crate) struct TodoView<'a> {
    /// Its identity, which no later Todo with the same code shares.
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    /// Its business code, which is unique.
    #[serde(borrow)]
    pub(crate) code: Cow<'a, str>,
    /// What is to be done.
    #[serde(borrow)]
    pub(crate) message: Cow<'a, str>,
    /// When, RFC 3339.
    #[serde(borrow)]
    #[schema(format = "date-time")]
    pub(crate) when: Cow<'a, str>,
    /// Which state of it this is: the `ETag`, and a position in the stream of
    /// changes.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<Cow<'a, str>>,
}

impl<'a> TodoView<'a> {
    /// `entity`, as the origin shows it.
    pub(super) fn plain(entity: &'a Entity) -> Self {
        Self {
            id: Cow::Borrowed(&entity.id),
            code: Cow::Borrowed(&entity.code),
            message: Cow::Borrowed(&entity.message),
            when: Cow::Borrowed(&entity.when),
            revision: None,
        }
    }
}

impl<'a> From<&'a Entity> for TodoView<'a> {
    fn from(entity: &'a Entity) -> Self {
        Self { revision: Some(Cow::Borrowed(&entity.revision.0)), ..Self::plain(entity) }
    }
}

/// A Todo to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewTodo)]
#[expect(dead_code, reason = "describes `Draft` to readers of the API's document")]
pub(super) struct NewTodoSchema {
    /// Its business code, which is unique: any text.
    code: String,
    /// What is to be done.
    message: String,
    /// When, RFC 3339, in the years 2000 to 2099.
    #[schema(format = "date-time")]
    when: String,
}

/// Body of `PUT /api/todo/{code}`.
#[derive(Deserialize, ToSchema)]
#[schema(as = TodoContent)]
pub(super) struct Content<'a> {
    /// If it is said, that of the path: a code does not change.
    #[serde(borrow, default)]
    pub(super) code: Option<Cow<'a, str>>,
    /// What is to be done.
    #[serde(borrow)]
    pub(super) message: Cow<'a, str>,
    /// When, RFC 3339, in the years 2000 to 2099, and at most 3650 days later
    /// than before.
    #[serde(borrow)]
    #[schema(format = "date-time")]
    pub(super) when: Cow<'a, str>,
}

/// A page of Todos.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = TodoPage)]
pub(crate) struct PageView<'a> {
    /// In the order of their codes.
    #[serde(borrow)]
    pub(crate) items: Vec<TodoView<'a>>,
    /// Asks for the next page; absent if this is the last.
    #[serde(borrow, default, rename = "continue", skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<Cow<'a, str>>,
    /// From here on, the stream of changes tells what this page does not.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<Cow<'a, str>>,
}

/// A line of the stream of changes.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = TodoChange)]
pub(crate) struct ChangeView<'a> {
    /// `created`, `updated` or `deleted`.
    #[schema(value_type = String)]
    pub(crate) kind: ChangeKind,
    /// The Todo after it; after a removal, as it last was.
    #[serde(borrow)]
    pub(crate) entity: TodoView<'a>,
    /// From here on, everything after this change is told.
    #[serde(borrow)]
    pub(crate) revision: Cow<'a, str>,
    /// The operation that wrote it, if it is known: a W3C trace id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) op: Option<OpId>,
}

impl<'a> From<&'a Change> for ChangeView<'a> {
    fn from(change: &'a Change) -> Self {
        Self {
            kind: change.kind,
            entity: TodoView::from(&change.entity),
            revision: Cow::Borrowed(&change.entity.revision.0),
            op: change.entity.op,
        }
    }
}

/// What a stream of changes ends with if it cannot go on.
#[derive(Serialize, Deserialize)]
pub(crate) struct Broke<'a> {
    #[serde(borrow)]
    pub(crate) problem: ProblemView<'a>,
}

/// What a transaction has written.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Written)]
pub(crate) struct WrittenView<'a> {
    /// In the order of the writes; what was removed, as it was.
    #[serde(borrow)]
    pub(crate) entities: Vec<TodoView<'a>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValidateRequest<'a> {
    /// The Todo as the apiserver would store it, as text.
    #[serde(borrow)]
    pub(super) raw: Cow<'a, str>,
    /// The one that it replaces, as text.
    #[serde(borrow, default)]
    pub(super) raw_old: Option<Cow<'a, str>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ValidateResponse {
    /// Whether it may be stored.
    pub(super) valid: bool,
    /// Why not.
    pub(super) message: Option<String>,
}

/// Body of `POST /api/todonotifications`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    /// The Todo's id.
    pub(super) todo_id: String,
    /// When.
    pub(super) issued_at: String,
    /// Its code: without, the Todo has to be looked for.
    #[serde(default)]
    pub(super) code: Option<String>,
}

/// Who answers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta<'a> {
    /// The name of this replica.
    pub(super) pod_name: &'a str,
}

/// Of what the application was told.
#[derive(Serialize, ToSchema)]
pub(super) struct Known<'a> {
    /// The last notice of each Todo.
    #[schema(value_type = Vec<NoticeSchema>)]
    pub(super) notifications: &'a [Notice],
    /// Who answers.
    pub(super) meta: Meta<'a>,
}

/// That somebody was told of a Todo.
#[derive(ToSchema)]
#[schema(as = Notice, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes `Notice` to readers of the API's document")]
pub(super) struct NoticeSchema {
    /// The Todo's id.
    todo_id: String,
    /// When, as whoever told it said.
    issued_at: String,
}

/// Body of every refusal of the origin's gateway.
#[derive(Serialize, Deserialize)]
pub(crate) struct Refusal<'a> {
    #[serde(borrow)]
    pub(crate) message: Cow<'a, str>,
    pub(crate) code: Option<u16>,
    #[serde(borrow)]
    pub(crate) status: Cow<'a, str>,
}

/// Why something was not done (RFC 9457).
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(crate) struct ProblemView<'a> {
    /// What kind of problem it is: `urn:kab:problem:conflict`, ...
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Cow<'a, str>,
    /// The same, for people.
    #[serde(borrow, default)]
    pub(crate) title: Cow<'a, str>,
    /// The answer's status.
    #[serde(default)]
    pub(crate) status: u16,
    /// What happened.
    #[serde(borrow, default)]
    pub(crate) detail: Cow<'a, str>,
    /// Which rules are broken.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<BrokenView<'a>>,
}

/// A rule that is broken.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = BrokenRule)]
pub(crate) struct BrokenView<'a> {
    /// Which.
    pub(crate) rule: Broken,
    /// The same, for people.
    #[serde(borrow)]
    pub(crate) detail: Cow<'a, str>,
}

//! What the relay publishes, and consumers read.

use std::borrow::Cow;

use http::HeaderName;
use kab_evidence::span::Change;
use serde::{Deserialize, Serialize};

use crate::store::ChangeKind;

/// The header that is the same for every copy of one notification.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What tells a change from every other one, also from those of other instances
/// on the same broker, which count their revisions from 1 as well.
pub(super) fn key(id: &str, revision: &str) -> String {
    format!("{id}/{revision}")
}

/// Something that happened to a Todo: body of a message, and of the
/// notification that a subscriber gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Announcement<'a> {
    /// Its identity.
    #[serde(borrow)]
    pub(super) todo_id: Cow<'a, str>,
    /// When it happened, RFC 3339.
    #[serde(borrow)]
    pub(super) issued_at: Cow<'a, str>,
    /// What happened.
    pub(super) change: ChangeKind,
    /// The state that it came to. Notifications of one Todo may overtake each
    /// other: the highest is the newest.
    #[serde(borrow)]
    pub(super) revision: Cow<'a, str>,
}

impl Announcement<'_> {
    /// The change, as spans name it.
    pub(super) const fn seen(&self) -> Change {
        match self.change {
            ChangeKind::Created | ChangeKind::Updated => Change::Applied,
            ChangeKind::Deleted => Change::Deleted,
        }
    }
}

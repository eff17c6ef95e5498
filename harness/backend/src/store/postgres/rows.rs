//! What a row says.

use jiff::Timestamp;
use kab_evidence::id::OpId;
use tokio_postgres::Row;
use uuid::Uuid;

use super::super::{Change, ChangeKind, Entity, Refused, Revision};
use super::Fault;
use crate::rules::Broken;

/// The columns of an entity, in the order of [`entity`].
pub(super) const ENTITY: &str = "id, code, message, due, revision, op";

/// An entity, of a row that begins with the columns [`ENTITY`].
pub(super) fn entity(row: &Row) -> Result<Entity, tokio_postgres::Error> {
    let due: Timestamp = row.try_get(3)?;
    let op: Option<&str> = row.try_get(5)?;
    Ok(Entity {
        id: row.try_get::<_, Uuid>(0)?.to_string(),
        code: row.try_get(1)?,
        message: row.try_get(2)?,
        when: due.to_string(),
        revision: Revision(row.try_get::<_, i64>(4)?.to_string()),
        op: op.and_then(|op| op.parse::<OpId>().ok()),
    })
}

/// A change, of a row that has its kind behind the columns [`ENTITY`].
pub(super) fn change(row: &Row) -> Result<Change, tokio_postgres::Error> {
    let kind = match row.try_get::<_, &str>(6)? {
        "created" => ChangeKind::Created,
        "deleted" => ChangeKind::Deleted,
        _ => ChangeKind::Updated,
    };
    Ok(Change { kind, entity: entity(row)? })
}

/// `when` as the moment that it is.
pub(super) fn moment(when: &str) -> Result<Timestamp, Fault> {
    let none = |_| Fault::Refused(Refused::Invalid(Broken::NoTime.to_string()));
    when.parse().map_err(none)
}

/// The number of a revision; none if it is none of this store's.
pub(super) fn number(revision: &Revision) -> Option<i64> {
    revision.0.parse().ok()
}

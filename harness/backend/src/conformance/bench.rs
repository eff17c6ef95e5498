//! What the cases have in common.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use kab_evidence::id::OpId;

use super::{Seen, Trial};
use crate::store::{
    Change, ChangeKind, Difference, Draft, Entity, Page, Position, Query, Refused, Revision, Store,
};

/// How long a change may take to be told. Only a store that does not tell it
/// makes anybody wait so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// When everything is due unless it matters.
pub(super) const WHEN: &str = "2030-06-15T12:00:00Z";

/// Changes, as they are told.
pub(super) type Changes = BoxStream<'static, Result<Change, Refused>>;

/// A store under test.
pub(super) struct Bench<'a, S> {
    pub(super) store: &'a S,
    pub(super) trial: &'a Trial,
    /// Whether the store says that it cannot tell refusals apart.
    pub(super) one_refusal: bool,
}

/// A kind of refusal that a case waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Conflict,
    NotFound,
    Invalid,
}

impl Wanted {
    const fn is(self, refused: &Refused) -> bool {
        matches!(
            (self, refused),
            (Self::Conflict, Refused::Conflict(_))
                | (Self::NotFound, Refused::NotFound(_))
                | (Self::Invalid, Refused::Invalid(_))
        )
    }
}

/// What is to be there under `code`.
pub(super) fn draft<'a>(code: &'a str, message: &'a str) -> Draft<'a> {
    Draft { code: code.into(), message: message.into(), when: WHEN.into() }
}

impl<S: Store> Bench<'_, S> {
    /// The code of this trial that ends in `name`.
    pub(super) fn code(&self, name: &str) -> String {
        format!("{}-{name}", self.trial.tag)
    }

    /// Whether an entity is one of those whose codes begin with `code(name)`.
    pub(super) fn is(&self, entity: &Entity, name: &str) -> bool {
        entity.code.starts_with(&self.code(name))
    }

    pub(super) async fn make(&self, code: &str) -> Result<Entity, String> {
        self.create(None, &draft(code, "made")).await
    }

    pub(super) async fn create(
        &self,
        op: Option<OpId>,
        draft: &Draft<'_>,
    ) -> Result<Entity, String> {
        let done = self.store.create(op, draft).await;
        let made = done.answer.map_err(|e| format!("creating {:?}: {e}", draft.code))?;
        let same = made.code == draft.code
            && made.message == draft.message
            && made.when == draft.when
            && !made.id.is_empty();
        if same { Ok(made) } else { Err(format!("created {:?} and got {made:?}", draft.code)) }
    }

    pub(super) async fn update(
        &self,
        draft: &Draft<'_>,
        expected: Option<&Revision>,
    ) -> Result<Entity, String> {
        let done = self.store.update(None, draft, expected).await;
        done.answer.map_err(|e| format!("updating {:?}: {e}", draft.code))
    }

    pub(super) async fn delete(
        &self,
        code: &str,
        expected: Option<&Revision>,
    ) -> Result<Entity, String> {
        let done = self.store.delete(None, code, expected).await;
        done.answer.map_err(|e| format!("deleting {code:?}: {e}"))
    }

    pub(super) async fn get(&self, code: &str) -> Result<Entity, String> {
        self.store.get(None, code).await.answer.map_err(|e| format!("reading {code:?}: {e}"))
    }

    pub(super) async fn list(&self, query: &Query) -> Result<Page, String> {
        self.store.list(None, query).await.answer.map_err(|e| format!("listing {query:?}: {e}"))
    }

    /// Checks that `what` was refused as `wanted`; what it shows that the store
    /// cannot do.
    pub(super) fn refused<T>(
        &self,
        what: &str,
        answer: &Result<T, Refused>,
        wanted: Wanted,
    ) -> Seen {
        match answer {
            Ok(_) => Err(format!("{what} was done; {wanted:?} was to be expected")),
            Err(why) if wanted.is(why) => Ok(BTreeSet::new()),
            Err(Refused::Indeterminate(_)) if self.one_refusal => {
                Ok([Difference::OneRefusal].into())
            }
            Err(why) => {
                Err(format!("{what} was refused as {why:?}; {wanted:?} was to be expected"))
            }
        }
    }

    /// Checks that there is nothing under `code`.
    pub(super) async fn absent(&self, code: &str) -> Seen {
        let answer = self.store.get(None, code).await.answer;
        self.refused(&format!("reading {code:?}"), &answer, Wanted::NotFound)
    }

    /// Checks that what is under `wanted.code` is just that.
    pub(super) async fn present(&self, wanted: &Entity) -> Result<(), String> {
        let found = self.get(&wanted.code).await?;
        if same(&found, wanted) && found.revision == wanted.revision {
            Ok(())
        } else {
            Err(format!("{:?} is {found:?}; {wanted:?} was to be expected", wanted.code))
        }
    }

    pub(super) async fn changes(&self, from: Position) -> Result<Changes, String> {
        let done = self.store.changes(from.clone()).await;
        done.answer.map_err(|e| format!("following changes from {from:?}: {e}"))
    }

    /// Everything that `changes` tells of this trial's entities up to the
    /// creation of one that is made here to end it, and not that.
    pub(super) async fn until(
        &self,
        changes: &mut Changes,
        end: &str,
    ) -> Result<Vec<Change>, String> {
        let end = self.make(&self.code(end)).await?;
        let mut told = Vec::new();
        loop {
            let change = next(changes).await?;
            if change.kind == ChangeKind::Created && change.entity.id == end.id {
                return Ok(told);
            }
            if change.entity.code.starts_with(&self.trial.tag) {
                told.push(change);
            }
        }
    }
}

/// The next change.
pub(super) async fn next(changes: &mut Changes) -> Result<Change, String> {
    match tokio::time::timeout(PATIENCE, changes.next()).await {
        Ok(Some(change)) => change.map_err(|e| format!("the stream of changes broke: {e}")),
        Ok(None) => Err("the stream of changes ended".to_owned()),
        Err(_) => Err(format!("no change was told for {} s", PATIENCE.as_secs())),
    }
}

/// Whether two entities are the same but for what not every answer says: the
/// state and the operation.
pub(super) fn same(one: &Entity, other: &Entity) -> bool {
    (&one.id, &one.code, &one.message, &one.when)
        == (&other.id, &other.code, &other.message, &other.when)
}

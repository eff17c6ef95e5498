//! What an informer knows of the entities, and so what is news to it.

use std::collections::HashMap;

use kab_evidence::span::Change;

use crate::entity::Todo;
use crate::store::ChangeKind;

/// A change that the subscriber is to be told.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::app) struct News {
    /// How it was learnt.
    pub(in crate::app) change: Change,
    /// What happened.
    pub(in crate::app) kind: ChangeKind,
    /// The entity after it; after a removal, as it last was.
    pub(in crate::app) todo: Todo,
}

/// The last known state of each entity, up to a revision.
#[derive(Debug, Default)]
pub(in crate::app) struct Mirror {
    known: HashMap<String, Todo>,
    /// Everything up to here is known, or was before this process began.
    position: Option<u64>,
    /// What was there before this revision may be unknown: no list said it.
    unlisted_before: Option<u64>,
    /// Whatever a list has is news (defect 9).
    replay: bool,
    /// A change of nothing but the status is no news.
    has_status: bool,
    /// A list that the watch has not caught up with.
    ahead: Option<(u64, Vec<Todo>)>,
}

impl Mirror {
    pub(in crate::app) fn new(replay: bool, has_status: bool) -> Self {
        Self { replay, has_status, ..Self::default() }
    }

    /// Everything up to here has been taken in.
    pub(in crate::app) const fn position(&self) -> Option<u64> {
        self.position
    }

    /// Begins at `position`, at which these were there, if anybody knows.
    pub(in crate::app) fn recall(&mut self, position: u64, todos: Option<Vec<Todo>>) {
        self.position = Some(position);
        self.unlisted_before = todos.is_none().then_some(position);
        self.known = by_name(todos.unwrap_or_default());
    }

    /// Takes in a list at `revision`, from which the watch goes on: what was
    /// missed until then. At the first start ever nothing was.
    pub(in crate::app) fn listed(&mut self, revision: u64, todos: Vec<Todo>) -> Vec<News> {
        self.ahead = None;
        self.unlisted_before = None;
        let mut gone = std::mem::take(&mut self.known);
        let mut news = Vec::new();
        for todo in todos {
            let before = gone.remove(todo.name());
            let before = before.filter(|before| {
                let same = before.uid() == todo.uid();
                if !same {
                    news.push(deleted(before.clone()));
                }
                same
            });
            self.known.insert(todo.name().to_owned(), todo.clone());
            let missed = self.position.is_some_and(|position| number(&todo) > position)
                && !before.as_ref().is_some_and(|before| self.is_told(before, &todo));
            if self.replay || missed {
                let kind = match &before {
                    None if todo.metadata.generation.is_none_or(|n| n == 1) => ChangeKind::Created,
                    _ => ChangeKind::Updated,
                };
                news.push(News { change: Change::Listed, kind, todo });
            }
        }
        news.extend(gone.into_values().map(deleted));
        if !self.replay {
            news.sort_by_key(|news| number(&news.todo));
        }
        self.position = Some(revision);
        news
    }

    /// Takes in what the watch tells.
    pub(in crate::app) fn told(&mut self, kind: ChangeKind, todo: Todo) -> Vec<News> {
        let revision = number(&todo);
        let mut news = self.catch_up(revision.saturating_sub(1));
        self.position = self.position.max(Some(revision));
        let name = todo.name();
        let before = match kind {
            ChangeKind::Deleted => self.known.remove(name),
            _ => self.known.insert(name.to_owned(), todo.clone()),
        };
        let change = match kind {
            ChangeKind::Deleted => Change::Deleted,
            ChangeKind::Created | ChangeKind::Updated => Change::Applied,
        };
        let is_known = kind != ChangeKind::Deleted
            && before.is_some_and(|before| self.is_told(&before, &todo));
        if !is_known {
            news.push(News { change, kind, todo });
        }
        news
    }

    /// Takes in that there was nothing else up to `revision`.
    pub(in crate::app) fn reached(&mut self, revision: u64) -> Vec<News> {
        self.position = self.position.max(Some(revision));
        self.catch_up(revision)
    }

    /// Takes in a list that was made beside the watch, at `revision`. Once the
    /// watch has told everything up to there, both must say the same: what the
    /// list alone has, the watch has left out.
    pub(in crate::app) fn compare_with(&mut self, revision: u64, todos: Vec<Todo>) -> Vec<News> {
        self.ahead = Some((revision, todos));
        self.catch_up(self.position.unwrap_or_default())
    }

    fn catch_up(&mut self, told_until: u64) -> Vec<News> {
        let Some((_, todos)) = self.ahead.take_if(|(revision, _)| *revision <= told_until) else {
            return Vec::new();
        };
        let unlisted_before = self.unlisted_before.take();
        let mut gone = std::mem::take(&mut self.known);
        let mut news = Vec::new();
        for todo in todos {
            let before = gone.remove(todo.name());
            let told = match &before {
                Some(before) => number(before) >= number(&todo) || self.is_told(before, &todo),
                None => unlisted_before.is_some_and(|first| number(&todo) <= first),
            };
            if !told {
                let same = before.is_some_and(|before| before.uid() == todo.uid());
                let kind = if same { ChangeKind::Updated } else { ChangeKind::Created };
                news.push(News { change: Change::Listed, kind, todo: todo.clone() });
            }
            self.known.insert(todo.name().to_owned(), todo);
        }
        news.extend(gone.into_values().map(deleted));
        news.sort_by_key(|news| number(&news.todo));
        news
    }

    /// Whether `now` has nothing in it that `before` did not tell.
    fn is_told(&self, before: &Todo, now: &Todo) -> bool {
        let same = before.uid() == now.uid();
        let older = number(now) <= number(before);
        same && (older || self.has_status && same_but_for_status(before, now))
    }
}

fn deleted(todo: Todo) -> News {
    News { change: Change::Deleted, kind: ChangeKind::Deleted, todo }
}

fn same_but_for_status(one: &Todo, other: &Todo) -> bool {
    let (a, b) = (&one.metadata, &other.metadata);
    one.spec == other.spec
        && a.annotations == b.annotations
        && a.labels == b.labels
        && a.finalizers == b.finalizers
        && a.owner_references == b.owner_references
        && a.deletion_timestamp == b.deletion_timestamp
}

fn by_name(todos: Vec<Todo>) -> HashMap<String, Todo> {
    todos.into_iter().map(|todo| (todo.name().to_owned(), todo)).collect()
}

/// resourceVersions can be compared as numbers: Kubernetes says so since 1.35,
/// and they always were etcd's revisions.
pub(super) fn number(todo: &Todo) -> u64 {
    todo.revision().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests;

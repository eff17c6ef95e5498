//! A store in memory that can do everything, but for a fault.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::stream::BoxStream;
use kab_evidence::id::OpId;
use tokio::sync::watch;

use crate::rules::{Broken, Content, judge};
use crate::store::{
    Change, ChangeKind, Difference, Done, Draft, Entity, Page, Position, Query, Refused, Revision,
    Store, Write,
};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    ForgetsPreconditions,
    DuplicatesChanges,
    SwallowsDeletes,
    NamesNoOperation,
    SkipsAfterResume,
    TellsThePast,
    ForgetsThePast,
    TearsTransactions,
    TakesBlankMessages,
    RefusesAsDenied,
    LosesUpdates,
    ListsInAnyOrder,
    SkipsBetweenPages,
    FiltersNothing,
    KeepsIds,
    CutsLargeMessages,
    ConfusesCodes,
}

#[derive(Clone, Default)]
struct State {
    entities: BTreeMap<String, Entity>,
    log: Vec<Change>,
    ids: u64,
}

pub(super) struct Memory {
    state: Arc<Mutex<State>>,
    news: watch::Sender<()>,
    fault: Option<Fault>,
    pub(super) differences: Vec<Difference>,
}

type Answer<T> = Result<T, Refused>;

fn at(revision: &Revision) -> usize {
    revision.0.parse().unwrap()
}

impl Memory {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        let news = watch::Sender::new(());
        Self { state: Arc::default(), news, fault, differences: Vec::new() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn conflict(&self, why: &str) -> Refused {
        match self.has(Fault::RefusesAsDenied) {
            true => Refused::Denied(why.to_owned()),
            false => Refused::Conflict(why.to_owned()),
        }
    }

    fn key(&self, code: &str) -> String {
        if self.has(Fault::ConfusesCodes) { code.to_lowercase() } else { code.to_owned() }
    }

    fn judge(&self, draft: &Draft<'_>, old: Option<&Entity>) -> Answer<()> {
        let new = Content { message: &draft.message, when: &draft.when };
        let old = old.map(|old| Content { message: &old.message, when: &old.when });
        let mut broken = judge(new, old);
        broken
            .retain(|rule| !(self.has(Fault::TakesBlankMessages) && *rule == Broken::BlankMessage));
        if broken.is_empty() { Ok(()) } else { Err(Refused::Invalid(format!("{broken:?}"))) }
    }

    fn log(
        &self,
        state: &mut State,
        kind: ChangeKind,
        mut entity: Entity,
        op: Option<OpId>,
    ) -> Entity {
        entity.revision = Revision((state.log.len() + 1).to_string());
        entity.op = if self.has(Fault::NamesNoOperation) { None } else { op };
        state.log.push(Change { kind, entity: entity.clone() });
        match kind {
            ChangeKind::Deleted => state.entities.remove(&self.key(&entity.code)),
            _ => state.entities.insert(self.key(&entity.code), entity.clone()),
        };
        entity
    }

    fn write(&self, state: &mut State, op: Option<OpId>, write: &Write<'_>) -> Answer<Entity> {
        match write {
            Write::Create(draft) => self.insert(state, op, draft),
            Write::Update(draft) => self.replace(state, op, draft, None),
            Write::Delete(code) => self.remove(state, op, code, None),
        }
    }

    fn insert(&self, state: &mut State, op: Option<OpId>, draft: &Draft<'_>) -> Answer<Entity> {
        if state.entities.contains_key(&self.key(&draft.code)) {
            return Err(self.conflict("there already"));
        }
        self.judge(draft, None)?;
        state.ids += 1;
        let id = match self.has(Fault::KeepsIds) {
            true => format!("id of {}", draft.code),
            false => state.ids.to_string(),
        };
        let mut message = draft.message.clone().into_owned();
        if self.has(Fault::CutsLargeMessages) {
            message.truncate(1 << 16);
        }
        let entity = Entity {
            id,
            code: self.key(&draft.code),
            message,
            when: draft.when.clone().into_owned(),
            revision: Revision(String::new()),
            op,
        };
        Ok(self.log(state, ChangeKind::Created, entity, op))
    }

    fn found(&self, state: &State, code: &str, expected: Option<&Revision>) -> Answer<Entity> {
        let found = state.entities.get(&self.key(code)).cloned();
        let found = found.ok_or_else(|| Refused::NotFound(code.to_owned()))?;
        let other = expected.is_some_and(|expected| *expected != found.revision);
        match other && !self.has(Fault::ForgetsPreconditions) {
            true => Err(self.conflict("another state")),
            false => Ok(found),
        }
    }

    fn replace(
        &self,
        state: &mut State,
        op: Option<OpId>,
        draft: &Draft<'_>,
        expected: Option<&Revision>,
    ) -> Answer<Entity> {
        let old = self.found(state, &draft.code, expected)?;
        self.judge(draft, Some(&old))?;
        let new = Entity {
            message: draft.message.clone().into_owned(),
            when: draft.when.clone().into_owned(),
            ..old
        };
        if self.has(Fault::LosesUpdates) && draft.message.ends_with('3') {
            // Answered, and gone.
            return Ok(Entity { revision: Revision("1000000".to_owned()), ..new });
        }
        Ok(self.log(state, ChangeKind::Updated, new, op))
    }

    fn remove(
        &self,
        state: &mut State,
        op: Option<OpId>,
        code: &str,
        expected: Option<&Revision>,
    ) -> Answer<Entity> {
        let old = self.found(state, code, expected)?;
        self.log(state, ChangeKind::Deleted, old.clone(), op);
        Ok(old)
    }

    fn done<T>(&self, act: impl FnOnce(&mut State) -> Answer<T>) -> Done<T> {
        let answer = act(&mut self.state.lock().unwrap());
        self.news.send_replace(());
        let now = kab_evidence::clock::Mono::now();
        Done { answer, sent: now, done: now, status: None }
    }

    fn page(&self, state: &State, query: &Query) -> Page {
        let fits = |entity: &&Entity| {
            let due = query.when.as_ref().is_none_or(|when| *when == entity.when);
            let behind = query.from.as_ref().is_none_or(|from| *from < entity.code);
            behind && (due || self.has(Fault::FiltersNothing))
        };
        let limit = query.limit.unwrap_or(100).min(500) as usize;
        let mut items: Vec<_> = state.entities.values().filter(fits).cloned().collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().map(|entity| entity.code.clone()).filter(|_| more);
        if self.has(Fault::ListsInAnyOrder) {
            items.reverse();
        }
        let behind = |last: &String| {
            let mut later = state.entities.keys().filter(|code| *code > last);
            later.next().cloned().unwrap_or_default()
        };
        let next = match self.has(Fault::SkipsBetweenPages) {
            true => last.as_ref().map(behind),
            false => last,
        };
        Page { items, next, revision: Some(Revision(state.log.len().to_string())) }
    }
}

impl Store for Memory {
    fn differences(&self) -> Vec<Difference> {
        self.differences.clone()
    }

    async fn create(&self, op: Option<OpId>, draft: &Draft<'_>) -> Done<Entity> {
        self.done(|state| self.insert(state, op, draft))
    }

    async fn get(&self, _: Option<OpId>, code: &str) -> Done<Entity> {
        self.done(|state| self.found(state, code, None))
    }

    async fn list(&self, _: Option<OpId>, query: &Query) -> Done<Page> {
        self.done(|state| Ok(self.page(state, query)))
    }

    async fn update(
        &self,
        op: Option<OpId>,
        draft: &Draft<'_>,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        self.done(|state| self.replace(state, op, draft, expected))
    }

    async fn delete(
        &self,
        op: Option<OpId>,
        code: &str,
        expected: Option<&Revision>,
    ) -> Done<Entity> {
        self.done(|state| self.remove(state, op, code, expected))
    }

    async fn transact(&self, op: Option<OpId>, writes: &[Write<'_>]) -> Done<Vec<Entity>> {
        self.done(|state| {
            let before = state.clone();
            let written: Answer<Vec<_>> =
                writes.iter().map(|write| self.write(state, op, write)).collect();
            if written.is_err() && !self.has(Fault::TearsTransactions) {
                *state = before;
            }
            written
        })
    }

    async fn changes(&self, from: Position) -> Done<BoxStream<'static, Answer<Change>>> {
        let (state, fault, mut news) = (Arc::clone(&self.state), self.fault, self.news.subscribe());
        self.done(|now| {
            let mut told = match &from {
                Position::Now if fault == Some(Fault::TellsThePast) => now.log.len() - 1,
                Position::Now => now.log.len(),
                Position::After(revision) => at(revision),
            };
            if fault == Some(Fault::ForgetsThePast) && told == 0 {
                return Err(Refused::Expired("long ago".to_owned()));
            }
            if fault == Some(Fault::SkipsAfterResume)
                && now.log.get(told).is_some_and(|next| next.kind == ChangeKind::Deleted)
            {
                told += 1;
            }
            let changes = async_changes(move || {
                let next = state.lock().unwrap().log.get(told).cloned();
                told += usize::from(next.is_some());
                next
            });
            news.mark_changed();
            Ok(changes(news, fault).boxed())
        })
    }
}

/// Changes as `next` gives them, awaited where it gives none.
fn async_changes(
    mut next: impl FnMut() -> Option<Change> + Send + 'static,
) -> impl FnOnce(watch::Receiver<()>, Option<Fault>) -> BoxStream<'static, Answer<Change>> {
    move |mut news, fault| {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while news.changed().await.is_ok() {
                while let Some(change) = next() {
                    let deleted = change.kind == ChangeKind::Deleted;
                    if fault == Some(Fault::SwallowsDeletes) && deleted {
                        continue;
                    }
                    if fault == Some(Fault::DuplicatesChanges) {
                        let _ = sender.send(Ok(change.clone()));
                    }
                    if sender.send(Ok(change)).is_err() {
                        return;
                    }
                }
            }
        });
        let stream = futures::stream::unfold(receiver, |mut receiver| async {
            Some((receiver.recv().await?, receiver))
        });
        stream.boxed()
    }
}

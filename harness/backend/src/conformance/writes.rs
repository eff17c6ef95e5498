//! Creates, updates and deletes.

use std::collections::BTreeSet;

use super::Seen;
use super::bench::{Bench, Wanted, draft, next, same};
use crate::store::{ChangeKind, Position, Store};

/// How many updates are sent at the same time.
const AT_ONCE: usize = 8;

pub(super) async fn created<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let code = bench.code("created");
    let made = bench.create(None, &draft(&code, "ä \"quoted\"\n\tline")).await?;
    bench.present(&made).await?;
    let other = bench.make(&bench.code("created-too")).await?;
    if made.id == other.id {
        return Err(format!("two entities have the id {}", made.id));
    }
    Ok(BTreeSet::new())
}

pub(super) async fn unique<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let code = bench.code("unique");
    let made = bench.make(&code).await?;
    let again = bench.store.create(None, &draft(&code, "again")).await.answer;
    let seen = bench.refused("creating a code twice", &again, Wanted::Conflict)?;
    bench.present(&made).await?;
    Ok(seen)
}

pub(super) async fn missing<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let code = bench.code("missing");
    let mut seen = bench.absent(&code).await?;
    let updated = bench.store.update(None, &draft(&code, "m"), None).await.answer;
    seen.extend(bench.refused("updating what is missing", &updated, Wanted::NotFound)?);
    let deleted = bench.store.delete(None, &code, None).await.answer;
    seen.extend(bench.refused("deleting what is missing", &deleted, Wanted::NotFound)?);
    seen.extend(bench.absent(&code).await?);
    Ok(seen)
}

pub(super) async fn updated<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let code = bench.code("updated");
    let made = bench.make(&code).await?;
    let mut wanted = draft(&code, "other");
    wanted.when = "2031-01-01T00:00:00Z".into();
    let updated = bench.update(&wanted, None).await?;
    if updated.id != made.id || updated.message != "other" || updated.when != wanted.when {
        return Err(format!("updated {made:?} and got {updated:?}"));
    }
    if updated.revision == made.revision {
        return Err(format!("two states have the revision {}", made.revision));
    }
    bench.present(&updated).await?;
    Ok(BTreeSet::new())
}

pub(super) async fn deleted<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let code = bench.code("deleted");
    let made = bench.make(&code).await?;
    let removed = bench.delete(&code, None).await?;
    if !same(&made, &removed) {
        return Err(format!("deleted {made:?} and got {removed:?}"));
    }
    let seen = bench.absent(&code).await?;
    let later = bench.make(&code).await?;
    if later.id == made.id {
        return Err(format!("what was deleted and what came later have the id {}", made.id));
    }
    Ok(seen)
}

/// All of them are applied, each gives a state of its own, and the last one
/// told is what is there.
pub(super) async fn concurrent<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let code = bench.code("concurrent");
    let made = bench.make(&code).await?;
    let messages: Vec<_> = (0..AT_ONCE).map(|n| format!("update {n}")).collect();
    let updates =
        messages.iter().map(async |message| bench.update(&draft(&code, message), None).await);
    let updated = futures::future::join_all(updates).await;
    let updated = updated.into_iter().collect::<Result<Vec<_>, _>>()?;
    let states: BTreeSet<_> = updated.iter().map(|entity| &entity.revision.0).collect();
    if states.len() != AT_ONCE {
        return Err(format!("{AT_ONCE} updates gave {} states", states.len()));
    }
    let mut changes = bench.changes(Position::After(made.revision)).await?;
    let mut told = Vec::new();
    while told.len() < AT_ONCE {
        let change = next(&mut changes).await?;
        if change.entity.id == made.id && change.kind == ChangeKind::Updated {
            told.push(change.entity);
        }
    }
    let all: BTreeSet<_> = told.iter().map(|entity| entity.message.clone()).collect();
    if all != messages.iter().cloned().collect() {
        return Err(format!("of {AT_ONCE} updates only {all:?} were told"));
    }
    for entity in &told {
        let answered = updated.iter().find(|updated| updated.message == entity.message);
        if answered.is_none_or(|answered| answered.revision != entity.revision) {
            return Err(format!("{entity:?} was answered with another revision: {answered:?}"));
        }
    }
    match told.last() {
        Some(last) => bench.present(last).await.map(|()| BTreeSet::new()),
        None => Err("no update was told".to_owned()),
    }
}

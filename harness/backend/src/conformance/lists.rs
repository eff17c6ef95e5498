//! Lists: pages, filters, and where they end.

use std::collections::BTreeSet;

use super::Seen;
use super::bench::{Bench, draft};
use crate::store::{Change, Difference, Draft, Entity, Position, Query, Store};

/// How many entities there are, and how many a page may have.
const MADE: usize = 7;
const PAGE: u32 = 3;

/// Every entity, page by page.
pub(super) async fn everything<S: Store>(bench: &Bench<'_, S>) -> Result<Vec<Entity>, String> {
    let mut query = Query { limit: Some(500), ..Query::default() };
    let mut all = Vec::new();
    loop {
        let page = bench.list(&query).await?;
        all.extend(page.items);
        match page.next {
            Some(next) => query.from = Some(next),
            None => return Ok(all),
        }
    }
}

/// Also what others write meanwhile moves nothing out of sight.
pub(super) async fn pages<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let mut codes = Vec::new();
    for n in 0..MADE {
        let code = bench.code(&format!("page-{n}"));
        bench.make(&code).await?;
        codes.push(code);
    }
    let mut query = Query { limit: Some(PAGE), ..Query::default() };
    let mut listed = Vec::new();
    let mut seen = BTreeSet::new();
    let mut pages = 0;
    loop {
        let page = bench.list(&query).await?;
        if page.items.len() > PAGE as usize {
            seen.insert(Difference::NoPage);
        }
        listed.extend(page.items.into_iter().filter(|e| bench.is(e, "page-")).map(|e| e.code));
        pages += 1;
        if pages == 1 {
            // Before and behind everything that is yet to come.
            for late in ["page-0-late", "page-late"] {
                bench.make(&bench.code(late)).await?;
            }
        }
        match page.next {
            Some(next) => query.from = Some(next),
            None => break,
        }
    }
    if pages == 1 {
        seen.insert(Difference::NoPage);
    }
    let known: Vec<_> = listed.iter().filter(|code| codes.contains(code)).cloned().collect();
    if known != codes {
        return Err(format!("created {codes:?} and listed {listed:?}"));
    }
    let once: BTreeSet<_> = listed.iter().collect();
    if once.len() != listed.len() {
        return Err(format!("some were listed twice: {listed:?}"));
    }
    Ok(seen)
}

pub(super) async fn filter<S: Store>(bench: &Bench<'_, S>) -> Seen {
    const DUE: &str = "2033-03-03T03:03:03Z";
    let mut wanted = Vec::new();
    for n in 0..6 {
        let code = bench.code(&format!("filter-{n}"));
        let when = if n % 2 == 0 { DUE } else { "2033-03-03T03:03:04Z" };
        bench.create(None, &Draft { when: when.into(), ..draft(&code, "m") }).await?;
        if n % 2 == 0 {
            wanted.push(code);
        }
    }
    let mut query = Query { when: Some(DUE.to_owned()), ..Query::default() };
    let mut listed = Vec::new();
    loop {
        let page = bench.list(&query).await?;
        listed.extend(page.items);
        match page.next {
            Some(next) => query.from = Some(next),
            None => break,
        }
    }
    let others = listed.iter().any(|entity| entity.when != DUE);
    let found = listed.into_iter().filter(|e| bench.is(e, "filter-") && e.when == DUE);
    let found: Vec<_> = found.map(|entity| entity.code).collect();
    if found != wanted {
        return Err(format!("created {wanted:?} and listed {found:?}"));
    }
    Ok(if others { [Difference::NoQuery].into() } else { BTreeSet::new() })
}

/// If the list says where it ends: what was there before is not told, and what
/// comes later is.
pub(super) async fn then_changes<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let before = bench.make(&bench.code("listed-before")).await?;
    let page = bench.list(&Query { limit: Some(500), ..Query::default() }).await?;
    let Some(revision) = page.revision else { return Ok(BTreeSet::new()) };
    let after = bench.make(&bench.code("listed-after")).await?;
    let mut changes = bench.changes(Position::After(revision)).await?;
    let told = bench.until(&mut changes, "listed-end").await?;
    let ids: Vec<_> = told.iter().map(|Change { entity, .. }| &entity.id).collect();
    if ids == [&after.id] {
        Ok(BTreeSet::new())
    } else {
        Err(format!("after a list with {before:?} came {told:?}; only {after:?} was to come"))
    }
}

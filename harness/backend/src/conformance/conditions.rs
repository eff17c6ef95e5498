//! Writes that depend on a state.

use std::collections::BTreeSet;

use super::Seen;
use super::bench::{Bench, Wanted, draft};
use crate::store::{Difference, Store};

pub(super) async fn update<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let code = bench.code("condition");
    let first = bench.make(&code).await?;
    let second = bench.update(&draft(&code, "second"), Some(&first.revision)).await?;
    let stale = bench.store.update(None, &draft(&code, "stale"), Some(&first.revision)).await;
    if stale.answer.is_ok() {
        return Ok([Difference::NoPrecondition].into());
    }
    let what = "updating a state that is no more";
    let seen = bench.refused(what, &stale.answer, Wanted::Conflict)?;
    bench.present(&second).await?;
    bench.update(&draft(&code, "third"), Some(&second.revision)).await?;
    Ok(seen)
}

pub(super) async fn delete<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let code = bench.code("condition-delete");
    let first = bench.make(&code).await?;
    let second = bench.update(&draft(&code, "second"), None).await?;
    let stale = bench.store.delete(None, &code, Some(&first.revision)).await;
    if stale.answer.is_ok() {
        return Ok([Difference::NoPrecondition].into());
    }
    let what = "deleting a state that is no more";
    let mut seen: BTreeSet<_> = bench.refused(what, &stale.answer, Wanted::Conflict)?;
    bench.present(&second).await?;
    bench.delete(&code, Some(&second.revision)).await?;
    seen.extend(bench.absent(&code).await?);
    Ok(seen)
}

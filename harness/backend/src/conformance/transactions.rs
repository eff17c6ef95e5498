//! Several writes as one.

use std::collections::BTreeSet;

use super::Seen;
use super::bench::{Bench, Wanted, draft, same};
use crate::store::{Difference, Entity, Position, Refused, Store, Write};

/// What the store answers, or that it has no transactions.
async fn answered<S: Store>(
    bench: &Bench<'_, S>,
    writes: &[Write<'_>],
) -> Result<Result<Vec<Entity>, Refused>, BTreeSet<Difference>> {
    match bench.store.transact(None, writes).await.answer {
        Err(Refused::Unsupported(_)) => Err([Difference::NoTransaction].into()),
        Err(Refused::Indeterminate(_)) if bench.one_refusal => {
            Err([Difference::NoTransaction, Difference::OneRefusal].into())
        }
        answer => Ok(answer),
    }
}

pub(super) async fn whole<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let [new, old, gone] =
        ["new", "old", "gone"].map(|name| bench.code(&format!("transaction-{name}")));
    let kept = bench.make(&old).await?;
    let removed = bench.make(&gone).await?;
    let writes = [
        Write::Create(draft(&new, "new")),
        Write::Update(draft(&old, "changed")),
        Write::Delete(gone.as_str().into()),
    ];
    let written = match answered(bench, &writes).await {
        Ok(answer) => answer.map_err(|e| format!("a transaction: {e}"))?,
        Err(cannot) => {
            // Then nothing may have been done.
            bench.present(&kept).await?;
            bench.present(&removed).await?;
            bench.absent(&new).await?;
            return Ok(cannot);
        }
    };
    let [created, updated, deleted] = &written[..] else {
        return Err(format!("three writes gave {written:?}"));
    };
    if updated.id != kept.id || !same(deleted, &removed) {
        return Err(format!("a transaction gave {written:?}"));
    }
    bench.present(created).await?;
    bench.present(updated).await?;
    let seen = bench.absent(&gone).await?;
    let mut changes = bench.changes(Position::After(removed.revision)).await?;
    let told = bench.until(&mut changes, "transaction-end").await?;
    let ids: BTreeSet<_> = told.iter().map(|change| &change.entity.id).collect();
    if told.len() == 3 && ids.len() == 3 {
        Ok(seen)
    } else {
        Err(format!("of a transaction of three writes, {told:?} was told"))
    }
}

/// The last write cannot be done: so none is.
pub(super) async fn none<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let [new, old] = ["new", "old"].map(|name| bench.code(&format!("torn-{name}")));
    let kept = bench.make(&old).await?;
    let mut seen = BTreeSet::new();
    let (missing, blank) = (bench.code("torn-missing"), bench.code("torn-blank"));
    let doomed = [
        (Write::Create(draft(&old, "again")), Wanted::Conflict),
        (Write::Delete(missing.as_str().into()), Wanted::NotFound),
        (Write::Create(draft(&blank, " ")), Wanted::Invalid),
    ];
    for (last, wanted) in doomed {
        let writes =
            [Write::Create(draft(&new, "new")), Write::Update(draft(&old, "changed")), last];
        match answered(bench, &writes).await {
            Ok(answer) => seen.extend(bench.refused("a transaction", &answer, wanted)?),
            Err(cannot) => seen.extend(cannot),
        }
        seen.extend(bench.absent(&new).await?);
        bench.present(&kept).await?;
    }
    Ok(seen)
}

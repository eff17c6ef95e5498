//! Changes: each once, in order, from where one asks for.

use std::collections::BTreeSet;

use kab_evidence::id::OpId;

use super::Seen;
use super::bench::{Bench, draft, next, same};
use crate::store::{Change, ChangeKind, Difference, Entity, Position, Refused, Revision, Store};

/// What has been written, and so is to be told.
struct Written {
    /// The state before all of it.
    before: Revision,
    wanted: Vec<(ChangeKind, Entity)>,
}

/// Writes a few entities whose codes begin with `name`.
async fn write<S: Store>(bench: &Bench<'_, S>, name: &str) -> Result<Written, String> {
    let (one, other) = (bench.code(&format!("{name}-one")), bench.code(&format!("{name}-other")));
    let first = bench.make(&one).await?;
    let op = OpId::new(0x6b61_6200, 1);
    let mut created = bench.create(Some(op), &draft(&other, "created")).await?;
    created.op = Some(op);
    // This state was written by nobody who says so.
    let mut updated = bench.update(&draft(&other, "updated"), None).await?;
    updated.op = None;
    let removed = bench.delete(&other, None).await?;
    let last = bench.update(&draft(&one, "last"), None).await?;
    let wanted = vec![
        (ChangeKind::Created, created),
        (ChangeKind::Updated, updated),
        (ChangeKind::Deleted, removed),
        (ChangeKind::Updated, last),
    ];
    Ok(Written { before: first.revision, wanted })
}

/// Checks that just `wanted` was told.
fn compare(told: &[Change], wanted: &[(ChangeKind, Entity)]) -> Seen {
    let fits = |(told, (kind, entity)): (&Change, &(ChangeKind, Entity))| {
        let state = *kind == ChangeKind::Deleted
            || (told.entity.revision == entity.revision && told.entity.op == entity.op);
        told.kind == *kind && same(&told.entity, entity) && state
    };
    if told.len() == wanted.len() && told.iter().zip(wanted).all(fits) {
        Ok(BTreeSet::new())
    } else {
        Err(format!("told were {told:#?}; to be told were {wanted:#?}"))
    }
}

pub(super) async fn followed<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let start = bench.make(&bench.code("followed")).await?;
    let mut changes = bench.changes(Position::After(start.revision)).await?;
    let written = write(bench, "follow").await?;
    let told = bench.until(&mut changes, "follow-end").await?;
    // The first one made is told, too.
    let Some((first, told)) = told.split_first() else {
        return Err("nothing was told".to_owned());
    };
    if first.entity.revision != written.before {
        return Err(format!("the first change told is {first:?}"));
    }
    compare(told, &written.wanted)
}

/// From every state on, the rest is told.
pub(super) async fn resumed<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let Written { before, wanted } = write(bench, "resume").await?;
    let mut changes = bench.changes(Position::After(before)).await?;
    let told = bench.until(&mut changes, "resume-end").await?;
    compare(&told, &wanted)?;
    for (n, change) in told.iter().enumerate() {
        let from = Position::After(change.entity.revision.clone());
        let mut changes = bench.changes(from).await?;
        let rest = bench.until(&mut changes, &format!("resume-end-{n}")).await?;
        // Up to where the first stream was ended.
        let ends = |change: &&Change| !bench.is(&change.entity, "resume-end");
        let rest: Vec<_> = rest.iter().filter(ends).cloned().collect();
        compare(&rest, &wanted[n + 1..])?;
    }
    Ok(BTreeSet::new())
}

pub(super) async fn from_now<S: Store>(bench: &Bench<'_, S>) -> Seen {
    bench.make(&bench.code("now-before")).await?;
    let mut changes = bench.changes(Position::Now).await?;
    let after = bench.make(&bench.code("now-after")).await?;
    compare(&bench.until(&mut changes, "now-end").await?, &[(ChangeKind::Created, after)])
}

pub(super) async fn ancient<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let made = bench.make(&bench.code("ancient")).await?;
    let from = Position::After(bench.trial.ancient.clone());
    let refused = match bench.store.changes(from).await.answer {
        Err(why) => why,
        Ok(mut changes) => match futures::StreamExt::next(&mut changes).await {
            Some(Err(why)) => why,
            Some(Ok(first)) => return all_of(bench, first, &mut changes, &made).await,
            None => return Err("the stream from an old position ended".to_owned()),
        },
    };
    match refused {
        Refused::Expired(_) => Ok([Difference::PositionsExpire].into()),
        Refused::Indeterminate(_) if bench.one_refusal => {
            Ok([Difference::PositionsExpire, Difference::OneRefusal].into())
        }
        other => Err(format!("an old position was refused as {other:?}")),
    }
}

/// Checks that `made` comes, and the very first entity of the trial before it.
async fn all_of<S: Store>(
    bench: &Bench<'_, S>,
    first: Change,
    changes: &mut super::bench::Changes,
    made: &Entity,
) -> Seen {
    let mut oldest = false;
    let mut change = first;
    loop {
        oldest |= change.entity.code == bench.code("created");
        if change.entity.id == made.id {
            break;
        }
        change = next(changes).await?;
    }
    match oldest {
        true => Ok(BTreeSet::new()),
        false => Err("from an old position, only some of the changes were told".to_owned()),
    }
}

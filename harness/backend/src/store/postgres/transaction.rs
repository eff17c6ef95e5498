//! Several writes as one.

use deadpool_postgres::Object;
use kab_evidence::id::OpId;

use super::super::{Entity, Refused, Write};
use super::{Fault, refusal, statements};

/// How often a transaction is begun anew that another one stood in the way of.
const TRIES: u32 = 3;

/// All of `writes`, or none.
pub(super) async fn run(
    connection: &mut Object,
    op: Option<OpId>,
    writes: &[Write<'_>],
) -> Result<Vec<Entity>, Refused> {
    let mut tries = 1;
    loop {
        match once(connection, op, writes).await {
            Err(fault) if tries < TRIES && refusal::is_in_the_way(&fault) => tries += 1,
            outcome => return outcome.map_err(refusal::of_write),
        }
    }
}

async fn once(
    connection: &mut Object,
    op: Option<OpId>,
    writes: &[Write<'_>],
) -> Result<Vec<Entity>, Fault> {
    let transaction = connection.transaction().await.map_err(refusal::nothing_done)?;
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        let done = match write {
            Write::Create(draft) => statements::create(&transaction, op, draft).await,
            Write::Update(draft) => statements::update(&transaction, op, draft, None).await,
            Write::Delete(code) => statements::delete(&transaction, op, code, None).await,
        };
        match done {
            Ok(entity) => written.push(entity),
            Err(fault) => {
                // The connection is used again, or broken, which is seen then.
                let _ = transaction.rollback().await;
                // Nothing was committed, whatever was lost.
                return Err(refusal::before_commit(fault));
            }
        }
    }
    transaction.commit().await?;
    Ok(written)
}

//! Changes from a position on, out of the outbox.
//!
//! They are told in the order of (transaction, revision), and only those of
//! transactions older than every one that is under way: so none can appear
//! later that should have come before. A slow transaction holds back what comes
//! after it, and nothing is passed over.

use std::collections::VecDeque;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio_postgres::{Config, Statement};

use super::super::{Change, Position, Refused};
use super::rows::{ENTITY, change, number};
use super::{Fault, Listening, refusal};

/// How many are read at a time.
const BATCH: i64 = 500;

/// A snapshot that shows nothing: transaction 3 is the first that there can be.
const NOTHING: &str = "3:3:";

/// A stream under way.
struct Reader {
    listening: Listening,
    statement: Statement,
    tenant: String,
    /// Told already: everything that is visible in this snapshot, ...
    snapshot: String,
    /// ... and everything up to here.
    transaction: String,
    revision: i64,
    read: VecDeque<Change>,
}

/// Opens the stream of `tenant`'s changes from `from` on.
pub(super) async fn open(
    config: &Config,
    tenant: String,
    from: Position,
) -> Result<BoxStream<'static, Result<Change, Refused>>, Refused> {
    let reader = Reader::open(config, tenant, from).await.map_err(refusal::of_read)?;
    let told = stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next().await {
            Ok(change) => Some((Ok(change), Some(reader))),
            // The end: whoever goes on does so from the last change.
            Err(fault) => Some((Err(refusal::of_read(fault)), None)),
        }
    });
    Ok(told.boxed())
}

impl Reader {
    async fn open(config: &Config, tenant: String, from: Position) -> Result<Self, Fault> {
        let listening = Listening::connect(config).await?;
        let client = &listening.client;
        let (snapshot, transaction, revision) = match from {
            Position::Now => {
                let now = client.query_one("SELECT pg_current_snapshot()::text", &[]).await?;
                since(now.try_get(0)?)
            }
            Position::After(after) => match number(&after) {
                // Before the first revision: everything.
                Some(0) => (NOTHING.to_owned(), "0".to_owned(), 0),
                Some(revision) => {
                    let row = client
                        .query_opt(
                            "SELECT tx::text FROM kab.outbox WHERE revision = $1",
                            &[&revision],
                        )
                        .await?;
                    let row = row.ok_or_else(|| {
                        Refused::Expired(format!("there is no change {after} in the history"))
                    })?;
                    (NOTHING.to_owned(), row.try_get(0)?, revision)
                }
                None if is_snapshot(&after.0) => since(after.0),
                None => {
                    let why = format!("{after} is no position of this store's");
                    return Err(Refused::Expired(why).into());
                }
            },
        };
        // By the table's `tx`: that of the result is a text, and "1000" comes before "999".
        let text = format!(
            "SELECT {ENTITY}, kind, tx::text FROM kab.outbox \
             WHERE tenant = $1 AND (tx, revision) > ($2::text::xid8, $3) \
             AND tx < pg_snapshot_xmin(pg_current_snapshot()) \
             AND NOT pg_visible_in_snapshot(tx, $4::text::pg_snapshot) \
             ORDER BY outbox.tx, outbox.revision LIMIT {BATCH}"
        );
        let statement = client.prepare(&text).await?;
        let read = VecDeque::new();
        Ok(Self { listening, statement, tenant, snapshot, transaction, revision, read })
    }

    async fn next(&mut self) -> Result<Change, Fault> {
        loop {
            if let Some(change) = self.read.pop_front() {
                return Ok(change);
            }
            let client = &self.listening.client;
            let rows = client
                .query(
                    &self.statement,
                    &[&self.tenant, &self.transaction, &self.revision, &self.snapshot],
                )
                .await?;
            for row in &rows {
                self.read.push_back(change(row)?);
            }
            match rows.last() {
                Some(last) => {
                    self.revision = last.try_get(4)?;
                    self.transaction = last.try_get(7)?;
                }
                None => self.listening.wait().await,
            }
        }
    }
}

/// Everything that the snapshot does not show: all before its oldest
/// transaction under way is visible in it.
fn since(snapshot: String) -> (String, String, i64) {
    let oldest = snapshot.split(':').next().unwrap_or_default().to_owned();
    // Revisions begin at 1.
    (snapshot, oldest, 0)
}

/// Whether it is the text of one: `10:20:10,14,15`.
fn is_snapshot(text: &str) -> bool {
    let mut parts = text.split(':');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| {
            !part.is_empty() && part.len() < 20 && part.bytes().all(|b| b.is_ascii_digit())
        })
    };
    let bounds = is_number(parts.next()) && is_number(parts.next());
    let under_way = parts.next().is_some_and(|part| {
        part.is_empty() || part.split(',').all(|number| is_number(Some(number)))
    });
    bounds && under_way && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_told_from_anything_else() {
        for snapshot in ["10:20:10,14,15", "3:3:", "731:731:"] {
            assert!(is_snapshot(snapshot), "{snapshot}");
        }
        for other in ["", "12", "a:b:", "1:2", "1:2:3:4", "1:2:,", "1:2:x"] {
            assert!(!is_snapshot(other), "{other}");
        }
        assert_eq!(since("10:20:14".into()), ("10:20:14".into(), "10".into(), 0));
    }
}

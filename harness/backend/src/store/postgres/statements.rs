//! One statement an operation. Each is prepared once a connection, and commits
//! by itself unless it is part of a transaction.

use deadpool_postgres::GenericClient;
use kab_evidence::id::OpId;

use super::super::{Draft, Entity, Page, Query, Refused, Revision};
use super::rows::{ENTITY, entity, moment, number};
use super::{Fault, LARGEST_PAGE, PAGE};
use crate::rules::{Broken, Content, judge};

/// What the rules say of `draft`, where the database could only name one of
/// those that it breaks, or would not even be asked.
fn judged(draft: &Draft<'_>) -> Option<Refused> {
    let content = Content { message: &draft.message, when: &draft.when };
    let broken: Vec<String> = judge(content, None).iter().map(Broken::to_string).collect();
    (!broken.is_empty()).then(|| Refused::Invalid(broken.join("; ")))
}

/// What a statement about `draft` failed of, with all rules that it breaks.
fn explained(fault: Fault, draft: &Draft<'_>) -> Fault {
    match super::refusal::is_rule(&fault) {
        true => judged(draft).map_or(fault, Fault::Refused),
        false => fault,
    }
}

pub(super) async fn create<C: GenericClient>(
    client: &C,
    op: Option<OpId>,
    draft: &Draft<'_>,
) -> Result<Entity, Fault> {
    let asked = async {
        let due = moment(&draft.when)?;
        let text = format!(
            "INSERT INTO kab.todo (code, message, due, op) VALUES ($1, $2, $3, $4) \
             RETURNING {ENTITY}"
        );
        let statement = client.prepare_cached(&text).await?;
        let op = op.map(|op| op.to_string());
        let row = client
            .query_one(&statement, &[&draft.code.as_ref(), &draft.message.as_ref(), &due, &op])
            .await?;
        Ok(entity(&row)?)
    };
    asked.await.map_err(|fault| explained(fault, draft))
}

pub(super) async fn get<C: GenericClient>(client: &C, code: &str) -> Result<Entity, Fault> {
    let text = format!("SELECT {ENTITY} FROM kab.todo WHERE code = $1");
    let statement = client.prepare_cached(&text).await?;
    let row = client.query_opt(&statement, &[&code]).await?;
    Ok(entity(&row.ok_or_else(|| unknown(code))?)?)
}

/// A page, and the snapshot that it was read in: what is visible there, the page
/// tells, and changes from there on tell the rest.
pub(super) async fn list<C: GenericClient>(client: &C, query: &Query) -> Result<Page, Fault> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    // One more, to know whether there is another page.
    let more = i64::from(limit) + 1;
    let from = query.from.as_deref().unwrap_or_default();
    let due = query.when.as_deref().map(moment).transpose()?;
    // A statement for each: one for both would have a plan for neither.
    let filter = if due.is_some() { "AND due = $3 " } else { "" };
    let text = format!(
        "SELECT page.*, pg_current_snapshot()::text FROM (SELECT) here LEFT JOIN \
         (SELECT {ENTITY} FROM kab.todo WHERE code > $1 {filter}ORDER BY code LIMIT $2) page \
         ON true ORDER BY page.code"
    );
    let statement = client.prepare_cached(&text).await?;
    let rows = match due {
        Some(due) => client.query(&statement, &[&from, &more, &due]).await?,
        None => client.query(&statement, &[&from, &more]).await?,
    };
    let snapshot = rows.first().map(|row| row.try_get(6)).transpose()?;
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        // An empty page is a row of nothing.
        if row.try_get::<_, Option<&str>>(1)?.is_some() {
            items.push(entity(row)?);
        }
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = if items.len() > limit {
        items.truncate(limit);
        items.last().map(|last| last.code.clone())
    } else {
        None
    };
    Ok(Page { items, next, revision: snapshot.map(Revision) })
}

pub(super) async fn update<C: GenericClient>(
    client: &C,
    op: Option<OpId>,
    draft: &Draft<'_>,
    expected: Option<&Revision>,
) -> Result<Entity, Fault> {
    let asked = async {
        let due = moment(&draft.when)?;
        let (code, message) = (draft.code.as_ref(), draft.message.as_ref());
        let op = op.map(|op| op.to_string());
        let text = "UPDATE kab.todo SET message = $2, due = $3, op = $4 WHERE code = $1";
        let row = match expected {
            None => {
                let statement =
                    client.prepare_cached(&format!("{text} RETURNING {ENTITY}")).await?;
                client.query_opt(&statement, &[&code, &message, &due, &op]).await?
            }
            Some(expected) => {
                let expected = precondition(expected)?;
                let text = format!("{text} AND revision = $5 RETURNING {ENTITY}");
                let statement = client.prepare_cached(&text).await?;
                client.query_opt(&statement, &[&code, &message, &due, &op, &expected]).await?
            }
        };
        match row {
            Some(row) => Ok(entity(&row)?),
            None => Err(why_not(client, code, expected).await?),
        }
    };
    asked.await.map_err(|fault| explained(fault, draft))
}

pub(super) async fn delete<C: GenericClient>(
    client: &C,
    op: Option<OpId>,
    code: &str,
    expected: Option<&Revision>,
) -> Result<Entity, Fault> {
    // The row that goes cannot say which operation removes it: the transaction does.
    let op = op.map(|op| op.to_string()).unwrap_or_default();
    let text = "DELETE FROM kab.todo USING (SELECT set_config('app.op', $2, true)) op \
                WHERE code = $1";
    let row = match expected {
        None => {
            let statement = client.prepare_cached(&format!("{text} RETURNING {ENTITY}")).await?;
            client.query_opt(&statement, &[&code, &op]).await?
        }
        Some(expected) => {
            let expected = precondition(expected)?;
            let text = format!("{text} AND revision = $3 RETURNING {ENTITY}");
            let statement = client.prepare_cached(&text).await?;
            client.query_opt(&statement, &[&code, &op, &expected]).await?
        }
    };
    match row {
        Some(row) => Ok(entity(&row)?),
        None => Err(why_not(client, code, expected).await?),
    }
}

/// Why no row was written.
async fn why_not<C: GenericClient>(
    client: &C,
    code: &str,
    expected: Option<&Revision>,
) -> Result<Fault, Fault> {
    let now = match get(client, code).await {
        Ok(now) => now,
        Err(Fault::Refused(refused)) => return Ok(refused.into()),
        Err(fault) => return Err(fault),
    };
    let why = match expected {
        Some(expected) => {
            format!("{code} is at revision {}, not {expected}", now.revision)
        }
        // It was not there, and is now.
        None => format!("{code} was made at the same time"),
    };
    Ok(Refused::Conflict(why).into())
}

fn precondition(expected: &Revision) -> Result<i64, Fault> {
    let foreign = || Refused::Conflict(format!("{expected} is no revision of this store's"));
    number(expected).ok_or_else(|| foreign().into())
}

fn unknown(code: &str) -> Fault {
    Refused::NotFound(format!("there is no Todo {code}")).into()
}

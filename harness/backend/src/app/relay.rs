//! The relay: publishes what the outbox has, and marks what the broker has for
//! sure.
//!
//! It may die between the two, and publishes again then; the message has an id,
//! by which the broker drops what it has already. A line is marked
//! after the broker's word only, so none is lost either.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use futures::future::join_all;
use jiff::Timestamp;
use kab_evidence::id::{OpId, RESOURCE_VERSION, TRACEPARENT};
use serde::{Deserialize, Serialize};
use tokio_postgres::{Config, Row};
use uuid::Uuid;

use super::announcement::{Announcement, key};
use super::outbound::root_cause;
use super::spans::Spans;
use super::{AppError, announce, terminated};
use crate::conventional::broker::{self, BrokerConfig, BrokerError, subject};
use crate::store::ChangeKind;
use crate::store::postgres::Listening;

/// How many lines are published at a time.
const BATCH: i64 = 256;

/// How long after a failure it is tried again.
const PAUSE: Duration = Duration::from_millis(250);

/// What a relay needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RelayConfig {
    /// The database, as somebody who may read and mark the outbox.
    pub database: String,
    /// The broker.
    pub broker: BrokerConfig,
}

/// Why a relay cannot go on for now.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error("the database: {0}")]
    Database(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// Runs until SIGTERM.
pub(super) async fn run(config: RelayConfig, _: Arc<Spans>) -> Result<(), AppError> {
    let mut database: Config = config.database.parse().map_err(AppError::Database)?;
    database.application_name("kab-relay");
    let broker = broker::connect(&config.broker, "relay").await?;
    let listening = Listening::connect(&database).await.map_err(AppError::Database)?;
    let stop = terminated()?;
    announce(None)?;
    let relayed = async {
        let mut listening = Some(listening);
        loop {
            let stuck = match listening.take() {
                Some(listening) => relay(&listening, &broker).await,
                None => match Listening::connect(&database).await {
                    Ok(connected) => {
                        listening = Some(connected);
                        continue;
                    }
                    Err(error) => Stuck::Database(error),
                },
            };
            tracing::warn!(cause = root_cause(&stuck), "the relay is stuck, and tries again");
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = relayed => Ok(()),
        () = stop => Ok(()),
    }
}

/// Publishes and marks until something fails.
async fn relay(listening: &Listening, broker: &Context) -> Stuck {
    loop {
        match pass(listening, broker).await {
            // A full batch: there is more.
            Ok(published) if published == BATCH => {}
            Ok(0) => listening.wait().await,
            Ok(_) => {}
            Err(stuck) => return stuck,
        }
    }
}

/// One batch; how many lines it had.
async fn pass(listening: &Listening, broker: &Context) -> Result<i64, Stuck> {
    let client = &listening.client;
    let text = "SELECT revision, tenant, kind, id, at, op FROM kab.outbox \
                WHERE published IS NULL ORDER BY revision LIMIT $1";
    let rows = client.query(text, &[&BATCH]).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    // All are on their way before the first word is waited for: the broker
    // keeps the order of one connection.
    let mut sent = Vec::with_capacity(rows.len());
    for row in &rows {
        let revision: i64 = row.try_get(0)?;
        let (subject, message) = message(row)?;
        let word = broker
            .send_publish(subject, message)
            .await
            .map_err(BrokerError::of("publishing what happened"))?;
        sent.push(async move { (revision, word.await) });
    }
    let (mut there, mut failure) = (Vec::with_capacity(sent.len()), None);
    for (revision, word) in join_all(sent).await {
        match word {
            Ok(_) => there.push(revision),
            Err(error) => failure = Some(error),
        }
    }
    let mark = "UPDATE kab.outbox SET published = now() WHERE revision = ANY($1)";
    client.execute(mark, &[&there]).await?;
    match failure {
        Some(error) => {
            Err(BrokerError::of("waiting for the broker to have what was published")(error).into())
        }
        None => Ok(i64::try_from(rows.len()).unwrap_or(BATCH)),
    }
}

/// A line of the outbox as a message.
fn message(row: &Row) -> Result<(String, PublishMessage), tokio_postgres::Error> {
    let revision: String = row.try_get::<_, i64>(0)?.to_string();
    let tenant: &str = row.try_get(1)?;
    let change = match row.try_get::<_, &str>(2)? {
        "created" => ChangeKind::Created,
        "deleted" => ChangeKind::Deleted,
        _ => ChangeKind::Updated,
    };
    let id = row.try_get::<_, Uuid>(3)?.to_string();
    let at: Timestamp = row.try_get(4)?;
    let op: Option<&str> = row.try_get(5)?;
    let announcement = Announcement {
        todo_id: Cow::Borrowed(&id),
        issued_at: at.to_string().into(),
        change,
        revision: Cow::Borrowed(&revision),
    };
    // Texts: this cannot fail.
    let body = serde_json::to_vec(&announcement).unwrap_or_default();
    let mut message = PublishMessage::build()
        .payload(body.into())
        .message_id(key(&id, &revision))
        .header(RESOURCE_VERSION, revision.as_str());
    if let Some(op) = op.and_then(|op| op.parse::<OpId>().ok()) {
        message = message.header(TRACEPARENT, op.traceparent());
    }
    Ok((subject(tenant, &id), message))
}

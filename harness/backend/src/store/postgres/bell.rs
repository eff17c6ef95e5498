//! Telling listeners that there is something new.
//!
//! `NOTIFY` in the transaction of the change would do, but PostgreSQL commits
//! transactions that notify one after the other, the wait for the disk included
//! (a lock over the whole server). So the bell is rung afterwards, on a
//! connection of its own, once for all that was written meanwhile. Who writes
//! without ringing is found by the listeners' look every now and then.

use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use super::{Task, Word};

/// What listeners listen to.
pub(super) const CHANNEL: &str = "kab_todo";

/// How long after a failure the bell is tried again: listeners look by
/// themselves meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// Rings for listeners.
#[derive(Debug)]
pub(super) struct Bell {
    word: Word,
    _task: Task,
}

impl Bell {
    pub(super) fn new(config: Config) -> Self {
        let word = Word::default();
        let task = tokio::spawn(ring_on(config, Word::clone(&word)));
        Self { word, _task: Task(task) }
    }

    /// Returns at once.
    pub(super) fn ring(&self) {
        self.word.notify_one();
    }
}

async fn ring_on(config: Config, word: Word) {
    let statement = format!("NOTIFY {CHANNEL}");
    let mut connected: Option<(Client, Task)> = None;
    loop {
        word.notified().await;
        if connected.as_ref().is_none_or(|(client, _)| client.is_closed()) {
            connected = match config.connect(NoTls).await {
                Ok((client, connection)) => {
                    let task = tokio::spawn(async move {
                        let _ = connection.await;
                    });
                    Some((client, Task(task)))
                }
                Err(error) => {
                    tracing::debug!(%error, "the bell has no connection");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
        }
        if let Some((client, _)) = &connected
            && let Err(error) = client.batch_execute(&statement).await
        {
            tracing::debug!(%error, "the bell did not ring");
            connected = None;
        }
    }
}

//! A connection that hears the bell.

use std::future::poll_fn;
use std::time::Duration;

use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use super::bell::CHANNEL;
use super::{Task, Word};

/// How often a listener looks although no bell was rung: for those who write
/// without ringing, such as psql, and for what a slower transaction held back.
const LOOK: Duration = Duration::from_millis(25);

/// A connection that hears the bell.
pub(crate) struct Listening {
    pub(crate) client: Client,
    word: Word,
    _task: Task,
}

impl Listening {
    /// Connects, and listens from then on.
    pub(crate) async fn connect(config: &Config) -> Result<Self, tokio_postgres::Error> {
        let (client, mut connection) = config.connect(NoTls).await?;
        let word = Word::default();
        let told = Word::clone(&word);
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if matches!(message, AsyncMessage::Notification(_)) {
                    told.notify_one();
                }
            }
            // Whoever waits is to find out that the connection is gone.
            told.notify_one();
        });
        let listening = Self { client, word, _task: Task(task) };
        listening.client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        Ok(listening)
    }

    /// Waits for the bell, or until it is time to look.
    pub(crate) async fn wait(&self) {
        // Late or not, the caller looks.
        let _ = tokio::time::timeout(LOOK, self.word.notified()).await;
    }
}

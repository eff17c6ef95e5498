//! The broker: what streams there are, and how apps reach them.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use serde::{Deserialize, Serialize};

/// The stream of what happened.
pub(crate) const STREAM: &str = "TODO";

/// The stream of what could not be told to a subscriber.
pub(crate) const DEAD: &str = "TODO_DEAD";

/// How long the stream knows ids of messages, to drop what comes twice. It must
/// be longer than a relay takes to come back after it died between publishing
/// and marking.
const DUPLICATES: Duration = Duration::from_secs(600);

/// How long a message is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// How to reach the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BrokerConfig {
    /// `nats://127.0.0.1:4222`
    pub url: String,
    /// Who comes.
    pub user: String,
    /// With which password.
    pub password: String,
}

/// The broker could not be reached, or refused.
#[derive(Debug, thiserror::Error)]
#[error("{action}: {why}; is nats-server running, with JetStream on?")]
pub struct BrokerError {
    /// What was attempted.
    pub action: String,
    /// What it said.
    pub why: String,
}

impl BrokerError {
    pub(crate) fn of<E: std::fmt::Display>(action: &str) -> impl FnOnce(E) -> Self + use<'_, E> {
        move |error| Self { action: action.to_owned(), why: error.to_string() }
    }
}

/// The subject of what happens to one Todo.
pub(crate) fn subject(tenant: &str, id: &str) -> String {
    format!("todo.{}.{id}", token(tenant))
}

/// All subjects of a tenant.
pub(crate) fn subjects(tenant: &str) -> String {
    format!("todo.{}.>", token(tenant))
}

/// The subject of what the consumer `consumer` gave up.
pub(crate) fn dead_subject(consumer: &str) -> String {
    format!("todo-dead.{}", token(consumer))
}

/// `text` as one token of a subject: anything but letters, digits and `-` as
/// `_` and its number.
fn token(text: &str) -> String {
    text.bytes().fold(String::new(), |mut token, byte| {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            token.push(char::from(byte));
        } else {
            token.push_str(&format!("_{byte:02x}"));
        }
        token
    })
}

/// Connects, and makes the streams that are not there yet.
pub(crate) async fn connect(config: &BrokerConfig, name: &str) -> Result<Context, BrokerError> {
    let options = async_nats::ConnectOptions::new()
        .user_and_password(config.user.clone(), config.password.clone())
        .name(name);
    let client = options
        .connect(&config.url)
        .await
        .map_err(BrokerError::of(&format!("connecting to {}", config.url)))?;
    let context = jetstream::new(client);
    for (name, subjects) in [(STREAM, "todo.>"), (DEAD, "todo-dead.>")] {
        let stream = Config {
            name: name.to_owned(),
            subjects: vec![subjects.to_owned()],
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            duplicate_window: DUPLICATES,
            max_age: KEPT,
            ..Config::default()
        };
        context
            .get_or_create_stream(stream)
            .await
            .map_err(BrokerError::of(&format!("making the stream {name}")))?;
    }
    Ok(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_one_token_whatever_it_is_called() {
        assert_eq!(subjects("kab01"), "todo.kab01.>");
        assert_eq!(subject("a.b *", "7"), "todo.a_2eb_20_2a.7");
        assert_ne!(token("a_b"), token("a.b"));
    }
}

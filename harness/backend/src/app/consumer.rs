//! The consumer: tells one subscriber of every change, from a durable consumer
//! of the broker's, which remembers what the subscriber has.
//!
//! A change is acknowledged after the subscriber's 2xx. Without one it comes
//! again, later each time, and after so many times it goes to the stream of dead
//! letters. Replicas share the durable consumer: each change goes to one of them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::header::HeaderMap as Headers;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::{AckKind, Context, Message};
use futures::future::Shared;
use futures::{FutureExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use kab_evidence::clock::Mono;
use kab_evidence::id::{OpId, RESOURCE_VERSION, TRACEPARENT};
use kab_evidence::span::Span;
use serde::{Deserialize, Serialize};

use super::announcement::{Announcement, IDEMPOTENCY_KEY, key};
use super::outbound::{Outbound, root_cause};
use super::spans::Spans;
use super::{AppError, GRACE, announce, endpoint, terminated};
use crate::conventional::broker::{
    self, BrokerConfig, BrokerError, DEAD, STREAM, dead_subject, subjects,
};

/// How long a subscriber may take to answer, ...
const ANSWER: Duration = Duration::from_secs(5);

/// ... and how long the broker waits for an acknowledgement before it gives the
/// change to another replica, or to the next process of a consumer that died.
const ACK_WAIT: Duration = Duration::from_secs(10);

/// How long after a first failure a change comes again; then twice as long each
/// time, up to the most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long after the broker's stream of changes broke it is opened again.
const REOPEN: Duration = Duration::from_millis(250);

/// How often the broker says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How many times a change is tried, unless somebody says otherwise: for about
/// a minute and a quarter.
pub const MAX_DELIVER: u32 = 20;

/// How many changes are told at the same time, unless somebody says otherwise.
pub const IN_FLIGHT: usize = 16;

/// What a consumer needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsumerConfig {
    /// The broker.
    pub broker: BrokerConfig,
    /// Whose changes.
    pub tenant: String,
    /// Which subscriber it serves, from 0.
    pub subscriber: u32,
    /// Where the subscriber listens: notifications go to
    /// `/api/todonotifications` below it.
    pub subscriber_url: String,
    /// How many times a change is tried before it is a dead letter.
    pub max_deliver: u32,
    /// How many changes are told at the same time.
    pub in_flight: usize,
}

impl ConsumerConfig {
    /// What the broker calls it.
    pub fn durable(&self) -> String {
        format!("{}-subscriber-{}", self.tenant, self.subscriber)
    }
}

/// Resolves when the process is told to end.
type Stop = Shared<futures::future::BoxFuture<'static, ()>>;

struct Consumer {
    durable: String,
    broker: Context,
    outbound: Outbound,
    notify: Uri,
    max_deliver: i64,
    spans: Arc<Spans>,
}

/// Runs until SIGTERM.
pub(super) async fn run(config: ConsumerConfig, spans: Arc<Spans>) -> Result<(), AppError> {
    let durable = config.durable();
    let broker = broker::connect(&config.broker, &durable).await?;
    let consumer = Consumer {
        durable,
        outbound: Outbound::new(),
        notify: endpoint(&config.subscriber_url, "/api/todonotifications")?,
        max_deliver: config.max_deliver.max(1).into(),
        spans,
        broker,
    };
    let stop = terminated()?.boxed().shared();
    // From the first time on that it is made it misses nothing; before that
    // there was nobody to be told.
    let mut source = Some(consumer.open(&config).await?);
    announce(None)?;
    let told = async {
        loop {
            let failed = match source.take() {
                Some(opened) => {
                    let Some(failed) = consumer.tell(&opened, config.in_flight, &stop).await else {
                        return;
                    };
                    failed
                }
                None => match consumer.open(&config).await {
                    Ok(opened) => {
                        source = Some(opened);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            tracing::warn!(cause = %failed, "the broker's changes broke off; opening them again");
            tokio::time::sleep(REOPEN).await;
        }
    };
    tokio::select! {
        () = told => {}
        // What is under way may still be told.
        () = async { stop.clone().await; tokio::time::sleep(GRACE).await } => {}
    }
    // Acknowledgements that were given are to arrive.
    let _ = consumer.broker.client().flush().await;
    Ok(())
}

impl Consumer {
    /// The broker's durable consumer, made if it is not there.
    async fn open(&self, config: &ConsumerConfig) -> Result<PullConsumer, BrokerError> {
        let action = format!("opening the durable consumer {}", self.durable);
        let stream = self.broker.get_stream(STREAM).await.map_err(BrokerError::of(&action))?;
        let wanted = pull::Config {
            durable_name: Some(self.durable.clone()),
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            filter_subject: subjects(&config.tenant),
            // Counted here, so that what is given up is written down.
            max_deliver: -1,
            ..pull::Config::default()
        };
        let opened = stream.get_or_create_consumer(&self.durable, wanted).await;
        opened.map_err(BrokerError::of(&action))
    }

    /// Tells the subscriber of what comes, until nothing comes any more: why, or
    /// nothing if it is to stop.
    async fn tell(
        &self,
        source: &PullConsumer,
        in_flight: usize,
        stop: &Stop,
    ) -> Option<BrokerError> {
        let broken = BrokerError::of("reading the broker's changes");
        let in_flight = in_flight.max(1);
        // No more than are told at once: others would wait here, and after a
        // crash for the broker's patience.
        let messages = source.stream().heartbeat(HEARTBEAT).max_messages_per_batch(in_flight);
        let mut messages = match messages.messages().await {
            Ok(messages) => messages,
            Err(error) => return Some(BrokerError::of("asking for the broker's changes")(error)),
        };
        let mut failure = None;
        let sound = messages.by_ref().take_until(stop.clone()).scan((), |(), message| {
            let sound = message.map_err(|error| failure = Some(error.to_string())).ok();
            std::future::ready(sound)
        });
        sound.for_each_concurrent(in_flight, |message| self.tell_one(message)).await;
        if stop.peek().is_none() {
            return Some(broken(failure.unwrap_or_else(|| "they ended".to_owned())));
        }
        // What came and was not begun goes back, and waits for nobody.
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            self.acknowledge(&message, AckKind::Nak(None)).await;
        }
        None
    }

    async fn tell_one(&self, message: Message) {
        let seen = Mono::now();
        let delivered = message.info().map_or(1, |info| info.delivered);
        let announcement = match serde_json::from_slice::<Announcement<'_>>(&message.payload) {
            Ok(announcement) => announcement,
            // It will not be better next time.
            Err(error) => return self.bury(&message, &format!("it cannot be read: {error}")).await,
        };
        let headers = headers(&message, &announcement);
        let op =
            headers.get(TRACEPARENT).and_then(|value| OpId::from_traceparent(value.to_str().ok()?));
        let posted = Mono::now();
        let post = self.outbound.post(self.notify.clone(), headers, message.payload.to_vec());
        let answer = match tokio::time::timeout(ANSWER, post).await {
            Ok(Ok((status, _))) => Ok(status),
            Ok(Err(error)) => Err(root_cause(&error)),
            Err(_) => Err(format!("no answer in {ANSWER:?}")),
        };
        self.spans.record(Span::Informer {
            op,
            change: announcement.seen(),
            uid: announcement.todo_id.clone().into_owned(),
            rv: announcement.revision.clone().into_owned(),
            seen,
            posted: Some(posted),
            status: answer.as_ref().ok().map(StatusCode::as_u16),
        });
        let why = match answer {
            Ok(status) if status.is_success() => {
                return self.acknowledge(&message, AckKind::Ack).await;
            }
            Ok(status) => format!("the subscriber answered {status}"),
            Err(why) => why,
        };
        if delivered >= self.max_deliver {
            return self.bury(&message, &why).await;
        }
        tracing::debug!(why, delivered, "told in vain; it comes again");
        self.acknowledge(&message, AckKind::Nak(Some(pause(delivered)))).await;
    }

    /// Puts a message among the dead letters, with the reason.
    async fn bury(&self, message: &Message, why: &str) {
        tracing::warn!(why, subject = message.subject.as_str(), "given up: a dead letter");
        let mut headers = message.headers.clone().unwrap_or_default();
        headers.insert("kab-dead-because", why.replace(['\r', '\n'], " "));
        headers.insert("kab-dead-subject", message.subject.as_str());
        // Its id would be taken for the message's own; with the consumer's name
        // it is the same however often it is buried.
        let id = headers.get("Nats-Msg-Id").map(|id| format!("{}/{id}", self.durable));
        if let Some(id) = id {
            headers.insert("Nats-Msg-Id", id);
        }
        let (subject, payload) = (dead_subject(&self.durable), message.payload.clone());
        let buried = async {
            let word = self.broker.publish_with_headers(subject, headers, payload).await?;
            word.await
        };
        match buried.await {
            Ok(_) => self.acknowledge(message, AckKind::Term).await,
            // Not given up after all: it comes again.
            Err(error) => {
                tracing::warn!(%error, "{DEAD} does not take it");
                self.acknowledge(message, AckKind::Nak(Some(LONGEST_PAUSE))).await;
            }
        }
    }

    /// An acknowledgement that does not arrive has the change come again.
    async fn acknowledge(&self, message: &Message, kind: AckKind) {
        if let Err(error) = message.ack_with(kind).await {
            tracing::warn!(%error, "not acknowledged");
        }
    }
}

/// How long after try `delivered`, from 1, a change comes again.
fn pause(delivered: i64) -> Duration {
    let doublings = u32::try_from(delivered - 1).unwrap_or(0).min(16);
    (FIRST_PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE)
}

/// What a receipt is joined to the write by, and known again by.
fn headers(message: &Message, announcement: &Announcement<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    let none = Headers::new();
    let given = message.headers.as_ref().unwrap_or(&none);
    for name in [TRACEPARENT, RESOURCE_VERSION] {
        if let Some(value) = given.get(name) {
            add(HeaderName::from_static(name), value.as_str());
        }
    }
    add(IDEMPOTENCY_KEY, &key(&announcement.todo_id, &announcement.revision));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let pauses = [1, 2, 3, 7, 200].map(|delivered| pause(delivered).as_millis());
        assert_eq!(pauses, [100, 200, 400, 5000, 5000]);
    }
}

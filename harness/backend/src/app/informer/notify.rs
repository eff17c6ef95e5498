//! How the subscriber is told of a change.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kab_evidence::clock::Mono;
use kab_evidence::id::{RESOURCE_VERSION, TRACEPARENT};
use kab_evidence::span::Span;
use kube::Client;
use kube::api::Api;
use serde::Serialize;

use super::InformerConfig;
use crate::app::outbound::{Outbound, root_cause};
use crate::app::reflector::Seen;
use crate::app::spans::Spans;
use crate::app::{AppError, endpoint};
use crate::defect::{Defect, Defects};
use crate::entity::Todo;
use crate::store::ChangeKind;

/// By this the subscriber knows what it has been told already: delivery is at
/// least once.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Body of a notification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'a> {
    todo_id: &'a str,
    /// The origin sends the creation time, whatever the change.
    issued_at: Option<&'a Time>,
    #[serde(flatten)]
    more: Option<More<'a>>,
}

/// What the origin does not say.
#[derive(Serialize)]
struct More<'a> {
    change: ChangeKind,
    revision: &'a str,
    /// With it, whoever is told finds the entity without a search.
    code: &'a str,
}

/// What became of one try.
#[derive(Debug)]
pub(super) struct Tried {
    posted: Mono,
    pub(super) answer: Result<StatusCode, String>,
}

/// Tells one subscriber.
pub(super) struct Notifier {
    pub(super) config: InformerConfig,
    pub(super) todos: Api<Todo>,
    outbound: Outbound,
    notify: Uri,
    spans: Arc<Spans>,
}

impl Notifier {
    pub(super) fn new(
        config: &InformerConfig,
        client: Client,
        spans: Arc<Spans>,
    ) -> Result<Self, AppError> {
        Ok(Self {
            todos: Api::namespaced(client, &config.namespace),
            outbound: Outbound::new(),
            notify: endpoint(&config.subscriber_url, "/api/todonotifications")?,
            spans,
            config: config.clone(),
        })
    }

    pub(super) const fn defects(&self) -> &Defects {
        &self.config.defects
    }

    /// The Todo to speak of. The origin fetches it anew, and of one that is
    /// gone it then knows nothing (defect 7).
    pub(super) async fn subject(&self, seen: &Seen) -> Option<Todo> {
        let todo = &seen.news.todo;
        if !self.defects().has(Defect::NamelessDeletes) {
            return Some(todo.clone());
        }
        match self.todos.get(todo.name()).await {
            Ok(todo) => Some(todo),
            Err(e) => {
                let name = todo.name();
                tracing::warn!(name, cause = root_cause(&e), "the Todo cannot be fetched");
                None
            }
        }
    }

    /// Tries once.
    pub(super) async fn tell(&self, seen: &Seen, subject: Option<&Todo>) -> Tried {
        let more = (!self.defects().has(Defect::NamelessDeletes)).then(|| More {
            change: seen.news.kind,
            revision: seen.news.todo.revision(),
            code: seen.news.todo.code(),
        });
        let notification = Notification {
            todo_id: subject.map_or("", Todo::uid),
            issued_at: subject.and_then(|todo| todo.metadata.creation_timestamp.as_ref()),
            more,
        };
        let body = serde_json::to_vec(&notification).unwrap_or_default();
        let posted = Mono::now();
        let post = self.outbound.post(self.notify.clone(), self.headers(seen), body);
        let answer = if self.defects().has(Defect::NoRetry) {
            // As long as it takes: Go's default client.
            post.await.map_err(|e| root_cause(&e))
        } else {
            let patience = Duration::from_millis(self.config.delivery.timeout_ms);
            match tokio::time::timeout(patience, post).await {
                Ok(answer) => answer.map_err(|e| root_cause(&e)),
                Err(_) => Err(format!("no answer within {} ms", patience.as_millis())),
            }
        };
        Tried { posted, answer: answer.map(|(status, _)| status) }
    }

    /// Writes down how it ended.
    pub(super) fn record(&self, seen: &Seen, last: &Tried) {
        let todo = &seen.news.todo;
        self.spans.record(Span::Informer {
            op: todo.op(),
            change: seen.news.change,
            uid: todo.uid().to_owned(),
            rv: todo.revision().to_owned(),
            seen: seen.at,
            posted: Some(last.posted),
            status: last.answer.as_ref().ok().map(StatusCode::as_u16),
        });
    }

    /// The origin's process panics when there is no answer (defect 8).
    pub(super) fn survives(&self, tried: &Tried) -> Result<(), AppError> {
        match &tried.answer {
            Err(cause) if self.defects().has(Defect::CrashOnSilence) => {
                Err(AppError::SubscriberDown { url: self.notify.to_string(), cause: cause.clone() })
            }
            _ => Ok(()),
        }
    }

    /// What a receipt is joined to the write by.
    fn headers(&self, seen: &Seen) -> HeaderMap {
        let todo = &seen.news.todo;
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        if let Some(op) = todo.op() {
            add(HeaderName::from_static(TRACEPARENT), op.traceparent());
        }
        add(HeaderName::from_static(RESOURCE_VERSION), todo.revision().to_owned());
        if !self.defects().has(Defect::NoRetry) {
            add(IDEMPOTENCY_KEY, format!("{}/{}", todo.uid(), todo.revision()));
        }
        headers
    }
}

//! What each process of the system under test saw of an operation.
//!
//! Every process appends its spans to a file of its own
//! (`spans/<process>-<pid>.jsonl`); joining is done afterwards, offline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Mono;
use crate::id::OpId;

/// Environment variable that tells a process of the system under test which
/// folder its spans belong in. Unset: no spans are written.
pub const SPANS_DIR_ENV: &str = "KAB_SPANS_DIR";

/// Environment variable that says what the names of a process's files of spans
/// begin with, to tell the instances of a system apart: `kab02-`.
pub const SPANS_PREFIX_ENV: &str = "KAB_SPANS_PREFIX";

/// Which change of an entity an informer saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// In a LIST, or in the initial events of a watch: it was there before.
    Listed,
    /// Watch event ADDED or MODIFIED (client libraries do not always tell them
    /// apart).
    Applied,
    /// Watch event DELETED.
    Deleted,
}

/// One process's part of one operation. All times are on the run's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "span", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Span {
    /// The gateway handled a write.
    Gateway {
        /// The operation, if the request named one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op: Option<OpId>,
        /// Request head read.
        start: Mono,
        /// Request to the apiserver (or database) handed to the transport.
        api_sent: Mono,
        /// Its answer read.
        api_done: Mono,
        /// Response handed back to the HTTP server.
        end: Mono,
        /// Status that the gateway answered.
        status: u16,
        /// Status that the apiserver answered; none if there was no answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        api_status: Option<u16>,
        /// UID of the stored entity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<String>,
        /// resourceVersion of the stored entity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rv: Option<String>,
    },
    /// The gateway judged an entity for the webhook.
    Validate {
        /// The operation, from the entity's annotation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op: Option<OpId>,
        /// Request read.
        start: Mono,
        /// Answer ready.
        end: Mono,
        /// What it answered.
        valid: bool,
    },
    /// The admission webhook handled a review.
    Webhook {
        /// The operation, from the entity's annotation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op: Option<OpId>,
        /// Review read.
        start: Mono,
        /// Answer ready.
        end: Mono,
        /// What it answered.
        allowed: bool,
    },
    /// The informer saw a change and told its subscriber.
    Informer {
        /// The operation, from the entity's annotation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op: Option<OpId>,
        /// What kind of change.
        change: Change,
        /// The entity's UID.
        uid: String,
        /// The entity's resourceVersion.
        rv: String,
        /// Decoded from the watch stream.
        seen: Mono,
        /// Notification handed to the transport; none if it never was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        posted: Option<Mono>,
        /// Subscriber's status; none if it did not answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    },
    /// A subscriber received a notification.
    Delivery {
        /// The operation, if the notification named one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op: Option<OpId>,
        /// Which subscriber, from 0.
        subscriber: u32,
        /// The entity's UID as the notification named it; empty if it named none.
        uid: String,
        /// The entity's resourceVersion, if the notification named one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rv: Option<String>,
        /// Notification read.
        received: Mono,
    },
    /// A span of the apiserver's own tracing: a request, or something within it.
    Server {
        /// The W3C trace that it belongs to. The apiserver goes on with the
        /// trace of privileged clients only; the requests of all others begin
        /// one of their own, with a link to the client's.
        trace: OpId,
        /// The trace that the client named, where the span is of a request and
        /// has a link: the operation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        op: Option<OpId>,
        /// Its id: 16 hexadecimal digits.
        id: String,
        /// The id of the span around it; none for the first one of a trace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<String>,
        /// What it is about, in the apiserver's words.
        name: String,
        /// When it began, converted from calendar time.
        start: Mono,
        /// When it ended; as long after the start as the apiserver measured.
        end: Mono,
    },
}

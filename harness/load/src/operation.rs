//! One operation, from being due to its line in the ledger.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
use serde::Deserialize;

use crate::payload::Todos;
use crate::transport::{Target, Transport};

/// What operations of a step have in common.
#[derive(Debug, Clone)]
pub struct Work {
    /// The step's name, under which the ledger files them.
    pub step: String,
    /// Where they are sent.
    pub target: Target,
    /// What they write.
    pub todos: Todos,
    /// Longest time from sending to the end of the answer; after it an
    /// operation is given up, and its outcome is indeterminate (failed, if not
    /// a byte of it had been sent).
    pub deadline: Duration,
    /// The run's nonce: the first half of every operation id.
    pub nonce: u64,
    /// Sequence number of the step's operation 0. Ids of a run must not repeat,
    /// so the next step goes on at `first_sequence` plus this one's count.
    pub first_sequence: u64,
}

impl Work {
    /// The id of the step's operation `index`.
    pub const fn op(&self, index: u64) -> OpId {
        OpId::new(self.nonce, self.first_sequence.wrapping_add(index))
    }
}

/// An operation that is ready to be sent: all that can be done ahead is done.
pub(crate) struct Prepared<'a> {
    pub intended: Mono,
    entry: Entry<'a>,
    request: Request<Full<Bytes>>,
}

/// What a summary needs of an operation that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub op: OpId,
    pub outcome: Outcome,
    pub lateness: Option<u64>,
    pub class: Cow<'static, str>,
    pub detail: Option<String>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(
        work: &Work,
        transport: &Transport,
        ledger: &'a JsonlWriter<OpRecord>,
        index: u64,
        intended: Mono,
    ) -> Self {
        let op = work.op(index);
        let todo = work.todos.todo(index);
        let record = OpRecord {
            op,
            step: work.step.clone(),
            kind: OpKind::Create,
            key: Some(todo.code),
            intended,
            sent: None,
            done: None,
            outcome: Outcome::Failed,
            class: String::new(),
            uid: None,
            bytes_out: 0,
            bytes_in: 0,
            detail: None,
        };
        let request = transport.create(op, todo.body);
        Self { intended, entry: Entry { ledger, op, record: Some(record), due: false }, request }
    }

    /// Sends it, from the first poll on, and writes down how it ended. From
    /// this call on it ends in the ledger, whatever happens to the future.
    pub(crate) fn run(
        mut self,
        transport: &Transport,
        deadline: Duration,
    ) -> impl Future<Output = Ended> {
        self.entry.due = true;
        async move {
            self.entry.amend(|record| record.sent = Some(Mono::now()));
            let answer = transport.send(self.request, deadline).await;
            let done = Mono::now();
            self.entry.amend(|record| {
                record.done = Some(done);
                record.uid = (answer.outcome == Outcome::Ok).then(|| uid(&answer.body)).flatten();
                record.bytes_out = answer.bytes_out;
                record.bytes_in = answer.body.len() as u64;
            });
            self.entry.close(answer.outcome, answer.class, answer.detail)
        }
    }

    /// Writes down that it was due, and not sent.
    pub(crate) fn miss(mut self) -> Ended {
        self.entry.close(Outcome::Missed, "in-flight-limit".into(), None)
    }
}

/// An operation's line in the ledger. Once the operation is due, the line is
/// written even if nobody waits for the operation any more.
struct Entry<'a> {
    ledger: &'a JsonlWriter<OpRecord>,
    op: OpId,
    /// None once it is written.
    record: Option<OpRecord>,
    due: bool,
}

impl Entry<'_> {
    fn amend(&mut self, change: impl FnOnce(&mut OpRecord)) {
        self.record.as_mut().map(change);
    }

    fn close(
        &mut self,
        outcome: Outcome,
        class: Cow<'static, str>,
        detail: Option<String>,
    ) -> Ended {
        let mut ended = Ended { op: self.op, outcome, lateness: None, class, detail };
        if let Some(mut record) = self.record.take() {
            ended.lateness = record.lateness_nanos();
            record.outcome = outcome;
            record.class = ended.class.as_ref().to_owned();
            record.detail.clone_from(&ended.detail);
            self.ledger.append(record);
        }
        ended
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let Some(record) = self.record.as_ref().filter(|_| self.due) else { return };
        let outcome = match record.sent {
            Some(_) => Outcome::Indeterminate,
            None => Outcome::Failed,
        };
        self.close(outcome, "abandoned".into(), Some("kab stopped waiting for it".to_owned()));
    }
}

/// The `id` of the gateway's answer to a create; nothing else is looked at.
fn uid(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Created<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
    }
    serde_json::from_slice::<Created<'_>>(body).ok().map(|created| created.id.into_owned())
}

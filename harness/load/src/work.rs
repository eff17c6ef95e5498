//! What the operations of a load have in common, and how one is made ready.

use std::sync::Arc;

use kab_evidence::clock::Mono;
use kab_evidence::id::OpId;
use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
use kab_wire::Peer;

use crate::dialect::{Asked, Composed, Dialect};
use crate::payload::Todos;
use crate::workload::{Action, Deadlines, Identities, Mix};

/// What operations of a step have in common.
#[derive(Debug, Clone)]
pub struct Work {
    /// The step's name, under which the ledger files them.
    pub step: String,
    /// What they do.
    pub mix: Mix,
    /// What they write.
    pub todos: Todos,
    /// Entities that exist already, by the names that another step gave them:
    /// those that [`Action::entity`] counts.
    pub existing: Option<Todos>,
    /// Longest time from sending to the end of the answer; after it an
    /// operation is given up, and its outcome is indeterminate (failed, if not
    /// a byte of it had been sent).
    pub deadlines: Deadlines,
    /// Who asks.
    pub identities: Identities,
    /// The system, as each identity reaches it: at least one. An identity
    /// without an entry asks as another one does.
    pub peers: Vec<Peer>,
    /// How the system is spoken to.
    pub dialect: Arc<dyn Dialect>,
    /// The run's nonce: the first half of every operation id.
    pub nonce: u64,
    /// Sequence number of the step's operation 0. Ids of a run must not repeat,
    /// so the next step goes on at `first_sequence` plus this one's count.
    pub first_sequence: u64,
}

/// An operation that is ready to be sent: all that can be done ahead is done.
pub(crate) struct Prepared {
    pub index: u64,
    pub kind: OpKind,
    pub peer: usize,
    pub record: OpRecord,
    pub request: Composed,
}

impl Work {
    /// The id of the step's operation `index`.
    pub const fn op(&self, index: u64) -> OpId {
        OpId::new(self.nonce, self.first_sequence.wrapping_add(index))
    }

    /// The name of the entity that operation `index` is about; none for a list.
    pub fn key(&self, index: u64) -> Option<String> {
        self.key_of(self.mix.action(index), index)
    }

    fn key_of(&self, action: Action, index: u64) -> Option<String> {
        match (action, action.entity()) {
            (Action::List, _) => None,
            (_, Some(entity)) => Some(self.existing.as_ref().unwrap_or(&self.todos).code(entity)),
            _ => Some(self.todos.code(index)),
        }
    }

    /// Makes operation `index` ready, due at `intended`, in the buffers of
    /// `request`.
    pub(crate) fn prepare(
        &self,
        index: u64,
        intended: Mono,
        mut request: Composed,
        fields: &mut Vec<u8>,
    ) -> Prepared {
        let action = self.mix.action(index);
        let kind = action.kind();
        let key = self.key_of(action, index);
        let op = self.op(index);
        fields.clear();
        if matches!(kind, OpKind::Create | OpKind::Update | OpKind::Patch) {
            self.todos.write_fields(index, fields);
        }
        let asked = Asked { op, kind, name: key.as_deref().unwrap_or_default(), fields };
        self.dialect.compose(&asked, &mut request);
        let record = OpRecord {
            op,
            step: self.step.clone(),
            kind,
            key,
            intended,
            sent: None,
            done: None,
            outcome: Outcome::Failed,
            class: String::new(),
            uid: None,
            rv: None,
            bytes_out: 0,
            bytes_in: 0,
            detail: None,
        };
        let peer = usize::from(self.identities.identity(index)) % self.peers.len().max(1);
        Prepared { index, kind, peer, record, request }
    }
}

//! The gateway's REST: entities by their business code.

use std::borrow::Cow;
use std::fmt;

use kab_evidence::ledger::{OpKind, Outcome};
use kab_wire::{Media, Method};
use serde::Deserialize;

use super::{Answered, Asked, Composed, Dialect};

/// The interface of the reference system's gateway. It has two operations:
/// create and list.
#[derive(Clone)]
pub struct Gateway {
    /// Where creates are POSTed and lists read: `/api/todo`.
    pub path: String,
    /// What a status means for a write.
    pub classify: fn(u16) -> Outcome,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Dialect for Gateway {
    fn compose(&self, asked: &Asked<'_>, request: &mut Composed) {
        request.path.clone_from(&self.path);
        request.body.clear();
        request.follows = false;
        if asked.kind == OpKind::List {
            request.method = Method::Get;
            return;
        }
        request.method = Method::Post;
        let body = &mut request.body;
        body.extend_from_slice(br#"{"code":""#);
        // A resource's name: nothing in it needs escaping.
        body.extend_from_slice(asked.name.as_bytes());
        body.extend_from_slice(br#"","#);
        body.extend_from_slice(asked.fields);
        body.push(b'}');
    }

    fn classify(&self, _: OpKind, status: u16) -> Outcome {
        (self.classify)(status)
    }

    fn read(&self, kind: OpKind, _: Media, body: &[u8]) -> Answered {
        #[derive(Deserialize)]
        struct Created<'a> {
            #[serde(borrow)]
            id: Cow<'a, str>,
        }
        if kind != OpKind::Create {
            return Answered::default();
        }
        let created = serde_json::from_slice::<Created<'_>>(body).ok();
        Answered { uid: created.map(|created| created.id.into_owned()), rv: None }
    }
}

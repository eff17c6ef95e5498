//! The gateway's REST: entities by their business code.

use std::borrow::Cow;
use std::fmt;

use kab_evidence::ledger::{OpKind, Outcome};
use kab_wire::{Media, Method};
use serde::Deserialize;

use super::{Answered, Asked, Composed, Dialect};

/// The interface of the reference system's gateway, whatever is behind it.
#[derive(Clone)]
pub struct Gateway {
    /// Where creates are POSTed and lists read, and below which each entity is:
    /// `/api/todo`.
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
        request.method = match asked.kind {
            OpKind::Create => Method::Post,
            OpKind::Get | OpKind::List => Method::Get,
            // It replaces the two fields that there are.
            OpKind::Update | OpKind::Patch => Method::Put,
            OpKind::Delete => Method::Delete,
        };
        request.address(&self.path, asked);
        request.body.clear();
        request.follows = false;
        let body = &mut request.body;
        match asked.kind {
            OpKind::Get | OpKind::List | OpKind::Delete => return,
            OpKind::Create => {
                body.extend_from_slice(br#"{"code":""#);
                // A resource's name: nothing in it needs escaping.
                body.extend_from_slice(asked.name.as_bytes());
                body.extend_from_slice(br#"","#);
            }
            OpKind::Update | OpKind::Patch => body.push(b'{'),
        }
        body.extend_from_slice(asked.fields);
        body.push(b'}');
    }

    fn classify(&self, _: OpKind, status: u16) -> Outcome {
        (self.classify)(status)
    }

    fn read(&self, kind: OpKind, _: Media, body: &[u8]) -> Answered {
        #[derive(Deserialize)]
        struct Shown<'a> {
            #[serde(borrow)]
            id: Cow<'a, str>,
            /// The origin's gateway says none when it creates.
            #[serde(borrow, default)]
            revision: Option<Cow<'a, str>>,
        }
        if kind == OpKind::List {
            return Answered::default();
        }
        let Ok(Shown { id, revision }) = serde_json::from_slice(body) else {
            return Answered::default();
        };
        // What was removed is told as it was: that is not what the removal did.
        let revision = revision.filter(|_| kind != OpKind::Delete);
        Answered { uid: Some(id.into_owned()), rv: revision.map(Cow::into_owned) }
    }
}

#[cfg(test)]
mod tests {
    use kab_evidence::id::OpId;

    use super::*;

    fn dialect() -> Gateway {
        Gateway { path: "/api/todo".to_owned(), classify: |_| Outcome::Ok }
    }

    #[test]
    fn each_operation_is_a_request_of_its_own() {
        let fields = br#""message":"m","when":"w""#;
        let mut request = Composed::default();
        let body = r#"{"message":"m","when":"w"}"#;
        let table = [
            (
                OpKind::Create,
                Method::Post,
                "/api/todo",
                r#"{"code":"a-1","message":"m","when":"w"}"#,
            ),
            (OpKind::Get, Method::Get, "/api/todo/a-1", ""),
            (OpKind::Update, Method::Put, "/api/todo/a-1", body),
            (OpKind::List, Method::Get, "/api/todo", ""),
            (OpKind::Patch, Method::Put, "/api/todo/a-1", body),
            (OpKind::Delete, Method::Delete, "/api/todo/a-1", ""),
        ];
        for (kind, method, path, body) in table {
            let fields: &[u8] = if body.is_empty() { b"" } else { fields };
            let asked = Asked { op: OpId::new(1, 2), kind, name: "a-1", fields };
            dialect().compose(&asked, &mut request);
            assert_eq!((request.method, request.path.as_str()), (method, path), "{kind:?}");
            assert_eq!(request.body, body.as_bytes(), "{kind:?}");
            assert!(!request.follows);
        }
    }

    #[test]
    fn an_answer_says_which_entity_and_which_state() {
        let read = |kind, body: &str| {
            let Answered { uid, rv } = dialect().read(kind, Media::Json, body.as_bytes());
            (uid, rv)
        };
        let some = |text: &str| Some(text.to_owned());
        let whole = r#"{"id":"u","code":"a","message":"m","when":"w","revision":"7"}"#;
        for kind in [OpKind::Create, OpKind::Get, OpKind::Update, OpKind::Patch] {
            assert_eq!(read(kind, whole), (some("u"), some("7")));
        }
        assert_eq!(read(OpKind::Delete, whole), (some("u"), None));
        let origin = r#"{"id":"u","code":"a","message":"m","when":"w"}"#;
        assert_eq!(read(OpKind::Create, origin), (some("u"), None));
        for nothing in ["", "[]", r#"{"items":[]}"#] {
            assert_eq!(read(OpKind::List, nothing), (None, None));
            assert_eq!(read(OpKind::Get, nothing), (None, None));
        }
    }
}

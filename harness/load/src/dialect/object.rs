//! The apiserver's REST, which is the same for every kind of object.

use kab_evidence::id::OP_ANNOTATION;
use kab_evidence::ledger::{OpKind, Outcome};
use kab_wire::{Media, Method};

use super::{Answered, Asked, Composed, Dialect, answer};

/// Where an object has the fields that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    /// In `spec`, as custom resources have them.
    Spec,
    /// In `data`, as ConfigMaps have them.
    Data,
    /// In the annotations: those of a Lease are not free to choose.
    Annotations,
}

/// What an apiserver keeps: everything but the kind of object is the same.
pub(super) trait OfApiserver: std::fmt::Debug + Send + Sync {
    /// Which kind, and where.
    fn object(&self) -> Object<'_>;
}

impl<T: OfApiserver> Dialect for T {
    fn compose(&self, asked: &Asked<'_>, request: &mut Composed) {
        self.object().compose(asked, request);
    }

    fn follow(&self, read: &Answered, request: &mut Composed) -> bool {
        follow(read, request)
    }

    fn classify(&self, _: OpKind, status: u16) -> Outcome {
        classify(status)
    }

    fn read(&self, kind: OpKind, media: Media, body: &[u8]) -> Answered {
        if kind == OpKind::List { Answered::default() } else { answer::object(media, body) }
    }

    fn explain(&self, media: Media, body: &[u8]) -> Option<String> {
        answer::message(media, body)
    }
}

/// A kind of objects in a namespace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    /// Path of the collection.
    pub path: &'a str,
    pub fields: Fields,
}

impl Object<'_> {
    /// Writes the request of `asked`. An update begins with a read: what it
    /// writes is made ready as far as it is known.
    fn compose(&self, asked: &Asked<'_>, request: &mut Composed) {
        request.method = match asked.kind {
            OpKind::Create => Method::Post,
            OpKind::Get | OpKind::List | OpKind::Update => Method::Get,
            OpKind::Patch => Method::Patch,
            OpKind::Delete => Method::Delete,
        };
        request.content_type = match asked.kind {
            OpKind::Patch => "application/merge-patch+json",
            _ => "application/json",
        };
        request.address(self.path, asked);
        request.body.clear();
        request.second.clear();
        request.follows = asked.kind == OpKind::Update;
        match asked.kind {
            OpKind::Get | OpKind::List | OpKind::Delete => {}
            OpKind::Create | OpKind::Patch => {
                self.write(asked, &mut request.body);
                request.body.extend_from_slice(b"}}");
            }
            OpKind::Update => self.write(asked, &mut request.second),
        }
    }

    /// Writes the object of `asked` up to the end of its metadata, which come
    /// last and are left open.
    fn write(&self, asked: &Asked<'_>, body: &mut Vec<u8>) {
        let mut put = |part: &[u8]| body.extend_from_slice(part);
        put(b"{");
        let whole = asked.kind != OpKind::Patch;
        if whole {
            for part in [r#""apiVersion":""#, self.api_version, r#"","kind":""#, self.kind] {
                put(part.as_bytes());
            }
            put(br#"","#);
        }
        match self.fields {
            Fields::Spec | Fields::Data => {
                put(if self.fields == Fields::Spec { br#""spec":{"# } else { br#""data":{"# });
                put(asked.fields);
                put(b"},");
            }
            Fields::Annotations if whole => {
                put(br#""spec":{"holderIdentity":""#);
                put(asked.name.as_bytes());
                put(br#""},"#);
            }
            Fields::Annotations => {}
        }
        put(br#""metadata":{"#);
        if whole {
            put(br#""name":""#);
            put(asked.name.as_bytes());
            put(br#"","#);
        }
        for part in [r#""annotations":{""#, OP_ANNOTATION, r#"":""#, asked.op.text().as_str()] {
            put(part.as_bytes());
        }
        put(br#"""#);
        if self.fields == Fields::Annotations && !asked.fields.is_empty() {
            put(b",");
            put(asked.fields);
        }
        put(b"}");
    }
}

/// Turns the read of an update into its write, of the version that was read.
/// False if none was.
fn follow(read: &Answered, request: &mut Composed) -> bool {
    // Versions are numbers, written as text; nothing else goes into a body.
    let plain = |rv: &&String| !rv.is_empty() && rv.bytes().all(|byte| byte.is_ascii_digit());
    let Some(version) = read.rv.as_ref().filter(plain) else { return false };
    std::mem::swap(&mut request.body, &mut request.second);
    for part in [r#","resourceVersion":""#, version, r#""}}"#] {
        request.body.extend_from_slice(part.as_bytes());
    }
    request.method = Method::Put;
    request.follows = false;
    true
}

/// A request that the apiserver refuses with a 4xx was not applied. A 5xx
/// says nothing: etcd may have committed what the apiserver has lost sight
/// of, and a failure of a webhook is told as 500, too.
const fn classify(status: u16) -> Outcome {
    match status {
        200..=299 => Outcome::Ok,
        400..=499 => Outcome::Failed,
        _ => Outcome::Indeterminate,
    }
}

//! How a system is spoken to: the one thing that the generator does not know.

mod answer;
mod built_in;
mod cbor;
mod custom_resource;
mod gateway;
mod object;
mod protobuf;

use std::fmt::Debug;

use kab_evidence::id::OpId;
use kab_evidence::ledger::{OpKind, Outcome};
use kab_wire::{Media, Method};

pub use built_in::BuiltIn;
pub use custom_resource::CustomResource;
pub use gateway::Gateway;

/// What is to be asked, in the terms of the business.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Which operation; the system carries it along.
    pub op: OpId,
    /// What is asked for.
    pub kind: OpKind,
    /// The entity's name; empty for a list.
    pub name: &'a str,
    /// The entity's fields as members of a JSON object, without braces:
    /// `"message":"...","when":"..."`. Empty where nothing is written.
    pub fields: &'a [u8],
}

/// A request, in buffers that are used again and again.
#[derive(Debug, Clone)]
pub struct Composed {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Type of the body, if there is one.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// Whether a second request follows, which the operation really is about,
    /// and which needs the answer to this one. This one changes nothing.
    pub follows: bool,
    /// What of the second request's body is ready.
    pub second: Vec<u8>,
}

impl Default for Composed {
    fn default() -> Self {
        Self {
            method: Method::Get,
            path: String::new(),
            content_type: "application/json",
            body: Vec::new(),
            follows: false,
            second: Vec::new(),
        }
    }
}

impl Composed {
    /// Sets the path: entities are made in, and listed at, the `collection`, and
    /// each is below it by its name.
    fn address(&mut self, collection: &str, asked: &Asked<'_>) {
        self.path.clear();
        self.path.push_str(collection);
        if !matches!(asked.kind, OpKind::Create | OpKind::List) {
            self.path.push('/');
            self.path.push_str(asked.name);
        }
    }
}

/// What an answer says of the entity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered {
    /// Its UID.
    pub uid: Option<String>,
    /// Its resourceVersion.
    pub rv: Option<String>,
}

/// A system's interface: how operations become requests, and what its answers
/// mean for the ledger.
pub trait Dialect: Debug + Send + Sync {
    /// Writes the request of `asked` into `request`, whose buffers hold what
    /// was there before.
    fn compose(&self, asked: &Asked<'_>, request: &mut Composed);

    /// What a status means for an operation: only the system can say which of
    /// its refusals cannot follow a write.
    fn classify(&self, kind: OpKind, status: u16) -> Outcome;

    /// What the body of a successful answer says of the entity.
    fn read(&self, kind: OpKind, media: Media, body: &[u8]) -> Answered;

    /// Turns a request whose [`Composed::follows`] is set into the second one of
    /// its operation; `read` is what the answer to the first one said. False if
    /// that says too little: the operation ends then, and has changed nothing.
    fn follow(&self, read: &Answered, request: &mut Composed) -> bool {
        let _ = (read, request);
        false
    }

    /// What an answer that is no text says of a failure.
    fn explain(&self, media: Media, body: &[u8]) -> Option<String> {
        let _ = (media, body);
        None
    }
}

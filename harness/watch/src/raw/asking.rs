//! What a watcher asks the apiserver for.

use kab_evidence::clock::Mono;
use kab_evidence::watch::{Revision, Watcher};
use kab_wire::{Method, Request};

/// Metadata is all that is wanted of a list.
const LIST_ACCEPT: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// What a watcher wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Want {
    /// The revision at which all begin.
    Begin,
    Watch,
    List,
}

/// A request that is to be sent.
pub(super) struct Asking {
    pub w: Watcher,
    pub want: Want,
    path: String,
    pub at: Mono,
}

impl Asking {
    /// A request of `w`, which has got to `rv` in the collection at `path`.
    pub fn new(w: Watcher, want: Want, path: &str, rv: Revision, at: Mono) -> Self {
        let path = match want {
            Want::Begin => format!("{path}?limit=1"),
            Want::List => path.to_owned(),
            Want::Watch => {
                format!("{path}?watch=true&allowWatchBookmarks=true&resourceVersion={rv}")
            }
        };
        Self { w, want, path, at }
    }

    pub fn tag(&self) -> u64 {
        u64::from(self.w)
    }

    pub fn with_request<T>(&self, send: impl FnOnce(&Request<'_>) -> T) -> T {
        let accept = if self.want == Want::Watch { "application/json" } else { LIST_ACCEPT };
        let headers = [("accept", accept)];
        send(&Request { method: Method::Get, path: &self.path, headers: &headers, body: &[] })
    }
}

//! What is watched, and by how many.

use std::path::PathBuf;

use kab_evidence::watch::{WatchClient, WatchGroup};

/// A group of watchers of one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchSpec {
    /// The step that starts them, which names their file.
    pub step: String,
    /// Folder of the watch files.
    pub watch_dir: PathBuf,
    /// API group, version and plural name of what is watched.
    pub group: String,
    /// See `group`.
    pub version: String,
    /// See `group`.
    pub plural: String,
    /// Its kind.
    pub kind: String,
    /// In which namespace; none for all.
    pub namespace: Option<String>,
    /// How many watchers.
    pub count: u32,
}

impl WatchSpec {
    /// The collection's path on the apiserver.
    pub fn path(&self) -> String {
        let Self { group, version, plural, .. } = self;
        let base = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{group}/{version}")
        };
        match &self.namespace {
            Some(namespace) => format!("{base}/namespaces/{namespace}/{plural}"),
            None => format!("{base}/{plural}"),
        }
    }

    pub(crate) fn evidence(&self, client: WatchClient, bookmarks: bool) -> WatchGroup {
        WatchGroup {
            step: self.step.clone(),
            client,
            count: self.count,
            path: self.path(),
            bookmarks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let mut spec = WatchSpec {
            step: "listen".into(),
            watch_dir: PathBuf::new(),
            group: "example.com".into(),
            version: "v1".into(),
            plural: "todos".into(),
            kind: "Todo".into(),
            namespace: Some("here".into()),
            count: 1,
        };
        assert_eq!(spec.path(), "/apis/example.com/v1/namespaces/here/todos");
        spec.namespace = None;
        assert_eq!(spec.path(), "/apis/example.com/v1/todos");
        spec.group.clear();
        assert_eq!(spec.path(), "/api/v1/todos");
    }
}

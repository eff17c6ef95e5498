//! What an informer's watch receives, as evidence for the watch oracle.

use std::path::Path;

use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlError;
use kab_evidence::span::SPANS_DIR_ENV;
use kab_evidence::watch::{StreamEnd, WatchClient, WatchGroup, WatchKind, WatchLine, WatchLog};

use super::outbound::root_cause;
use crate::entity::{GROUP, PLURAL, Todo, VERSION};

/// The file of one informer, if the environment names a folder for evidence.
pub(super) struct Watched(Option<WatchLog>);

impl Watched {
    /// Opens `watch/informer-<subscriber>-<pid>.jsonl` beside the folder that
    /// `$KAB_SPANS_DIR` names.
    pub fn open(subscriber: u32, namespace: &str) -> Result<Self, JsonlError> {
        let Some(spans) = std::env::var_os(SPANS_DIR_ENV) else { return Ok(Self(None)) };
        let group = WatchGroup {
            step: format!("informer-{subscriber}-{}", std::process::id()),
            client: WatchClient::Informer,
            count: 1,
            path: format!("/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"),
            bookmarks: true,
        };
        WatchLog::open(&Path::new(&spans).with_file_name("watch"), group).map(Some).map(Self)
    }

    fn write(&mut self, act: impl FnOnce(&mut WatchLog)) {
        if let Some(log) = &mut self.0 {
            act(log);
            log.flush();
        }
    }

    fn line(&mut self, line: WatchLine) {
        self.write(|log| log.line(line));
    }

    pub fn listed(&mut self, at: Mono, revision: &str, todos: &[Todo]) {
        let Ok(rv) = revision.parse() else { return };
        self.write(|log| {
            let held = todos.iter().filter_map(|todo| describe(log, WatchKind::Listed, todo));
            let held = held.collect();
            log.listed(0, at, rv, held);
        });
    }

    pub fn unlisted(&mut self, error: &kube::Error) {
        let status = match error {
            kube::Error::Api(status) => Some(status.code),
            _ => None,
        };
        let detail = root_cause(error);
        self.line(WatchLine::Unlisted { w: 0, at: Mono::now(), status, detail });
    }

    pub fn asked(&mut self, revision: &str) {
        let rv = revision.parse().ok();
        self.line(WatchLine::Asked { w: 0, at: Mono::now(), rv, initial: false });
    }

    pub fn opened(&mut self) {
        self.line(WatchLine::Opened { w: 0, at: Mono::now() });
    }

    pub fn got(&mut self, at: Mono, kind: WatchKind, todo: &Todo) {
        self.write(|log| {
            if let Some(e) = describe(log, kind, todo) {
                log.got(0, at, e);
            }
        });
    }

    pub fn bookmark(&mut self, at: Mono, revision: &str) {
        if let Ok(rv) = revision.parse() {
            self.line(WatchLine::Bookmark { w: 0, at, rv });
        }
    }

    pub fn ended(&mut self, how: StreamEnd, status: Option<u16>, detail: &str) {
        let (at, detail) = (Mono::now(), detail.to_owned());
        self.line(WatchLine::Ended { w: 0, at, how, status, detail });
    }
}

fn describe(log: &mut WatchLog, kind: WatchKind, todo: &Todo) -> Option<u32> {
    let rv = todo.revision().parse().ok()?;
    Some(log.describe(rv, kind, todo.uid(), todo.name(), todo.op()))
}

//! Real clients: `kube::runtime::watcher`, as operators use it, with its
//! default backoff. Each lists first, then watches; a stream that ends is taken
//! up again, and a 410 makes it list anew.
//!
//! The library hides requests, bookmarks and ends in order. Requests are seen
//! by a layer below it ([`observe`]); an end in order shows in the next
//! request; bookmarks are not seen, so the evidence says that it has none.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use futures::{StreamExt, pin_mut};
use kab_evidence::clock::Mono;
use kab_evidence::id::{OP_ANNOTATION, OpId};
use kab_evidence::watch::{StreamEnd, WatchClient, WatchKind, WatchLine, WatchLog, Watcher};
use kube::api::{Api, ApiResource, DynamicObject};
use kube::config::Config;
use kube::core::GroupVersionKind;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::{oneshot, watch};

use crate::progress::Progress;
use crate::spec::WatchSpec;
use crate::watchers::{Stop, Summary, WatchError, Watchers, thread_cpu};

mod connector;
mod observe;

use connector::Connector;
use observe::Observed;

/// What all watchers of a group share.
pub(crate) struct Shared {
    log: Mutex<Option<WatchLog>>,
    progress: Arc<Progress>,
}

impl Shared {
    /// Writes to the log, and hands over what was written.
    pub(crate) fn with_log<T>(&self, act: impl FnOnce(&mut WatchLog) -> T) -> Option<T> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let done = log.as_mut().map(act);
        if let Some(log) = log.as_mut() {
            log.flush();
        }
        done
    }
}

/// Starts the watchers of `spec` at the apiserver of `config`, on a thread of
/// their own. They begin from then on: see [`Watchers::await_opened`].
///
/// # Errors
/// If there is no thread or no file for the evidence, or if the credentials
/// cannot be used.
pub fn start(spec: &WatchSpec, config: &Config) -> Result<Watchers, WatchError> {
    let connector = Connector::new(config)?;
    let log = WatchLog::open(&spec.watch_dir, spec.evidence(WatchClient::Runtime, false))?;
    let progress = Arc::new(Progress::new(spec.count));
    let shared = Arc::new(Shared { log: Mutex::new(Some(log)), progress: Arc::clone(&progress) });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(WatchError::Start)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, result) = oneshot::channel();
    let spec = spec.clone();
    let thread = thread::Builder::new().name("watch".into()).spawn(move || {
        let began = thread_cpu();
        runtime.block_on(all(&spec, &connector, &shared, stopped));
        drop(runtime);
        let log = shared.log.lock().unwrap_or_else(PoisonError::into_inner).take();
        let lines = log.map_or(Ok(0), WatchLog::finish);
        let events = shared.progress.events();
        let cpu = thread_cpu().saturating_sub(began);
        // Nobody may wait for it any more.
        let _ = tell.send(lines.map(|lines| Summary { events, cpu, lines }).map_err(Into::into));
    });
    Ok(Watchers {
        progress,
        stop: Stop::Runtime(Some(stop)),
        thread: Some(thread.map_err(WatchError::Start)?),
        result: Some(result),
    })
}

/// Runs all watchers until `stopped` is told or dropped.
async fn all(
    spec: &WatchSpec,
    connector: &Connector,
    shared: &Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    let (end, ending) = watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    let gvk = GroupVersionKind::gvk(&spec.group, &spec.version, &spec.kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, &spec.plural);
    for w in 0..spec.count {
        let seat = Arc::new(Observed::new(w, Arc::clone(shared)));
        let client = connector.client(w, &seat);
        let api: Api<DynamicObject> = match &spec.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        tasks.spawn(follow(api, seat, Arc::clone(shared), ending.clone()));
    }
    let _ = stopped.await;
    let _ = end.send(true);
    while tasks.join_next().await.is_some() {}
}

/// One watcher, until the end.
async fn follow(
    api: Api<DynamicObject>,
    seat: Arc<Observed>,
    shared: Arc<Shared>,
    mut ending: watch::Receiver<bool>,
) {
    let stream = watcher(api, watcher::Config::default()).default_backoff();
    pin_mut!(stream);
    loop {
        let event = tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => break,
            event = stream.next() => event,
        };
        let at = Mono::now();
        match event {
            None => break,
            Some(Ok(event)) => take(&seat, &shared, at, &event),
            Some(Err(error)) => failed(&seat, at, &error),
        }
        shared.progress.tell();
    }
    seat.end(Mono::now(), StreamEnd::Ours, None, String::new());
}

fn take(seat: &Observed, shared: &Shared, at: Mono, event: &watcher::Event<DynamicObject>) {
    match event {
        watcher::Event::Init => seat.begin_list(),
        watcher::Event::InitApply(object) => {
            if let Some((e, _)) = describe(shared, WatchKind::Listed, object) {
                seat.list_item(e);
            }
        }
        watcher::Event::InitDone => seat.list_done(at),
        watcher::Event::Apply(object) => {
            got(seat.watcher(), shared, at, WatchKind::Applied, object);
        }
        watcher::Event::Delete(object) => {
            got(seat.watcher(), shared, at, WatchKind::Deleted, object);
        }
    }
}

fn got(w: Watcher, shared: &Shared, at: Mono, kind: WatchKind, object: &DynamicObject) {
    let Some((e, rv)) = describe(shared, kind, object) else { return };
    shared.with_log(|log| log.got(w, at, e));
    shared.progress.event();
    shared.progress.reached(w, rv);
}

/// The number of a change, and its revision; none if it has none.
fn describe(shared: &Shared, kind: WatchKind, object: &DynamicObject) -> Option<(u32, u64)> {
    let meta = &object.metadata;
    let rv = meta.resource_version.as_deref()?.parse().ok()?;
    let annotations = meta.annotations.as_ref();
    let op: Option<OpId> = annotations.and_then(|all| all.get(OP_ANNOTATION)?.parse().ok());
    // A removal carries the id of the write before.
    if let Some(op) = op.filter(|_| kind != WatchKind::Deleted) {
        shared.progress.seen(op, rv);
    }
    let (uid, name) = (meta.uid.as_deref()?, meta.name.as_deref().unwrap_or_default());
    let e = shared.with_log(|log| log.describe(rv, kind, uid, name, op))?;
    Some((e, rv))
}

fn failed(seat: &Observed, at: Mono, error: &watcher::Error) {
    use watcher::Error;
    let detail = error.to_string();
    match error {
        Error::InitialListFailed(e) => seat.unlisted(at, status_of(e), detail),
        // Written down when the answer came, if there was one.
        Error::WatchStartFailed(e) => {
            seat.end(at, StreamEnd::Unconnected, status_of(e), detail);
        }
        Error::WatchError(status) => {
            seat.end(at, StreamEnd::Failed, Some(status.code), detail);
        }
        Error::WatchFailed(_) => seat.end(at, StreamEnd::Lost, None, detail),
        Error::NoResourceVersion => seat.end(at, StreamEnd::Malformed, None, detail),
    }
}

fn status_of(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Writes `line` for a watcher.
pub(crate) fn write(shared: &Shared, line: WatchLine) {
    shared.with_log(|log| log.line(line));
}

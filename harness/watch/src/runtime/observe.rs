//! What one watcher asks for, seen from below the library.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use kab_evidence::clock::Mono;
use kab_evidence::watch::{Revision, StreamEnd, WatchLine, Watcher};
use tower::{BoxError, Service};

use super::{Shared, write};

/// What is known of one watcher's requests.
pub(crate) struct Observed {
    w: Watcher,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A stream was asked for and has not ended.
    wants: bool,
    list: Vec<u32>,
    /// When the list was complete; its revision is in the next request.
    listed: Option<Mono>,
}

impl Observed {
    pub fn new(w: Watcher, shared: Arc<Shared>) -> Self {
        Self { w, shared, state: Mutex::default() }
    }

    pub const fn watcher(&self) -> Watcher {
        self.w
    }

    fn state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn begin_list(&self) {
        self.state(|state| (state.list, state.listed) = (Vec::new(), None));
    }

    pub fn list_item(&self, e: u32) {
        self.state(|state| state.list.push(e));
    }

    pub fn list_done(&self, at: Mono) {
        self.state(|state| state.listed = Some(at));
    }

    pub fn unlisted(&self, at: Mono, status: Option<u16>, detail: String) {
        write(&self.shared, WatchLine::Unlisted { w: self.w, at, status, detail });
    }

    /// The stream is over, unless that is known already.
    pub fn end(&self, at: Mono, how: StreamEnd, status: Option<u16>, detail: String) {
        if self.state(|state| std::mem::take(&mut state.wants)) {
            write(&self.shared, WatchLine::Ended { w: self.w, at, how, status, detail });
        }
    }

    /// A watch is asked for. If there was one, it had ended in order, or the
    /// library would have told of an error.
    fn ask(&self, rv: Option<Revision>, initial: bool) {
        let at = Mono::now();
        self.end(at, StreamEnd::Closed, None, String::new());
        let list = self.state(|state| {
            state.wants = true;
            state.listed.take().map(|at| (at, std::mem::take(&mut state.list)))
        });
        if let (Some((listed, events)), Some(rv)) = (list, rv) {
            self.shared.with_log(|log| log.listed(self.w, listed, rv, events));
            self.shared.progress.reached(self.w, rv);
        }
        write(&self.shared, WatchLine::Asked { w: self.w, at, rv, initial });
    }

    /// The answer's head has come.
    fn answer(&self, status: u16) {
        let at = Mono::now();
        if status == 200 {
            self.shared.progress.opened(self.w);
            write(&self.shared, WatchLine::Opened { w: self.w, at });
            self.shared.progress.tell();
        } else {
            self.end(at, StreamEnd::Refused, Some(status), String::new());
        }
    }
}

/// A service that lets [`Observed`] see watches go through.
#[derive(Clone)]
pub(crate) struct Observing<S> {
    pub inner: S,
    pub seat: Arc<Observed>,
}

impl<S, B, R> Service<Request<B>> for Observing<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = BoxError>,
    S::Future: Send + 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let query = request.uri().query().unwrap_or_default();
        let watch = parameter(query, "watch").is_some_and(|value| value != "false");
        if !watch {
            return Box::pin(self.inner.call(request));
        }
        let rv = parameter(query, "resourceVersion").and_then(|rv| rv.parse().ok());
        let initial = parameter(query, "sendInitialEvents") == Some("true");
        self.seat.ask(rv, initial);
        let (answer, seat) = (self.inner.call(request), Arc::clone(&self.seat));
        Box::pin(async move {
            let answer = answer.await?;
            seat.answer(answer.status().as_u16());
            Ok(answer)
        })
    }
}

/// The value of a query's parameter. Revisions and flags are never escaped.
fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|p| p.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        let query = "limit=500&watch=true&xresourceVersion=1&resourceVersion=12";
        assert_eq!(parameter(query, "resourceVersion"), Some("12"));
        assert_eq!(parameter(query, "watch"), Some("true"));
        assert_eq!(parameter(query, "none"), None);
    }
}

//! How the gateway says that something was not done: as RFC 9457 has it, or as
//! the origin does (defect 11).

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::Gateway;
use super::messages::{BrokenView, ProblemView, Refusal};
use crate::rules::{Broken, Content, judge};
use crate::store::{Done, Draft, Refused};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What the types of problems begin with.
pub(crate) const URN: &str = "urn:kab:problem:";

/// A kind of problem. Clients tell them apart by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    NoRoute,
    NoMethod,
    NotFound,
    Conflict,
    PreconditionFailed,
    Denied,
    Invalid,
    TooLarge,
    Throttled,
    Expired,
    Unsupported,
    Unavailable,
    Indeterminate,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 14] = [
        Self::BadRequest,
        Self::NoRoute,
        Self::NoMethod,
        Self::NotFound,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::Denied,
        Self::Invalid,
        Self::TooLarge,
        Self::Throttled,
        Self::Expired,
        Self::Unsupported,
        Self::Unavailable,
        Self::Indeterminate,
    ];

    /// Name, status and title.
    const fn parts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::BadRequest => {
                ("bad-request", StatusCode::BAD_REQUEST, "the request cannot be understood")
            }
            Self::NoRoute => ("no-route", StatusCode::NOT_FOUND, "there is nothing at this path"),
            Self::NoMethod => {
                ("no-method", StatusCode::METHOD_NOT_ALLOWED, "the path has no such method")
            }
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "there is no such Todo"),
            Self::Conflict => {
                ("conflict", StatusCode::CONFLICT, "there is one already, or others write it too")
            }
            Self::PreconditionFailed => (
                "precondition-failed",
                StatusCode::PRECONDITION_FAILED,
                "the Todo is in another state",
            ),
            Self::Denied => ("denied", StatusCode::FORBIDDEN, "this may not be done"),
            Self::Invalid => {
                ("invalid", StatusCode::UNPROCESSABLE_ENTITY, "the Todo breaks a rule")
            }
            Self::TooLarge => {
                ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "it is more than is taken")
            }
            Self::Throttled => {
                ("throttled", StatusCode::TOO_MANY_REQUESTS, "too much is asked at once")
            }
            Self::Expired => {
                ("expired", StatusCode::GONE, "what happened since is not known any more")
            }
            Self::Unsupported => {
                ("unsupported", StatusCode::NOT_IMPLEMENTED, "this system cannot do this")
            }
            Self::Unavailable => (
                "unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "something needed does not work; nothing was done",
            ),
            Self::Indeterminate => {
                ("indeterminate", StatusCode::GATEWAY_TIMEOUT, "nobody knows whether it was done")
            }
        }
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        self.parts().0
    }

    /// The status that goes with it.
    pub(crate) const fn status(self) -> StatusCode {
        self.parts().1
    }

    /// The kind of `refused`, of a request that is `conditional` or not.
    pub(crate) const fn of(refused: &Refused, conditional: bool) -> Self {
        match refused {
            Refused::Conflict(_) if conditional => Self::PreconditionFailed,
            Refused::Conflict(_) => Self::Conflict,
            Refused::NotFound(_) => Self::NotFound,
            Refused::Denied(_) => Self::Denied,
            Refused::Invalid(_) => Self::Invalid,
            Refused::TooLarge(_) => Self::TooLarge,
            Refused::Throttled { .. } => Self::Throttled,
            Refused::Expired(_) => Self::Expired,
            Refused::Unsupported(_) => Self::Unsupported,
            Refused::Unavailable(_) => Self::Unavailable,
            Refused::Indeterminate(_) => Self::Indeterminate,
        }
    }

    /// What is said of it.
    pub(crate) fn view(self, detail: &str) -> ProblemView<'_> {
        ProblemView {
            kind: format!("{URN}{}", self.name()).into(),
            title: self.parts().2.into(),
            status: self.status().as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }
}

/// What a refused request was about.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    /// What was to be written.
    pub(super) draft: Option<&'a Draft<'a>>,
    /// Whether it depended on a state.
    pub(super) conditional: bool,
}

impl<S> Gateway<S> {
    /// The answer to what the store refused.
    pub(super) fn refuse<T>(
        &self,
        done: &Done<T>,
        refused: &Refused,
        about: About<'_>,
    ) -> Response {
        if self.one_status {
            return origin(StatusCode::BAD_REQUEST, refused.why(), done.status);
        }
        let mut view = Kind::of(refused, about.conditional).view(refused.why());
        if matches!(refused, Refused::Invalid(_)) {
            view.errors = broken(refused.why(), about.draft);
        }
        let mut response = problem(&view);
        if let Refused::Throttled { after, .. } = refused {
            // Whole seconds, and none too early.
            let seconds = after.map_or(1, |after| after.as_millis().div_ceil(1000).max(1));
            if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
            }
        }
        response
    }

    /// The answer to what never reaches the store.
    pub(super) fn refuse_at_once(&self, kind: Kind, why: &str) -> Response {
        if self.one_status {
            origin(StatusCode::BAD_REQUEST, why, None)
        } else {
            problem(&kind.view(why))
        }
    }
}

/// Which rules `draft` breaks, and which ones the system says are broken.
fn broken(why: &str, draft: Option<&Draft<'_>>) -> Vec<BrokenView<'static>> {
    let found =
        draft.map(|draft| judge(Content { message: &draft.message, when: &draft.when }, None));
    let found = found.unwrap_or_default();
    let view = |rule: Broken| {
        let detail = rule.to_string();
        let is = found.contains(&rule) || why.contains(&detail);
        is.then(|| BrokenView { rule, detail: detail.into() })
    };
    Broken::ALL.into_iter().filter_map(view).collect()
}

/// A refusal as the origin words it.
pub(super) fn origin(status: StatusCode, message: &str, code: Option<u16>) -> Response {
    let refusal = Refusal { message: message.into(), code, status: Cow::Borrowed("Failure") };
    json(status, &refusal)
}

fn problem(view: &ProblemView<'_>) -> Response {
    let status = StatusCode::from_u16(view.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    with_type(status, PROBLEM, view)
}

pub(super) async fn no_route(uri: http::Uri) -> Response {
    problem(
        &Kind::NoRoute.view(&format!("{} is no path of this API; see /openapi.json", uri.path())),
    )
}

pub(super) async fn no_method(method: http::Method, uri: http::Uri) -> Response {
    problem(&Kind::NoMethod.view(&format!("{} has no {method}; see /openapi.json", uri.path())))
}

/// An answer in JSON.
pub(super) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    with_type(status, JSON, body)
}

fn with_type<T: Serialize>(status: StatusCode, media: HeaderValue, body: &T) -> Response {
    const TYPE: HeaderName = header::CONTENT_TYPE;
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(TYPE, media)], body).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    }
}

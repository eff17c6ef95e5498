//! What a gateway's refusals mean.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use crate::app::gateway::messages::{ProblemView, Refusal};
use crate::app::gateway::problem::{Kind, URN};
use crate::store::Refused;

/// What the answer `status` with `body`, which is no success, says.
pub(super) fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Refused {
    let media = headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
    if media.is_some_and(|media| media.starts_with("application/problem+json"))
        && let Ok(problem) = serde_json::from_slice::<ProblemView<'_>>(body)
        && let Some(refused) = told(&problem, after(headers))
    {
        return refused;
    }
    // The origin's: one status for all, after which everything is open.
    let why = match serde_json::from_slice::<Refusal<'_>>(body) {
        Ok(refusal) => refusal.message.into_owned(),
        Err(_) => format!("{status}: {}", String::from_utf8_lossy(body)),
    };
    Refused::Indeterminate(why)
}

/// What `problem` says; none if it is none that a gateway tells of.
pub(super) fn told(problem: &ProblemView<'_>, after: Option<Duration>) -> Option<Refused> {
    let name = problem.kind.strip_prefix(URN)?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    let why = problem.detail.clone().into_owned();
    Some(match kind {
        Kind::BadRequest | Kind::Invalid => Refused::Invalid(why),
        Kind::NoRoute | Kind::NoMethod | Kind::Unsupported => Refused::Unsupported(why),
        Kind::NotFound => Refused::NotFound(why),
        Kind::Conflict | Kind::PreconditionFailed => Refused::Conflict(why),
        Kind::Denied => Refused::Denied(why),
        Kind::TooLarge => Refused::TooLarge(why),
        Kind::Throttled => Refused::Throttled { why, after },
        Kind::Expired => Refused::Expired(why),
        Kind::Unavailable => Refused::Unavailable(why),
        Kind::Indeterminate => Refused::Indeterminate(why),
    })
}

fn after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_problem_is_read_as_what_it_is() {
        let mut headers = HeaderMap::new();
        let media = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media);
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        for kind in Kind::ALL {
            let body = serde_json::to_vec(&kind.view("why")).unwrap();
            let refused = refused(kind.status(), &headers, &body);
            assert_eq!(refused.why(), "why");
            // And would be told as the same again.
            let again = Kind::of(&refused, kind == Kind::PreconditionFailed);
            let same = match kind {
                Kind::BadRequest => Kind::Invalid,
                Kind::NoRoute | Kind::NoMethod => Kind::Unsupported,
                kind => kind,
            };
            assert_eq!(again, same);
            if let Refused::Throttled { after, .. } = refused {
                assert_eq!(after, Some(Duration::from_secs(7)));
            }
        }
    }

    #[test]
    fn the_origins_refusals_say_nothing() {
        let body = json!({ "message": "exists", "code": 409, "status": "Failure" }).to_string();
        let of = |body: &str| refused(StatusCode::BAD_REQUEST, &HeaderMap::new(), body.as_bytes());
        assert_eq!(of(&body), Refused::Indeterminate("exists".to_owned()));
        assert!(matches!(of("<html>"), Refused::Indeterminate(_)));
    }
}

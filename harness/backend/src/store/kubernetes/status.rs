//! What the apiserver's refusals mean.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::store::Refused;

/// What a request was about to do: after a write whose answer is lost, nobody
/// knows whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Write,
}

/// The apiserver's own description of a failure.
#[derive(Default, Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(default)]
    retry_after_seconds: Option<u64>,
}

/// What the answer `status` with `body`, which is no success, says.
pub(super) fn refused(
    purpose: Purpose,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Refused {
    let failure = serde_json::from_slice::<Failure>(body).ok();
    let text = || String::from_utf8_lossy(body).into_owned();
    let Failure { message: why, details } =
        failure.unwrap_or_else(|| Failure { message: text(), details: None });
    match status.as_u16() {
        // A webhook's and a policy's denial, whatever code they come with.
        400..=499 if why.contains("denied the request") || why.contains("denied request") => {
            Refused::Invalid(why)
        }
        400 | 422 => Refused::Invalid(why),
        403 if why.contains("exceeded quota") => Refused::TooLarge(why),
        401 | 403 => Refused::Denied(why),
        404 => Refused::NotFound(why),
        409 => Refused::Conflict(why),
        410 => Refused::Expired(why),
        413 => Refused::TooLarge(why),
        429 => {
            let said = details.unwrap_or_default().retry_after_seconds.or_else(|| seconds(headers));
            Refused::Throttled { why, after: said.map(Duration::from_secs) }
        }
        405 | 406 | 415 | 501 => Refused::Unsupported(why),
        // etcd's limit, and that of the apiserver's own client of it.
        500 if why.contains("etcdserver: request is too large")
            || why.contains("trying to send message larger than max") =>
        {
            Refused::TooLarge(why)
        }
        // The webhook was not reached, and is not to be done without.
        500 if why.contains("failed calling webhook") => Refused::Unavailable(why),
        500 if why.contains("etcdserver: mvcc: database space exceeded") => {
            Refused::Unavailable(why)
        }
        // etcd may have committed what its new leader does not answer for.
        503 if !why.contains("etcdserver: leader changed") => Refused::Unavailable(why),
        _ => lost(purpose, why),
    }
}

/// What it means that there is no answer, or none that says anything.
pub(super) fn lost(purpose: Purpose, why: String) -> Refused {
    match purpose {
        Purpose::Read => Refused::Unavailable(why),
        Purpose::Write => Refused::Indeterminate(why),
    }
}

fn seconds(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(purpose: Purpose, status: u16, message: &str) -> Refused {
        let body = json!({ "kind": "Status", "code": status, "message": message }).to_string();
        let status = StatusCode::from_u16(status).unwrap();
        refused(purpose, status, &HeaderMap::new(), body.as_bytes())
    }

    /// Messages as kube-apiserver 1.36 words them.
    #[test]
    fn each_refusal_means_what_it_says() {
        type Kind = fn(String) -> Refused;
        let table: [(u16, &str, Kind); 23] = [
            (400, "the object provided is unrecognized", Refused::Invalid),
            (400, r#"admission webhook "w" denied the request: no"#, Refused::Invalid),
            (403, r#"admission webhook "w" denied the request: no"#, Refused::Invalid),
            (
                422,
                "todos \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                Refused::Invalid,
            ),
            (422, r#"Todo "a" is invalid: spec.message"#, Refused::Invalid),
            (401, "Unauthorized", Refused::Denied),
            (403, r#"todos is forbidden: User "u" cannot list"#, Refused::Denied),
            (403, r#"todos "a" is forbidden: exceeded quota: q"#, Refused::TooLarge),
            (404, r#"todos "a" not found"#, Refused::NotFound),
            (405, "the server does not allow this method", Refused::Unsupported),
            (409, r#"todos "a" already exists"#, Refused::Conflict),
            (409, "Operation cannot be fulfilled on todos", Refused::Conflict),
            (410, "The provided continue parameter is too old", Refused::Expired),
            (413, "Request entity too large: limit is 3145728", Refused::TooLarge),
            (500, "etcdserver: request is too large", Refused::TooLarge),
            (
                500,
                "rpc error: code = ResourceExhausted desc = trying to send message larger than max \
                 (2097546 vs. 2097152)",
                Refused::TooLarge,
            ),
            (500, r#"Internal error occurred: failed calling webhook "w""#, Refused::Unavailable),
            (500, "etcdserver: mvcc: database space exceeded", Refused::Unavailable),
            (500, "etcdserver: request timed out", Refused::Indeterminate),
            (502, "", Refused::Indeterminate),
            (503, "the server is currently unable to handle the request", Refused::Unavailable),
            (503, "etcdserver: leader changed", Refused::Indeterminate),
            (504, "Timeout: request did not complete within", Refused::Indeterminate),
        ];
        for (status, message, kind) in table {
            assert_eq!(of(Purpose::Write, status, message), kind(message.to_owned()), "{status}");
        }
        // A read changes nothing, whatever becomes of it.
        for status in [500, 502, 504] {
            assert_eq!(of(Purpose::Read, status, "m"), Refused::Unavailable("m".to_owned()));
        }
    }

    #[test]
    fn throttled_says_when_to_come_again() {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut headers = HeaderMap::new();
        let body = br#"{"message":"too many requests","details":{"retryAfterSeconds":3}}"#;
        let after =
            |headers: &HeaderMap, body: &[u8]| match refused(Purpose::Write, status, headers, body)
            {
                Refused::Throttled { after, .. } => after.map(|after| after.as_secs()),
                other => panic!("{other}"),
            };
        assert_eq!(after(&headers, body), Some(3));
        assert_eq!(after(&headers, b"Too many requests, please try again later."), None);
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        assert_eq!(after(&headers, b"Too many requests, please try again later."), Some(1));
    }
}

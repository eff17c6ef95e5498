//! The business's rules, for the webhook to ask for.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use kab_evidence::clock::Mono;
use kab_evidence::span::Span;
use serde::Deserialize;

use super::Gateway;
use super::messages::{ValidateRequest, ValidateResponse};
use super::problem::json;
use super::read::op;
use crate::entity::{code_of, name_of};
use crate::rules::{Content, judge};
use crate::store::{Notices, Store};

/// Judge a Todo that is about to be stored.
#[utoipa::path(
    post, path = "/api/todo/validate", tag = "rules", operation_id = "validateTodo",
    request_body = ValidateRequest<'static>,
    responses(
        (status = 200, description = "The judgement", body = ValidateResponse),
        (status = 400, description = "The body is no question"),
        (status = 413, description = "It is more than is taken"),
    )
)]
pub(super) async fn validate<S: Store + Notices>(
    State(gateway): State<Arc<Gateway<S>>>,
    request: Request,
) -> Response {
    let start = Mono::now();
    let (head, body) = request.into_parts();
    let body = match gateway.body(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let ValidateRequest { raw, raw_old } = match gateway.parsed(&body) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    tracing::debug!(bytes = raw.len(), "asked to judge a Todo");
    let message = match gateway.always_valid {
        // Whatever it is (defect 3).
        true => None,
        false => objection(&raw, raw_old.as_deref()),
    };
    let valid = message.is_none();
    let response = json(StatusCode::OK, &ValidateResponse { valid, message });
    let op = op(&head.headers);
    gateway.spans.record(Span::Validate { op, start, end: Mono::now(), valid });
    response
}

/// Of a Todo, what there are rules about.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    metadata: RawHead<'a>,
    #[serde(borrow)]
    spec: RawSpec<'a>,
}

#[derive(Deserialize)]
struct RawHead<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawSpec<'a> {
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    when: Cow<'a, str>,
}

impl RawSpec<'_> {
    fn content(&self) -> Content<'_> {
        Content { message: &self.message, when: &self.when }
    }
}

/// What there is to object to the Todo `raw`, in place of `old`.
fn objection(raw: &str, old: Option<&str>) -> Option<String> {
    let new: Raw<'_> = match serde_json::from_str(raw) {
        Ok(new) => new,
        Err(e) => return Some(format!("this is no Todo: {e}")),
    };
    // What was let in before there were rules can be put right.
    let old = old.and_then(|old| serde_json::from_str::<Raw<'_>>(old).ok());
    let broken = judge(new.spec.content(), old.as_ref().map(|old| old.spec.content()));
    let mut objections: Vec<_> = broken.iter().map(ToString::to_string).collect();
    let name = &*new.metadata.name;
    if name_of(code_of(name, new.spec.code.as_deref())) != name {
        // Or one code could have two Todos.
        objections.push("metadata.name: must be the code, or made of spec.code".to_owned());
    }
    (!objections.is_empty()).then(|| objections.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn todo(name: &str, spec: Value) -> String {
        json!({ "metadata": { "name": name }, "spec": spec }).to_string()
    }

    #[test]
    fn what_keeps_the_rules_meets_no_objection() {
        let spec = |when: &str| json!({ "message": "m", "when": when });
        let good = todo("milk", spec("2030-01-01T00:00:00Z"));
        assert_eq!(objection(&good, None), None);
        assert_eq!(objection(&good, Some(&good)), None);
        assert_eq!(objection(&good, Some("null")), None);
        let mut named = spec("2030-01-01T00:00:00Z");
        named["code"] = "Milk".into();
        assert_eq!(objection(&todo(&name_of("Milk"), named), None), None);
        let sooner = todo("milk", spec("2010-01-01T00:00:00Z"));
        let why = objection(&good, Some(&sooner)).unwrap();
        assert_eq!(why, crate::rules::Broken::PutOffTooFar.to_string());
    }

    #[test]
    fn what_breaks_one_does() {
        let why = objection(&todo("a", json!({ "message": " ", "when": "x" })), None).unwrap();
        assert_eq!(why.split("; ").count(), 2, "{why}");
        for raw in [
            "".to_owned(),
            "null".to_owned(),
            "not even JSON".to_owned(),
            todo("a", json!(null)),
            todo("a", json!({ "message": 1, "when": "2030-01-01T00:00:00Z" })),
        ] {
            assert!(objection(&raw, None).unwrap().starts_with("this is no Todo"), "{raw}");
        }
    }

    /// Two Todos with one code, or one that nobody finds by its code.
    #[test]
    fn a_name_says_which_code_it_is_of() {
        let spec =
            |code: Value| json!({ "code": code, "message": "m", "when": "2030-01-01T00:00:00Z" });
        let wrong = [("milk", json!("Milk")), ("x-made-up", Value::Null), ("b", json!("a"))];
        for (name, code) in wrong {
            assert!(objection(&todo(name, spec(code)), None).is_some(), "{name}");
        }
        assert_eq!(objection(&todo("a", spec(json!("a"))), None), None);
    }
}

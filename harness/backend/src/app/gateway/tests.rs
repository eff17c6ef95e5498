//! The gateway's handlers, with an apiserver that says what a test wants.

use axum::body::Body;
use http::{HeaderMap, Request, header};
use kab_evidence::id::{OP_ANNOTATION, TRACEPARENT};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::{BoxError, ServiceExt};

use super::*;

/// What the gateway asked of the apiserver.
struct Asked {
    line: String,
    traceparent: Option<String>,
    body: Value,
}

/// The origin's gateway, whose apiserver answers `answer`, or not at all; and
/// what it is asked.
fn gateway(answer: Option<(u16, Value)>) -> (Router, mpsc::UnboundedReceiver<Asked>) {
    gateway_with(&Defects::all(), answer)
}

/// The same without the origin's defects.
fn hardened(answer: Option<(u16, Value)>) -> (Router, mpsc::UnboundedReceiver<Asked>) {
    gateway_with(&Defects::none(), answer)
}

fn gateway_with(
    defects: &Defects,
    answer: Option<(u16, Value)>,
) -> (Router, mpsc::UnboundedReceiver<Asked>) {
    let (sender, asked) = mpsc::unbounded_channel();
    let apiserver = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (sender, answer) = (sender.clone(), answer.clone());
        async move {
            let (head, body) = request.into_parts();
            let header = head.headers.get(TRACEPARENT).and_then(|v| v.to_str().ok());
            let body = body.collect_bytes().await.unwrap();
            let asked = Asked {
                line: format!("{} {}", head.method, head.uri),
                traceparent: header.map(str::to_owned),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            };
            // Not every test wants to know.
            let _ = sender.send(asked);
            let (status, answer) = answer.ok_or("connection reset")?;
            let body = kube::client::Body::from(answer.to_string().into_bytes());
            Ok::<_, BoxError>(http::Response::builder().status(status).body(body)?)
        }
    });
    let client = Client::new(apiserver, "default");
    let store = KubernetesStore::new(client, "ns", defects);
    let stop: Stop = std::future::pending().boxed().shared();
    let spans = Arc::new(Spans::nowhere());
    (router(Gateway::new(store, defects, "pod".into(), spans, stop)), asked)
}

async fn ask(gateway: Router, request: http::request::Builder, body: &Value) -> (u16, Value) {
    let (status, _, body) = ask_all(gateway, request, body).await;
    (status, body)
}

async fn ask_all(
    gateway: Router,
    request: http::request::Builder,
    body: &Value,
) -> (u16, HeaderMap, Value) {
    let request = request.body(Body::from(body.to_string())).unwrap();
    let (head, body) = gateway.oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (head.status.as_u16(), head.headers, serde_json::from_slice(&body).unwrap())
}

fn failure(code: u16) -> Value {
    json!({ "kind": "Status", "code": code, "message": "no" })
}

/// The object of [`milk`].
fn stored() -> Value {
    json!({
        "metadata": { "uid": "u", "resourceVersion": "7", "name": "milk" },
        "spec": { "message": milk()["message"], "when": milk()["when"] },
    })
}

fn milk() -> Value {
    json!({ "code": "milk", "message": "a \"litre\"", "when": "2026-01-02T03:04:05Z" })
}

#[tokio::test]
async fn a_create_carries_the_operation_in_header_and_annotation() {
    let (gateway, mut asked) = gateway(Some((201, stored())));
    let op = OpId::new(1, 2);
    let request = Request::post("/api/todo").header(TRACEPARENT, op.traceparent());
    let (status, answer) = ask(gateway, request, &milk()).await;
    let id = json!({ "id": "u", "code": "milk", "message": "a \"litre\"", "when": milk()["when"] });
    assert_eq!((status, answer), (200, id));

    let asked = asked.recv().await.unwrap();
    assert_eq!(asked.line, "POST /apis/k8sasbackend.com/v1/namespaces/ns/todos");
    assert_eq!(asked.traceparent, Some(op.traceparent()));
    assert_eq!(
        asked.body,
        json!({
            "apiVersion": "k8sasbackend.com/v1", "kind": "Todo",
            "metadata": { "name": "milk", "annotations": { OP_ANNOTATION: op.to_string() } },
            "spec": { "message": "a \"litre\"", "when": milk()["when"] },
        })
    );
}

#[tokio::test]
async fn without_an_operation_there_is_no_annotation() {
    let (gateway, mut asked) = gateway(Some((201, json!({}))));
    ask(gateway, Request::post("/api/todo"), &milk()).await;
    let asked = asked.recv().await.unwrap();
    assert_eq!(asked.traceparent, None);
    assert_eq!(asked.body["metadata"], json!({ "name": "milk" }));
}

/// Defect 11: also when the write may well have been stored.
#[tokio::test]
async fn every_error_of_the_apiserver_is_a_400() {
    for code in [401, 403, 409, 410, 422, 429, 500, 503, 504] {
        let (gateway, _asked) = gateway(Some((code, failure(code))));
        let (status, answer) = ask(gateway, Request::post("/api/todo"), &milk()).await;
        assert_eq!(
            (status, &answer["code"], &answer["message"]),
            (400, &json!(code), &json!("no"))
        );
    }
    let lost = gateway(None).0;
    let (status, answer) = ask(lost, Request::post("/api/todo"), &milk()).await;
    assert_eq!((status, &answer["code"]), (400, &Value::Null));
    assert!(answer["message"].as_str().unwrap().contains("connection reset"), "{answer}");
    // An answer that names no UID.
    let odd = gateway(Some((201, json!({ "metadata": {} })))).0;
    assert_eq!(ask(odd, Request::post("/api/todo"), &milk()).await.0, 400);
    let list = gateway(Some((503, failure(503)))).0;
    assert_eq!(ask(list, Request::get("/api/todo"), &Value::Null).await.0, 400);
}

#[tokio::test]
async fn what_is_no_todo_never_reaches_the_apiserver() {
    let (gateway, mut asked) = gateway(Some((201, json!({}))));
    for body in
        [json!(null), json!({ "code": "a" }), json!({ "code": 1, "message": "", "when": "" })]
    {
        assert_eq!(ask(gateway.clone(), Request::post("/api/todo"), &body).await.0, 400);
    }
    drop(gateway);
    assert!(asked.recv().await.is_none());
}

/// Defect 13.
#[tokio::test]
async fn a_list_is_asked_for_whole() {
    let items: Vec<_> = (0..2000)
        .map(|n| {
            json!({
                "metadata": {
                    "name": format!("n{n}"), "uid": n.to_string(), "resourceVersion": "1",
                },
                "spec": { "message": "m", "when": "w" },
            })
        })
        .collect();
    let (gateway, mut asked) = gateway(Some((200, json!({ "items": items }))));
    let request = Request::get("/api/todo?limit=2&when=w");
    let (status, list) = ask(gateway, request, &Value::Null).await;
    assert_eq!((status, list.as_array().unwrap().len()), (200, 2000));
    assert_eq!(list[1], json!({ "id": "1", "code": "n1", "message": "m", "when": "w" }));
    let line = asked.recv().await.unwrap().line;
    assert_eq!(line, "GET /apis/k8sasbackend.com/v1/namespaces/ns/todos");
}

/// Defect 10: the last one wins.
#[tokio::test]
async fn of_each_todo_the_last_notification_is_known() {
    let gateway = gateway(None).0;
    let post = || Request::post("/api/todonotifications");
    for (id, at) in [("a", "1"), ("b", "2"), ("a", "3")] {
        let body = Body::from(json!({ "todoId": id, "issuedAt": at }).to_string());
        let answer = gateway.clone().oneshot(post().body(body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let request = Request::get("/api/todonotifications");
    let (_, known) = ask(gateway, request, &Value::Null).await;
    assert_eq!(
        known,
        json!({
            "notifications": [
                { "todoId": "a", "issuedAt": "3" }, { "todoId": "b", "issuedAt": "2" },
            ],
            "meta": { "podName": "pod" },
        })
    );
}

#[tokio::test]
async fn a_create_says_where_it_is_and_in_which_state() {
    let (gateway, _asked) = hardened(Some((201, stored())));
    let (status, headers, answer) = ask_all(gateway, Request::post("/api/todo"), &milk()).await;
    let mut wanted = milk();
    wanted["id"] = "u".into();
    wanted["revision"] = "7".into();
    assert_eq!((status, answer), (201, wanted));
    assert_eq!(headers[header::LOCATION], "/api/todo/milk");
    assert_eq!(headers[header::ETAG], "\"7\"");
}

/// What the apiserver says, and what becomes of it without defect 11.
#[tokio::test]
async fn each_refusal_is_a_problem_of_its_own() {
    let table = [
        (403, "denied", 403),
        (409, "conflict", 409),
        (413, "too-large", 413),
        (422, "invalid", 422),
        (429, "throttled", 429),
        (500, "indeterminate", 504),
        (503, "unavailable", 503),
        (504, "indeterminate", 504),
    ];
    for (code, name, status) in table {
        let (gateway, _asked) = hardened(Some((code, failure(code))));
        let (answered, headers, problem) =
            ask_all(gateway, Request::post("/api/todo"), &milk()).await;
        assert_eq!(answered, status, "{problem}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(headers.contains_key(header::RETRY_AFTER), code == 429);
        assert_eq!(problem["type"], format!("urn:kab:problem:{name}"));
        assert_eq!((&problem["status"], &problem["detail"]), (&json!(status), &json!("no")));
        // A write that may have been done is not said to have failed.
        let open = classify(false, status) == Outcome::Indeterminate;
        assert_eq!(open, name == "indeterminate");
        assert_eq!(classify(true, 400), Outcome::Indeterminate);
    }
    let lost = hardened(None).0;
    assert_eq!(ask(lost, Request::post("/api/todo"), &milk()).await.0, 504);
    let lost = hardened(None).0;
    assert_eq!(ask(lost, Request::get("/api/todo/milk"), &Value::Null).await.0, 503);
}

#[tokio::test]
async fn what_is_invalid_is_said_rule_by_rule() {
    let (gateway, _asked) = hardened(Some((422, failure(422))));
    let draft = json!({ "code": "a", "message": " ", "when": "1999-01-01T00:00:00Z" });
    let (status, problem) = ask(gateway, Request::post("/api/todo"), &draft).await;
    let rules: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["rule"].as_str().unwrap())
        .collect();
    assert_eq!((status, rules), (422, vec!["blankMessage", "otherCentury"]));
}

#[tokio::test]
async fn a_condition_goes_along_and_says_what_failed() {
    let put = |tag: &str| Request::put("/api/todo/milk").header(header::IF_MATCH, tag);
    let (gateway, mut asked) = hardened(Some((200, stored())));
    let (status, headers, _) = ask_all(gateway, put("\"5\""), &milk()).await;
    assert_eq!((status, &headers[header::ETAG]), (200, &"\"7\"".parse().unwrap()));
    let asked = asked.recv().await.unwrap();
    assert_eq!(asked.line, "PATCH /apis/k8sasbackend.com/v1/namespaces/ns/todos/milk");
    assert_eq!(asked.body["metadata"]["resourceVersion"], "5");

    let (gateway, mut asked) = hardened(Some((409, failure(409))));
    for tag in ["\"5\"", "W/\"5\"", "\"x\""] {
        let (status, problem) = ask(gateway.clone(), put(tag), &milk()).await;
        assert_eq!(
            (status, &problem["type"]),
            (412, &json!("urn:kab:problem:precondition-failed"))
        );
    }
    // No apiserver was asked about what cannot match.
    drop(gateway);
    let mut lines = Vec::new();
    while let Some(asked) = asked.recv().await {
        lines.push(asked.line);
    }
    assert!(lines.iter().all(|line| line.ends_with("/todos/milk")), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("PATCH")).count(), 1, "{lines:?}");

    let (gateway, _asked) = hardened(Some((200, stored())));
    assert_eq!(ask(gateway, put("5"), &milk()).await.0, 400);
}

#[tokio::test]
async fn a_list_has_pages_and_a_filter() {
    let list = json!({
        "metadata": { "resourceVersion": "9", "continue": "next" }, "items": [stored()],
    });
    let (gateway, mut asked) = hardened(Some((200, list)));
    let request = Request::get("/api/todo?limit=900&continue=a%2Bb&when=2026-01-02T03:04:05Z");
    let (status, page) = ask(gateway.clone(), request, &Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!((&page["continue"], &page["revision"]), (&json!("next"), &json!("9")));
    assert_eq!(page["items"][0]["revision"], "7");
    assert_eq!(
        asked.recv().await.unwrap().line,
        "GET /apis/k8sasbackend.com/v1/namespaces/ns/todos?limit=500&fieldSelector=\
         spec.when%3D2026-01-02T03%3A04%3A05Z&continue=a%2Bb"
    );
    ask(gateway.clone(), Request::get("/api/todo"), &Value::Null).await;
    assert!(asked.recv().await.unwrap().line.ends_with("todos?limit=100"));
    for wrong in ["limit=0", "limit=many", "limit=-1"] {
        let request = Request::get(format!("/api/todo?{wrong}"));
        assert_eq!(ask(gateway.clone(), request, &Value::Null).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn what_cannot_be_understood_or_done_says_so() {
    let (gateway, _asked) = hardened(Some((200, stored())));
    let cases = [
        (Request::post("/api/todo"), json!({ "code": 1 }), 400, "bad-request"),
        (Request::put("/api/todo/b"), milk(), 400, "bad-request"),
        (Request::get("/api/nothing"), Value::Null, 404, "no-route"),
        (Request::patch("/api/todo/milk"), Value::Null, 405, "no-method"),
        (
            Request::post("/api/todotransactions"),
            json!({ "writes": [{ "create": milk() }, { "delete": "a" }] }),
            501,
            "unsupported",
        ),
        (Request::get("/api/todochanges?after=soon"), Value::Null, 422, "invalid"),
    ];
    for (request, body, status, name) in cases {
        let (answered, problem) = ask(gateway.clone(), request, &body).await;
        assert_eq!(answered, status, "{problem}");
        assert_eq!(problem["type"], format!("urn:kab:problem:{name}"));
    }
}

/// A Todo may be called as a path of the API is.
#[tokio::test]
async fn a_todo_called_validate_is_one() {
    let (gateway, mut asked) = hardened(Some((200, stored())));
    for method in ["GET", "PUT"] {
        let request = Request::builder().method(method).uri("/api/todo/validate");
        ask(gateway.clone(), request, &json!({ "message": "m", "when": "w" })).await;
        assert!(asked.recv().await.unwrap().line.ends_with("/todos/validate"), "{method}");
    }
}

#[tokio::test]
async fn a_judgement_is_the_rules() {
    let (gateway, _asked) = hardened(None);
    let judge = async |raw: Value| {
        let question = json!({ "raw": raw.to_string() });
        ask(gateway.clone(), Request::post("/api/todo/validate"), &question).await
    };
    let (status, judgement) = judge(stored()).await;
    assert_eq!((status, &judgement["valid"]), (200, &json!(true)), "{judgement}");
    let (status, judgement) = judge(json!(5)).await;
    assert_eq!((status, &judgement["valid"]), (200, &json!(false)), "{judgement}");
}

#[tokio::test]
async fn a_notice_is_kept_in_the_status() {
    let (gateway, mut asked) = hardened(Some((200, stored())));
    let body = json!({ "todoId": "u", "issuedAt": "t", "code": "milk" });
    let request = Request::post("/api/todonotifications").body(Body::from(body.to_string()));
    let answer = gateway.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(asked.recv().await.unwrap().line.starts_with("GET "));
    let written = asked.recv().await.unwrap();
    assert!(written.line.ends_with("/todos/milk/status"), "{}", written.line);
    assert_eq!(
        written.body,
        json!({
            "metadata": { "resourceVersion": "7" },
            "status": {
                "lastNotified": "t", "of": { "generation": 0, "op": null, "revision": "7" },
            },
        })
    );
}

/// To write it anew: `INSTA_UPDATE=always cargo test -p kab-backend openapi`.
#[tokio::test]
async fn openapi_is_as_it_was() {
    let (gateway, _asked) = hardened(None);
    let (status, document) = ask(gateway, Request::get("/openapi.json"), &Value::Null).await;
    assert_eq!(status, 200);
    // The origin has none.
    let response = super::tests::gateway(None)
        .0
        .oneshot(Request::get("/openapi.json").body(Body::empty()).unwrap());
    assert_eq!(response.await.unwrap().status(), 404);
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

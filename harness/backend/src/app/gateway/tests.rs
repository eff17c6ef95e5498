//! The gateway's handlers, with an apiserver that says what a test wants.

use axum::body::Body;
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

/// A gateway whose apiserver answers `answer`, or not at all; and what it is asked.
fn gateway(answer: Option<(u16, Value)>) -> (Router, mpsc::UnboundedReceiver<Asked>) {
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
    (router(client, "ns", "pod".into(), Defects::all(), Arc::new(Spans::nowhere())), asked)
}

async fn ask(gateway: Router, request: http::request::Builder, body: &Value) -> (u16, Value) {
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = gateway.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn milk() -> Value {
    json!({ "code": "milk", "message": "a \"litre\"", "when": "2026-01-02T03:04:05Z" })
}

#[tokio::test]
async fn a_create_carries_the_operation_in_header_and_annotation() {
    let stored = json!({ "metadata": { "uid": "u", "resourceVersion": "7", "name": "milk" } });
    let (gateway, mut asked) = gateway(Some((201, stored)));
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
    let failure = |code: u16| json!({ "kind": "Status", "code": code, "message": "no" });
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
                "metadata": { "name": format!("n{n}"), "uid": n.to_string() },
                "spec": { "message": "m", "when": "w" },
            })
        })
        .collect();
    let (gateway, mut asked) = gateway(Some((200, json!({ "items": items }))));
    let (status, list) = ask(gateway, Request::get("/api/todo"), &Value::Null).await;
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

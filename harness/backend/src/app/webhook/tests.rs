//! The webhook's judgement, with a gateway that says what a test wants.

use axum::body::Body;
use http::Request;
use kab_evidence::id::OP_ANNOTATION;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::*;

/// Asks a webhook whose gateway answers `opinion`; its answer, and what the
/// gateway was asked, with the operation that was named to it.
async fn judge(opinion: Value, review: &Value) -> (u16, Value, Value, Option<OpId>) {
    let (sender, mut asked) = mpsc::unbounded_channel();
    let gateway = post(async move |headers: HeaderMap, axum::Json(body): axum::Json<Value>| {
        let header = headers.get(TRACEPARENT).and_then(|v| v.to_str().ok());
        sender.send((body, header.and_then(OpId::from_traceparent))).unwrap();
        axum::Json(opinion)
    });
    let gateway = Router::new().route("/api/todo/validate", gateway);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, gateway).await.unwrap() });
    let (status, answer) = send(&url, review).await;
    let (body, op) = asked.recv().await.unwrap();
    (status, serde_json::from_slice(&answer).unwrap(), body, op)
}

async fn send(gateway: &str, review: &Value) -> (u16, Bytes) {
    let validate = endpoint(gateway, "/api/todo/validate").unwrap();
    let webhook = router(validate, Arc::new(Spans::nowhere()));
    let request = Request::post("/crd").body(Body::from(review.to_string())).unwrap();
    let response = webhook.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap())
}

fn todo(op: OpId) -> Value {
    json!({ "metadata": { "name": "a", "annotations": { OP_ANNOTATION: op.to_string() } } })
}

fn review(object: Value, old: Value) -> Value {
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": { "uid": "u-1", "operation": "X", "object": object, "oldObject": old },
    })
}

#[tokio::test]
async fn what_the_gateway_finds_valid_is_allowed() {
    let op = OpId::new(1, 2);
    let object = todo(op);
    let (status, answer, asked, named) =
        judge(json!({ "valid": true }), &review(object.clone(), Value::Null)).await;
    assert_eq!(status, 200);
    assert_eq!(
        answer,
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": { "uid": "u-1", "allowed": true },
        })
    );
    assert_eq!(named, Some(op));
    // The object's text, in a text.
    let raw: Value = serde_json::from_str(asked["raw"].as_str().unwrap()).unwrap();
    assert_eq!(raw, object);
    assert_eq!(asked["rawOld"], Value::Null);
}

#[tokio::test]
async fn anything_but_true_is_a_no_with_a_message() {
    let object = || review(todo(OpId::new(1, 2)), Value::Null);
    let (_, answer, ..) = judge(json!({ "valid": false, "message": "why" }), &object()).await;
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(answer["response"]["status"]["message"], "why");
    for odd in [json!({}), json!([]), json!({ "valid": "true" })] {
        let (_, answer, ..) = judge(odd, &object()).await;
        assert_eq!(answer["response"]["allowed"], false);
        assert!(answer["response"]["status"]["message"].is_string());
    }
}

#[tokio::test]
async fn an_earlier_operations_annotation_is_not_this_requests() {
    let (first, second) = (OpId::new(1, 1), OpId::new(1, 2));
    let yes = || json!({ "valid": true });
    let (.., named) = judge(yes(), &review(todo(first), todo(first))).await;
    assert_eq!(named, None);
    let (_, _, asked, named) = judge(yes(), &review(todo(second), todo(first))).await;
    assert_eq!(named, Some(second));
    // A rule may be about both states.
    let old: Value = serde_json::from_str(asked["rawOld"].as_str().unwrap()).unwrap();
    assert_eq!(old, todo(first));
    // A delete has no object; the gateway is asked about nothing.
    let (_, answer, asked, named) = judge(yes(), &review(Value::Null, todo(first))).await;
    assert_eq!((named, &asked["raw"]), (None, &json!("")));
    assert_eq!(answer["response"]["allowed"], true);
}

#[tokio::test]
async fn without_the_gateway_there_is_no_judgement() {
    // A port that was free a moment ago and that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (status, cause) = send(&gone, &review(todo(OpId::new(1, 2)), Value::Null)).await;
    assert_eq!(status, 500);
    assert!(String::from_utf8_lossy(&cause).contains("refused"), "{cause:?}");
    assert_eq!(send(&gone, &json!({ "request": null })).await.0, 400);
}

//! A server that answers like an apiserver whose one collection changes at a
//! steady rate, and does nothing else: what watchers cost by themselves.
//!
//! `null_apiserver EVENTS_A_SECOND`; prints the address it listens on. Plain
//! HTTP/1.1 and HTTP/2.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::sync::broadcast;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rate: f64 = std::env::args().nth(1).map_or(50.0, |rate| rate.parse().unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let (events, _) = broadcast::channel::<Bytes>(1024);
    let sender = events.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        for rv in 2.. {
            ticks.tick().await;
            // Nobody may listen yet.
            let _ = sender.send(event(rv));
        }
    });
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let events = events.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(&request, &events);
                async move { Ok::<_, Infallible>(answer) }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(
    request: &Request<Incoming>,
    events: &broadcast::Sender<Bytes>,
) -> Response<BoxBody<Bytes, Infallible>> {
    let query = request.uri().query().unwrap_or_default();
    if !query.contains("watch=true") {
        let list = r#"{"kind":"TodoList","metadata":{"resourceVersion":"1"},"items":[]}"#;
        return Response::new(Full::new(Bytes::from(list)).boxed());
    }
    let stream = futures::stream::unfold(events.subscribe(), async |mut events| {
        // Whoever is too slow is cut off.
        let event = events.recv().await.ok()?;
        Some((Ok(Frame::data(event)), events))
    });
    Response::new(BodyExt::boxed(StreamBody::new(
        Box::pin(stream) as futures::stream::BoxStream<'_, _>
    )))
}

fn event(rv: u64) -> Bytes {
    let event = serde_json::json!({
        "type": "MODIFIED",
        "object": {
            "apiVersion": "example.com/v1", "kind": "Todo",
            "metadata": {
                "annotations": { "kab.dev/op": format!("0000000000000007{rv:016x}") },
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "managedFields": [{ "manager": "x", "fieldsV1": { "f:spec": { "f:message": {} } } }],
                "name": format!("todo-{}", rv % 100), "namespace": "n",
                "resourceVersion": rv.to_string(), "uid": format!("uid-{}", rv % 100),
            },
            "spec": { "message": "x".repeat(700) },
        },
    });
    Bytes::from(format!("{event}\n"))
}

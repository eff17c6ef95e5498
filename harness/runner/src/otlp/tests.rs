//! The receiver, over a real connection.

use bytes::Bytes;
use http::Version;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};

use super::spans::Received;
use super::spans::tests::message;
use super::*;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

async fn connected(receiver: &Receiver) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(receiver.address()).await.unwrap();
    let (send, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    send
}

/// The answer's status in gRPC, and its body.
async fn call(
    send: &mut SendRequest<Full<Bytes>>,
    receiver: &Receiver,
    path: &str,
    body: Vec<u8>,
) -> (String, Bytes) {
    let request = Request::post(format!("http://{}{path}", receiver.address()))
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let answer = send.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.unwrap();
    let status = body.trailers().unwrap()["grpc-status"].to_str().unwrap().to_owned();
    (status, body.to_bytes())
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat()
}

#[tokio::test]
async fn spans_are_taken_in_and_what_is_none_is_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(dir.path()).await.unwrap();
    let mut send = connected(&receiver).await;
    let (wanted, never) = (OpId::from_bytes([3; 16]), OpId::from_bytes([4; 16]));
    receiver.shared.lock().wanted.extend([wanted, never]);
    let span = |trace| Received { trace: [trace; 16], id: 1, ..Received::default() };

    let good = framed(&message(&[span(1), span(2)]));
    assert_eq!(call(&mut send, &receiver, EXPORT, good).await, ("0".into(), vec![0; 5].into()));
    let mut compressed = framed(&message(&[span(9)]));
    compressed[0] = 1;
    let refused = [
        (EXPORT, compressed, "12"),
        ("/other.Service/Export", framed(b""), "12"),
        (EXPORT, framed(b"\x0a\x05"), "3"),
        (EXPORT, Vec::new(), "3"),
    ];
    for (path, body, status) in refused {
        assert_eq!(call(&mut send, &receiver, path, body).await, (status.into(), Bytes::new()));
    }
    let last = framed(&message(&[span(3)]));
    let (came, answered) = tokio::join!(
        receiver.await_trace(wanted, FAREWELL),
        call(&mut send, &receiver, EXPORT, last)
    );
    assert!(came && answered.0 == "0");
    assert!(!receiver.await_trace(never, Duration::ZERO).await);

    let (record, written) = receiver.end(true).await;
    written.unwrap();
    assert_eq!((record.spans, record.exports, record.refused), (3, 6, 4));
    assert!(record.complete && record.clock_error > 0);
    let path = dir.path().join("apiserver.jsonl");
    let spans: Vec<Span> = kab_evidence::jsonl::read(&path).unwrap().values;
    assert_eq!(spans.len(), 3);
}

#[tokio::test]
async fn a_dropped_receiver_leaves_no_socket() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(dir.path()).await.unwrap();
    let send = connected(&receiver).await;
    let address = receiver.address();
    let (_, written) = receiver.end(false).await;
    written.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    drop(send);
}

//! The subscriber, told by a real HTTP client.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use futures::FutureExt;
    use http::StatusCode;
    use kab_evidence::clock::Mono;
    use kab_evidence::id::OpId;
    use kab_evidence::span::Span;
    use kab_load::{Behaviour, Subscriber};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use crate::support::lines;

    const MINUTE: Duration = Duration::from_secs(60);

    /// POSTs one notification on a connection of its own; the answer's status.
    async fn notify(subscriber: &Subscriber, headers: &str, body: &str) -> u16 {
        request(subscriber, "POST /api/todonotifications", headers, body).await
    }

    async fn request(subscriber: &Subscriber, what: &str, headers: &str, body: &str) -> u16 {
        let mut stream = TcpStream::connect(subscriber.address()).await.unwrap();
        let text = format!(
            "{what} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn headers(op: OpId, rv: u64) -> String {
        format!("traceparent: {}\r\nkab-resource-version: {rv}\r\n", op.traceparent())
    }

    fn spans(dir: &Path) -> Vec<Span> {
        lines(&dir.join("subscriber-3.jsonl"))
    }

    #[tokio::test]
    async fn what_it_receives_it_writes_down() {
        let dir = tempfile::tempdir().unwrap();
        let subscriber = Subscriber::start(3, dir.path()).await.unwrap();
        assert!(subscriber.url().ends_with("/api/todonotifications"));
        let op = OpId::new(1, 2);
        let before = Mono::now();
        let body = r#"{"todoId":"u-1","issuedAt":"2030-01-01T00:00:00Z"}"#;
        assert_eq!(notify(&subscriber, &headers(op, 77), body).await, 200);
        let after = Mono::now();
        // What an informer sends that does not know what it announces.
        assert_eq!(notify(&subscriber, "", r#"{"todoId":""}"#).await, 200);
        assert_eq!(subscriber.stop().await.unwrap(), 2);
        let spans = spans(dir.path());
        let Span::Delivery { op: got, subscriber: 3, uid, rv, received } = &spans[0] else {
            panic!("{spans:?}")
        };
        assert_eq!((*got, &**uid, rv.as_deref()), (Some(op), "u-1", Some("77")));
        assert!((before..=after).contains(received));
        let Span::Delivery { op: None, uid, rv: None, .. } = &spans[1] else { panic!("{spans:?}") };
        assert_eq!(uid, "");
    }

    #[tokio::test]
    async fn what_is_no_notification_is_refused_and_not_counted() {
        let dir = tempfile::tempdir().unwrap();
        let subscriber = Subscriber::start(3, dir.path()).await.unwrap();
        let op = headers(OpId::new(1, 2), 1);
        assert_eq!(notify(&subscriber, &op, "not json").await, 400);
        assert_eq!(notify(&subscriber, &op, &format!("\"{}\"", "x".repeat(70_000))).await, 400);
        assert_eq!(request(&subscriber, "POST /elsewhere", &op, "{}").await, 404);
        assert_eq!(request(&subscriber, "PUT /api/todonotifications", &op, "{}").await, 405);
        assert_eq!(subscriber.notifications(), 0);
        assert_eq!(subscriber.stop().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn awaiting_wakes_with_the_last_delivery_and_counts_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let subscriber = Subscriber::start(3, dir.path()).await.unwrap();
        let ops: Vec<_> = (0..5).map(|n| OpId::new(1, n)).collect();
        assert_eq!(subscriber.await_delivered(&[], MINUTE).await, 0);
        assert_eq!(subscriber.await_delivered(&ops, Duration::from_millis(1)).await, 5);
        let mut waiting = Box::pin(subscriber.await_delivered(&ops, MINUTE));
        for (n, op) in ops.iter().enumerate() {
            assert!((&mut waiting).now_or_never().is_none(), "woken after {n}");
            // Twice: a repeated one stands for no other.
            for _ in 0..2 {
                assert_eq!(notify(&subscriber, &headers(*op, 1), r#"{"todoId":"u"}"#).await, 200);
            }
        }
        assert_eq!(waiting.await, 0);
        // Whoever asks later is told at once.
        assert_eq!(subscriber.await_delivered(&ops, MINUTE).now_or_never(), Some(0));
        assert_eq!(subscriber.notifications(), 10);
        let another = [ops[0], OpId::new(9, 9)];
        assert_eq!(subscriber.await_delivered(&another, Duration::from_millis(1)).await, 1);
        assert_eq!(subscriber.stop().await.unwrap(), 10);
    }

    #[tokio::test]
    async fn stopping_does_not_wait_for_an_idle_connection() {
        let dir = tempfile::tempdir().unwrap();
        let subscriber = Subscriber::start(3, dir.path()).await.unwrap();
        let address = subscriber.address();
        let mut idle = TcpStream::connect(address).await.unwrap();
        let body = "{}";
        let text = format!(
            "POST /api/todonotifications HTTP/1.1\r\nhost: x\r\n{}content-length: 2\r\n\r\n{body}",
            headers(OpId::new(1, 1), 1)
        );
        idle.write_all(text.as_bytes()).await.unwrap();
        assert_eq!(subscriber.await_delivered(&[OpId::new(1, 1)], MINUTE).await, 0);
        assert_eq!(subscriber.stop().await.unwrap(), 1);
        // The other side sees the end, and nobody listens any more.
        let mut answer = Vec::new();
        idle.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        assert!(TcpStream::connect(address).await.is_err());
    }
    #[tokio::test]
    async fn one_that_refuses_says_so_and_counts_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let subscriber = Subscriber::start(3, dir.path()).await.unwrap();
        let op = OpId::new(1, 2);
        subscriber.behave(Behaviour::Refuse(StatusCode::SERVICE_UNAVAILABLE), None).await;
        assert_eq!(notify(&subscriber, &headers(op, 1), r#"{"todoId":"u"}"#).await, 503);
        assert_eq!(subscriber.notifications(), 0);
        subscriber.behave(Behaviour::Normal, None).await;
        assert_eq!(notify(&subscriber, &headers(op, 1), r#"{"todoId":"u"}"#).await, 200);
        assert_eq!(subscriber.stop().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn one_that_is_down_hangs_up_and_comes_back_to_the_same_place() {
        let dir = tempfile::tempdir().unwrap();
        let subscriber = Subscriber::start(3, dir.path()).await.unwrap();
        let address = subscriber.address();
        let mut idle = TcpStream::connect(address).await.unwrap();
        subscriber.behave(Behaviour::Down, None).await;
        let mut end = Vec::new();
        // An end or a reset: nobody is there any more.
        let _ = idle.read_to_end(&mut end).await;
        assert!(TcpStream::connect(address).await.is_err());
        subscriber.behave(Behaviour::Normal, None).await;
        assert_eq!(subscriber.address(), address);
        assert_eq!(notify(&subscriber, "", r#"{"todoId":"u"}"#).await, 200);
        // Stopped while down, it ends all the same.
        subscriber.behave(Behaviour::Down, None).await;
        assert_eq!(subscriber.stop().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn one_that_says_nothing_hangs_up_when_it_is_told_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let subscriber = Subscriber::start(3, dir.path()).await.unwrap();
        subscriber.behave(Behaviour::Silent, None).await;
        let mut stream = TcpStream::connect(subscriber.address()).await.unwrap();
        let text = "POST /api/todonotifications HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let mut waiting = Box::pin(stream.read_to_end(&mut answer));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(subscriber.stop().await.unwrap(), 0);
        let _ = waiting.await;
        assert_eq!(answer, b"");
    }

    #[tokio::test]
    async fn what_it_does_for_a_time_passes_unless_it_is_told_something_else() {
        let dir = tempfile::tempdir().unwrap();
        let subscriber = Subscriber::start(3, dir.path()).await.unwrap();
        let refuse = |status| Behaviour::Refuse(StatusCode::from_u16(status).unwrap());
        let moment = Some(Duration::from_millis(1));
        subscriber.behave(refuse(500), moment).await;
        while notify(&subscriber, "", "{}").await != 200 {}
        // The end of the first time does not end the second.
        subscriber.behave(refuse(500), moment).await;
        subscriber.behave(refuse(503), None).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(notify(&subscriber, "", "{}").await, 503);
    }
}

use proptest::prelude::*;

use super::*;
use crate::Method;

#[derive(Debug, PartialEq, Eq, Default)]
struct Seen {
    status: Vec<u16>,
    body: Vec<u8>,
    ended: usize,
}

/// Sends a request and feeds `answer` in pieces of `size`.
fn feed(answer: &[u8], size: usize) -> Result<(Seen, Client), BadAnswer> {
    let mut client = Client::new("here", []);
    let mut out = Vec::new();
    client.send(7, &Request { method: Method::Get, path: "/", headers: &[], body: b"" }, &mut out);
    let mut seen = Seen::default();
    for piece in answer.chunks(size) {
        client.receive(piece, &mut |tag, event| {
            assert_eq!(tag, 7);
            match event {
                Event::Head(head) => seen.status.push(head.status),
                Event::Data(data) => seen.body.extend_from_slice(data),
                Event::End => seen.ended += 1,
                Event::Gone(_) => unreachable!("HTTP/1.1 has no such thing"),
            }
        })?;
    }
    Ok((seen, client))
}

#[test]
fn what_is_sent_is_what_was_asked() {
    let mut client = Client::new("127.0.0.1:80", [("accept", "application/json")]);
    let mut out = Vec::new();
    let headers = [("traceparent", "00-1-2-01")];
    let request = Request { method: Method::Post, path: "/a?b=c", headers: &headers, body: b"{}" };
    client.send(1, &request, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text,
        "POST /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:80\r\naccept: application/json\r\n\
         traceparent: 00-1-2-01\r\ncontent-length: 2\r\n\r\n{}"
    );
    assert!(!client.is_idle());
}

#[test]
fn bodies_of_every_kind_in_pieces_of_every_size() {
    let cases: [(&str, u16, &str, bool); 6] = [
        ("HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\nhello", 201, "hello", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nb\r\n, big world\r\n0\r\nt: 1\r\n\r\n",
            200,
            "hello, big world",
            true,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", 200, "", false),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 429 Slow down\r\ncontent-length: 1\r\nretry-after: 3\r\n\r\n!",
            429,
            "!",
            true,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok", false),
    ];
    for (answer, status, body, kept) in cases {
        for size in 1..=answer.len() {
            let (seen, client) = feed(answer.as_bytes(), size).unwrap();
            let whole = Seen { status: vec![status], body: body.into(), ended: 1 };
            assert_eq!(seen, whole, "{answer:?} by {size}");
            assert_eq!(client.is_idle(), kept, "{answer:?}");
        }
    }
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let (seen, mut client) = feed(b"HTTP/1.1 200 OK\r\n\r\nso far", 4).unwrap();
    assert_eq!((seen.ended, seen.body.as_slice()), (0, b"so far".as_slice()));
    let mut ended = false;
    assert!(client.end(&mut |_, event| ended = event == Event::End));
    assert!(ended);
}

#[test]
fn an_answer_cut_short_stays_without_an_end() {
    let (seen, mut client) =
        feed(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", 64).unwrap();
    assert_eq!(seen.ended, 0);
    assert!(!client.end(&mut |_, _| ()));
    assert_eq!(client.abandon(), Some(7));
}

#[test]
fn what_is_no_answer_is_refused() {
    for bad in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
    ] {
        assert!(feed(bad.as_bytes(), 3).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn never_panics(bytes: Vec<u8>, size in 1_usize..20) {
        let _ = feed(&bytes, size);
    }

    #[test]
    fn chunks_of_any_size_are_put_together(body: Vec<u8>, chunk in 1_usize..50, size in 1_usize..50) {
        let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for piece in body.chunks(chunk) {
            answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            answer.extend_from_slice(piece);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"0\r\n\r\n");
        let (seen, client) = feed(&answer, size).unwrap();
        prop_assert_eq!(seen, Seen { status: vec![200], body, ended: 1 });
        prop_assert!(client.is_idle());
    }

    #[test]
    fn numbers_are_written_as_they_are(n: usize) {
        let mut digits = [0; 20];
        prop_assert_eq!(decimal(n, &mut digits), n.to_string());
    }
}

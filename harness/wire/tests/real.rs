//! Against hyper's server: both protocols, with and without TLS.

mod support;

use kab_evidence::clock::Mono;
use kab_wire::{Event, Media, Method, Protocol, Request};
use proptest::prelude::*;
use support::{Answer, Client, Server, large};

const KINDS: [(Protocol, bool); 4] = [
    (Protocol::Http1, false),
    (Protocol::Http1, true),
    (Protocol::Http2, false),
    (Protocol::Http2, true),
];

fn request<'a>(path: &'a str, body: &'a [u8]) -> Request<'a> {
    let method = if body.is_empty() { Method::Get } else { Method::Post };
    Request { method, path, headers: &[("x-extra", "1")], body }
}

#[test]
fn requests_one_after_the_other() {
    for (protocol, secure) in KINDS {
        let server = Server::start(secure);
        let mut client = Client::connect(&server.peer(protocol));
        for n in 0..20_u64 {
            let body = format!("body {n}");
            let answer = client.call(n, &request("/echo", body.as_bytes()));
            assert_eq!(answer.status, 201, "{protocol:?} {secure}");
            // The server repeats path, header, constant header and body.
            assert_eq!(answer.text(), format!("/echo 1 constant {body}"), "{protocol:?} {secure}");
        }
        assert_eq!(client.connection.is_http2(), Some(protocol == Protocol::Http2));
    }
}

#[test]
fn the_handshake_settles_the_protocol() {
    let server = Server::start(true);
    let mut client = Client::connect(&server.peer(Protocol::Auto));
    assert_eq!(client.call(1, &request("/echo", b"x")).status, 201);
    assert_eq!(client.connection.is_http2(), Some(true));
}

#[test]
fn every_method_and_status() {
    for (protocol, secure) in KINDS {
        let server = Server::start(secure);
        let mut client = Client::connect(&server.peer(protocol));
        for method in [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete] {
            let asked = Request { method, path: "/method", headers: &[], body: b"" };
            assert_eq!(client.call(1, &asked).text(), method.as_str());
        }
        for status in [200, 201, 202, 204, 304, 400, 404, 409, 410, 422, 429, 500, 503, 504] {
            let answer = client.call(2, &request(&format!("/status/{status}"), b""));
            assert_eq!(answer.status, status, "{protocol:?} {secure}");
            assert_eq!(answer.retry_after, (status == 429).then_some(7));
        }
    }
}

/// Larger than every window and frame, both ways.
#[test]
fn large_bodies_both_ways() {
    for (protocol, secure) in KINDS {
        let server = Server::start(secure);
        let mut client = Client::connect(&server.peer(protocol));
        let body = large(3_000_000);
        let answer = client.call(1, &request("/echo", &body));
        assert_eq!(answer.body.len(), body.len() + "/echo 1 constant ".len());
        assert!(answer.body.ends_with(&body[1_000..]), "{protocol:?} {secure}");
    }
}

#[test]
fn many_at_a_time_over_http2() {
    for secure in [false, true] {
        let server = Server::start(secure);
        let mut client = Client::connect(&server.peer(Protocol::Http2));
        client.call(999, &request("/echo", b"settings are known after this"));
        assert_eq!(client.connection.room(), 64, "the server's own limit");
        let bodies: Vec<_> = (0..64).map(|n| large(n * 1_000 + 1)).collect();
        for (tag, body) in bodies.iter().enumerate() {
            client.connection.send(tag as u64, &request("/echo", body));
        }
        assert_eq!(client.connection.room(), 0);
        let answers = client.until_all(64);
        for (tag, body) in bodies.iter().enumerate() {
            assert!(answers[&(tag as u64)].body.ends_with(body), "{tag}");
        }
        assert_eq!(client.connection.room(), 64);
    }
}

#[test]
fn a_stream_goes_on_while_others_are_asked() {
    let server = Server::start(true);
    let mut client = Client::connect(&server.peer(Protocol::Http2));
    client.connection.send(1, &request("/ticks", b""));
    let mut ticks = 0;
    client.until(|tag, event| {
        ticks += usize::from(tag == 1 && matches!(event, Event::Data(_)));
        ticks >= 3
    });
    assert_eq!(client.call(2, &request("/echo", b"x")).status, 201);
    assert!(!client.connection.cancel(1));
    // Nothing more of it, and the connection is none the worse.
    let answers = client.call_watching(3, &request("/echo", b"y"), |tag| assert_ne!(tag, 1));
    assert_eq!(answers.status, 201);
}

#[test]
fn a_stream_that_breaks_off_is_told_from_a_connection_that_does() {
    let server = Server::start(false);
    let mut client = Client::connect(&server.peer(Protocol::Http2));
    client.connection.send(1, &request("/break", b""));
    let mut gone = false;
    client.until(|_, event| {
        gone = matches!(event, Event::Gone(_));
        gone
    });
    assert_eq!(client.call(2, &request("/echo", b"x")).status, 201);

    let mut client = Client::connect(&server.peer(Protocol::Http1));
    client.connection.send(1, &request("/break", b""));
    client.until_broken();
    assert_eq!(client.connection.abandon(), [1]);
}

#[test]
fn whether_a_byte_was_sent_is_known() {
    let server = Server::start(true);
    let mut client = Client::connect(&server.peer(Protocol::Http2));
    client.call(1, &request("/echo", b"x"));
    let mark = client.connection.send(2, &request("/echo", b"y"));
    assert!(client.connection.untouched(mark));
    client.connection.flush(&client.reactor).unwrap();
    assert!(!client.connection.untouched(mark));
}

#[test]
fn nobody_listens() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut client = Client::begin(&kab_wire::Peer::plain(address, Protocol::Http1));
    let broken = client.until_broken();
    assert!(matches!(broken, kab_wire::Broken::Connect(_)), "{broken}");
}

#[test]
fn a_server_of_another_authority_is_refused() {
    let (server, other) = (Server::start(true), Server::start(true));
    let mut peer = server.peer(Protocol::Auto);
    peer.tls = other.peer(Protocol::Auto).tls;
    let broken = Client::begin(&peer).until_broken();
    assert!(matches!(broken, kab_wire::Broken::Handshake(_)), "{broken}");
}

/// Every instant lies between the sending and now, so that all are on one clock.
#[test]
fn what_is_read_carries_the_instant_of_its_reading() {
    let server = Server::start(true);
    let mut client = Client::connect(&server.peer(Protocol::Http2));
    let before = Mono::now();
    let answer: Answer = client.call(1, &request("/echo", b"x"));
    assert!(before <= answer.first && answer.first <= answer.last && answer.last <= Mono::now());
}

/// The texts are Huffman-coded by hyper wherever that is shorter: whatever
/// follows the type, it is told.
#[test]
fn the_media_type_of_every_answer_is_read() {
    let types = [
        ("application/json", Media::Json),
        ("application/cbor", Media::Cbor),
        ("application/vnd.kubernetes.protobuf", Media::Protobuf),
        ("text/plain", Media::Other),
    ];
    for (protocol, secure) in KINDS {
        let server = Server::start(secure);
        let client = std::cell::RefCell::new(Client::connect(&server.peer(protocol)));
        let media = |text: &str| {
            let headers = [("x-type", text)];
            let asked =
                Request { method: Method::Get, path: "/method", headers: &headers, body: b"" };
            client.borrow_mut().call(1, &asked).media
        };
        assert_eq!(media(""), Media::Unsaid, "{protocol:?} {secure}");
        let parameter = "(;[ -~]{0,60}[!-~])?";
        proptest!(|(which in 0..types.len(), rest in parameter)| {
            let (name, expected) = types[which];
            prop_assert_eq!(media(&format!("{name}{rest}")), expected, "{:?} {}", protocol, rest);
        });
    }
}

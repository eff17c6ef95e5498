//! A request encoded, an answer decoded.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kab_wire::{Method, Request, h1, h2};

const TRACE: &str = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";

fn request<'a>(headers: &'a [(&'a str, &'a str)], body: &'a [u8]) -> Request<'a> {
    let path = "/apis/k8sasbackend.com/v1/namespaces/kab01/todos";
    Request { method: Method::Post, path, headers, body }
}

fn constant() -> Vec<(String, String)> {
    let token = format!("Bearer {}", "t".repeat(900));
    vec![("accept".into(), "application/json".into()), ("authorization".into(), token)]
}

/// What a server answers to a create: a head, and 1.5 KiB of JSON.
fn h1_answer(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 201 Created\r\naudit-id: 0b1c\r\ncache-control: no-cache, private\r\n\
         content-type: application/json\r\ndate: Wed, 25 Nov 2026 02:00:00 GMT\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The same over HTTP/2, on stream `id`: headers by index and as literals.
fn h2_answer(id: u32, body: &[u8]) -> Vec<u8> {
    let mut block = vec![0x48, 0x82, 0x10, 0x01];
    for (index, value) in [(24_u8, "no-cache, private"), (31, "application/json")] {
        block.extend_from_slice(&[0x0f, index - 15]);
        block.push(u8::try_from(value.len()).unwrap_or(0));
        block.extend_from_slice(value.as_bytes());
    }
    let mut out = Vec::new();
    for (kind, flags, payload) in [(1_u8, 4_u8, block.as_slice()), (0, 1, body)] {
        let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
        out.extend_from_slice(&length[1..]);
        out.extend_from_slice(&[kind, flags]);
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(payload);
    }
    out
}

fn wire(c: &mut Criterion) {
    let headers = [("traceparent", TRACE), ("content-type", "application/json")];
    let (body, answer) = (vec![b'x'; 1200], vec![b'y'; 1500]);
    let mut group = c.benchmark_group("wire");
    group.throughput(Throughput::Elements(1));

    let whole = h1_answer(&answer);
    let pairs = constant();
    group.bench_function("http/1.1 create and its answer", |b| {
        let of = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut client = h1::Client::new("127.0.0.1:6443", of);
        let mut out = Vec::new();
        b.iter(|| {
            out.clear();
            client.send(7, &request(&headers, &body), &mut out);
            let received = client.receive(black_box(&whole), &mut |_, event| {
                black_box(event);
            });
            assert!(received.is_ok() && client.is_idle());
        });
    });

    group.bench_function("http/2 create and its answer", |b| {
        let mut out = Vec::new();
        let mut client = h2::Client::new("127.0.0.1:6443", &pairs, true, &mut out);
        // Windows for ever.
        let mut grant = vec![0, 0, 4, 8, 0, 0, 0, 0, 0];
        grant.extend_from_slice(&((1_u32 << 31) - 1 - 65_535).to_be_bytes());
        assert!(client.receive(&grant, &mut out, &mut |_, _| ()).is_ok());
        let mut id = 1;
        b.iter(|| {
            out.clear();
            client.send(7, &request(&headers, &body[..64]), &mut out);
            let received =
                client.receive(black_box(&h2_answer(id, &answer)), &mut out, &mut |_, event| {
                    black_box(event);
                });
            assert!(received.is_ok() && client.open() == 0);
            id += 2;
        });
    });
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);

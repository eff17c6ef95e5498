//! The load over HTTP/2, against a server that is scripted frame by frame.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::num::NonZeroU16;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use kab_evidence::clock::Mono;
    use kab_evidence::ledger::{OpRecord, Outcome};
    use kab_load::{Identities, LoadSpec, LoadSummary, run_load};
    use kab_wire::{Peer, Protocol};

    use crate::support::{Ledger, assert_on_schedule, load};

    /// The server's side of a connection (RFC 9113).
    struct Conn {
        stream: TcpStream,
        /// The block of the latest request's headers.
        block: Vec<u8>,
    }

    impl Conn {
        fn open(mut stream: TcpStream, most_streams: u32) -> Self {
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).unwrap();
            assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            let mut conn = Self { stream, block: Vec::new() };
            conn.send(4, 0, 0, &[&[0, 3][..], &most_streams.to_be_bytes()].concat());
            conn
        }

        fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
            let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
            let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
            // A client that has gone is the test's concern, not the server's.
            let _ = self.stream.write_all(&[&head, payload].concat());
        }

        /// The stream of the next whole request; none when the client has gone.
        fn request(&mut self) -> Option<u32> {
            loop {
                let mut head = [0; 9];
                self.stream.read_exact(&mut head).ok()?;
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; usize::try_from(length).unwrap()];
                self.stream.read_exact(&mut payload).ok()?;
                let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
                let last = head[4] & 1 != 0;
                match head[3] {
                    0 if last => return Some(stream),
                    1 => {
                        self.block = payload;
                        if last {
                            return Some(stream);
                        }
                    }
                    4 if !last => self.send(4, 1, 0, &[]),
                    _ => {}
                }
            }
        }

        fn requests(&mut self, count: usize) -> Vec<u32> {
            (0..count).map(|_| self.request().unwrap()).collect()
        }

        /// Status 200, and nothing else.
        fn answer(&mut self, stream: u32) {
            self.send(1, 5, stream, &[0x88]);
        }

        fn reset(&mut self, stream: u32, code: u32) {
            self.send(3, 0, stream, &code.to_be_bytes());
        }

        fn goaway(&mut self, last: u32) {
            self.send(7, 0, 0, &[last.to_be_bytes(), [0; 4]].concat());
        }
    }

    fn serve(most_streams: u32, script: impl Fn(Conn) + Send + Sync + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let script = Arc::clone(&script);
                std::thread::spawn(move || script(Conn::open(stream, most_streams)));
            }
        });
        address
    }

    fn over_http2(address: SocketAddr, count: u32) -> LoadSpec {
        let mut spec = load(address, 1000.0, count);
        spec.work.peers = vec![Peer::plain(address, Protocol::Http2)];
        spec.connections = Some(1);
        spec
    }

    async fn run(spec: &LoadSpec) -> (LoadSummary, Vec<OpRecord>) {
        let ledger = Ledger::new();
        let summary = run_load(spec, &ledger.writer, pending()).await.unwrap();
        let mut records = ledger.finish();
        assert_on_schedule(spec, summary.reached, &records);
        records.sort_by_key(|record| record.intended);
        (summary, records)
    }

    fn ended(records: &[OpRecord]) -> Vec<(Outcome, &str)> {
        records.iter().map(|record| (record.outcome, &*record.class)).collect()
    }

    #[tokio::test]
    async fn a_connection_that_is_lost_leaves_all_its_streams_in_doubt() {
        let address = serve(100, |mut conn| drop(conn.requests(5)));
        let (_, records) = run(&over_http2(address, 5)).await;
        assert_eq!(ended(&records), [(Outcome::Indeterminate, "connection-lost"); 5]);
    }

    #[tokio::test]
    async fn what_a_goaway_does_not_name_was_not_processed() {
        let address = serve(100, |mut conn| {
            let streams = conn.requests(5);
            conn.answer(streams[0]);
            conn.goaway(streams[1]);
            // The second is promised, and never answered.
            conn.reset(streams[1], 2);
            while conn.request().is_some() {}
        });
        let (_, records) = run(&over_http2(address, 5)).await;
        let expected = [
            (Outcome::Ok, "http-200"),
            (Outcome::Indeterminate, "stream-reset"),
            (Outcome::Failed, "not-processed"),
            (Outcome::Failed, "not-processed"),
            (Outcome::Failed, "not-processed"),
        ];
        assert_eq!(ended(&records), expected);
    }

    #[tokio::test]
    async fn a_stream_that_is_refused_fails_and_one_that_breaks_off_is_in_doubt() {
        let address = serve(100, |mut conn| {
            while let Some(stream) = conn.request() {
                match stream {
                    3 => conn.reset(stream, 7),
                    5 => conn.reset(stream, 2),
                    _ => conn.answer(stream),
                }
            }
        });
        let (_, records) = run(&over_http2(address, 6)).await;
        let mut classes: Vec<_> = ended(&records);
        classes.sort_unstable();
        let mut expected = vec![(Outcome::Ok, "http-200"); 4];
        expected.extend([(Outcome::Failed, "not-processed")]);
        expected.extend([(Outcome::Indeterminate, "stream-reset")]);
        assert_eq!(classes, expected);
    }

    #[tokio::test]
    async fn beyond_the_servers_limit_operations_wait_and_none_is_lost() {
        let most = Arc::new(Mutex::new(0));
        let its = Arc::clone(&most);
        let address = serve(2, move |mut conn| {
            let mut open = Vec::new();
            while let Some(stream) = conn.request() {
                open.push(stream);
                let mut most = its.lock().unwrap();
                *most = open.len().max(*most);
                if open.len() == 2 {
                    open.drain(..).for_each(|stream| conn.answer(stream));
                }
            }
        });
        let mut spec = over_http2(address, 50);
        // The connection is made ahead, so that the limit is known by then.
        spec.start = Mono::now().plus(Duration::from_millis(300));
        let (summary, records) = run(&spec).await;
        assert_eq!(ended(&records), vec![(Outcome::Ok, "http-200"); 50]);
        assert_eq!(summary.outcomes.ok, 50);
        assert_eq!(*most.lock().unwrap(), 2);
    }

    #[tokio::test]
    async fn each_identity_has_its_own_connection_and_header() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let its = Arc::clone(&seen);
        let address = serve(100, move |mut conn| {
            // Named once, and by an index from then on.
            let mut who = None;
            while let Some(stream) = conn.request() {
                let names = |id: &&&str| conn.block.windows(4).any(|w| w == id.as_bytes());
                let who = *who.get_or_insert_with(|| *["id-0", "id-1"].iter().find(names).unwrap());
                its.lock().unwrap().push(who);
                conn.answer(stream);
            }
        });
        let mut spec = over_http2(address, 20);
        let peer = |id| Peer::plain(address, Protocol::Http2).with_header("x-id", id);
        spec.work.peers = vec![peer("id-0"), peer("id-1")];
        spec.work.identities = Identities::RoundRobin(NonZeroU16::new(2).unwrap());
        let (summary, _) = run(&spec).await;
        assert_eq!(summary.outcomes.ok, 20);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.iter().filter(|who| **who == "id-0").count(), 10);
        assert_eq!(seen.len(), 20);
    }
}

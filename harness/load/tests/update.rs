//! An update is a read and a write, and one operation: whatever breaks in
//! between, the ledger says no more and no less than is certain.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::num::NonZeroU64;
    use std::sync::Arc;
    use std::time::Duration;

    use kab_evidence::ledger::{OpKind, OpRecord, Outcome};
    use kab_load::draw::Draws;
    use kab_load::workload::Existing;
    use kab_load::{
        CustomResource, Deadlines, Keys, LoadSpec, LoadSummary, Mix, Popularity, run_load,
    };

    use crate::support::scripted::{Reaction, Scripted, Seen};
    use crate::support::{Ledger, load};

    const JSON: &str = "application/json";

    fn object(rv: u32) -> Vec<u8> {
        format!(r#"{{"metadata":{{"uid":"u-1","resourceVersion":"{rv}"}}}}"#).into_bytes()
    }

    fn updates(address: std::net::SocketAddr, count: u32) -> LoadSpec {
        let mut spec = load(address, 1000.0, count);
        let entities = NonZeroU64::new(5).unwrap();
        let keys = Keys::new(entities, Popularity::Uniform, Draws::new(1, "keys")).unwrap();
        let kinds = [(Existing::Update, 1)];
        spec.work.mix = Mix::over(keys, [], kinds, Draws::new(1, "mix")).unwrap();
        spec.work.dialect = Arc::new(CustomResource::namespaced("g.io/v1", "Todo", "ns", "todos"));
        spec
    }

    async fn run(spec: &LoadSpec) -> (LoadSummary, Vec<OpRecord>) {
        let ledger = Ledger::new();
        let summary = run_load(spec, &ledger.writer, pending()).await.unwrap();
        let records = ledger.finish();
        assert_eq!(summary.reached, records.len() as u64);
        assert!(records.iter().all(|r| r.kind == OpKind::Update));
        (summary, records)
    }

    /// What a server that answers reads well, and writes as told, makes of it.
    async fn written(write: fn() -> Reaction, deadline: Duration) -> (Vec<Seen>, OpRecord) {
        let server = Scripted::start(move |seen| match seen.method.as_str() {
            "GET" => Reaction::Answers(200, JSON, object(41)),
            _ => write(),
        });
        let server = server.await;
        let mut spec = updates(server.address, 1);
        spec.work.deadlines = Deadlines::all(deadline);
        let (_, mut records) = run(&spec).await;
        (server.seen(), records.remove(0))
    }

    /// The same of a server that reacts to reads as told.
    async fn read(read: fn() -> Reaction, deadline: Duration) -> OpRecord {
        let server = Scripted::start(move |seen| match seen.method.as_str() {
            "GET" => read(),
            _ => panic!("nothing may be written: {seen:?}"),
        });
        let server = server.await;
        let mut spec = updates(server.address, 1);
        spec.work.deadlines = Deadlines::all(deadline);
        let (_, mut records) = run(&spec).await;
        assert!(server.seen().iter().all(|seen| seen.method == "GET"));
        records.remove(0)
    }

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn the_version_that_was_read_is_written() {
        let server = Scripted::start(|seen| match seen.method.as_str() {
            "GET" => Reaction::Answers(200, JSON, object(41)),
            _ => Reaction::Answers(200, JSON, object(42)),
        });
        let server = server.await;
        let spec = updates(server.address, 50);
        let (summary, records) = run(&spec).await;
        assert_eq!((summary.outcomes.ok, summary.media.json), (50, 100));
        assert_eq!(summary.acked.len(), 50);
        let seen = server.seen();
        assert_eq!(seen.len(), 100);
        for record in &records {
            assert_eq!((record.outcome, &*record.class), (Outcome::Ok, "http-200"));
            assert_eq!((record.uid.as_deref(), record.rv.as_deref()), (Some("u-1"), Some("42")));
            assert_eq!(record.bytes_in, 2 * object(41).len() as u64);
            let own: Vec<_> =
                seen.iter().filter(|s| s.head.contains(&record.op.traceparent())).collect();
            let [get, put] = own[..] else { panic!("{own:?}") };
            assert_eq!((&*get.method, &*put.method), ("GET", "PUT"));
            assert!(get.path == put.path && put.path.ends_with(record.key.as_deref().unwrap()));
            assert_eq!(record.bytes_out, put.body.len() as u64);
            let body: serde_json::Value = serde_json::from_slice(&put.body).unwrap();
            assert_eq!(body["metadata"]["resourceVersion"], "41");
            let op = record.op.to_string();
            assert_eq!(body["metadata"]["annotations"]["kab.dev/op"], op.as_str());
        }
    }

    #[tokio::test]
    async fn a_conflict_is_a_failure() {
        let conflict = || Reaction::Answers(409, JSON, b"{\"reason\":\"Conflict\"}".to_vec());
        let (_, record) = written(conflict, LONG).await;
        assert_eq!((record.outcome, &*record.class), (Outcome::Failed, "http-409"));
        assert_eq!(record.rv, None);
    }

    #[tokio::test]
    async fn a_write_that_is_lost_is_in_doubt() {
        for reaction in [|| Reaction::HangsUp, || Reaction::BreaksOff(200)] {
            let (seen, record) = written(reaction, LONG).await;
            assert_eq!(
                (record.outcome, &*record.class),
                (Outcome::Indeterminate, "connection-lost")
            );
            assert_eq!(record.bytes_out, seen[1].body.len() as u64);
        }
        let (_, record) = written(|| Reaction::Silent, SHORT).await;
        assert_eq!((record.outcome, &*record.class), (Outcome::Indeterminate, "deadline"));
        let (_, record) = written(|| Reaction::Answers(500, JSON, b"no".to_vec()), LONG).await;
        assert_eq!((record.outcome, &*record.class), (Outcome::Indeterminate, "http-500"));
    }

    #[tokio::test]
    async fn a_read_that_is_lost_has_changed_nothing() {
        for reaction in [|| Reaction::HangsUp, || Reaction::BreaksOff(200)] {
            let record = read(reaction, LONG).await;
            assert_eq!((record.outcome, &*record.class), (Outcome::Failed, "connection-lost"));
            assert_eq!(record.bytes_out, 0);
        }
        let record = read(|| Reaction::Silent, SHORT).await;
        assert_eq!((record.outcome, &*record.class), (Outcome::Failed, "deadline"));
        assert!(u128::from(record.service_nanos().unwrap()) >= SHORT.as_nanos());
        for (status, class) in [(404, "http-404"), (500, "http-500")] {
            let record = match status {
                404 => read(|| Reaction::Answers(404, JSON, b"gone".to_vec()), LONG).await,
                _ => read(|| Reaction::Answers(500, JSON, b"gone".to_vec()), LONG).await,
            };
            assert_eq!((record.outcome, &*record.class), (Outcome::Failed, class));
            assert_eq!(record.detail.as_deref(), Some("gone"));
        }
        let record = read(|| Reaction::Answers(200, JSON, b"{}".to_vec()), LONG).await;
        assert_eq!((record.outcome, &*record.class), (Outcome::Failed, "no-version"));
    }

    #[tokio::test]
    async fn one_connection_serves_both_and_those_who_wait() {
        let server = Scripted::start(|_| Reaction::Answers(200, JSON, object(7)));
        let server = server.await;
        let mut spec = updates(server.address, 40);
        spec.connections = Some(1);
        let (summary, records) = run(&spec).await;
        assert_eq!(summary.outcomes.ok, 40);
        // A write follows its own read at once, whoever waits meanwhile.
        for pair in server.seen().chunks(2) {
            assert_eq!((&*pair[0].method, &*pair[1].method), ("GET", "PUT"));
            assert_eq!(pair[0].path, pair[1].path);
        }
        assert_eq!(records.len(), 40);
    }

    #[tokio::test]
    async fn dropped_between_read_and_write_nothing_is_in_doubt() {
        let server = Scripted::start(|_| Reaction::Silent).await;
        let spec = updates(server.address, 100_000);
        let ledger = Ledger::new();
        let read = async {
            while server.seen().len() < 5 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = run_load(&spec, &ledger.writer, pending()) => unreachable!("nobody answers"),
            () = read => {}
        }
        for record in ledger.finish() {
            assert_eq!(record.class, "abandoned");
            assert_eq!(record.outcome, Outcome::Failed, "{record:?}");
        }
    }
}

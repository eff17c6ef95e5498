//! Seeding: all or an error, and all of it in the ledger.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::num::NonZeroU32;

    use kab_evidence::ledger::Outcome;
    use kab_load::{SeedSpec, seed};

    use crate::support::{Ledger, Manner, Server, work};

    #[tokio::test]
    async fn makes_so_many_with_no_more_at_a_time_than_allowed() {
        let server = Server::start(Manner::Answers(201, r#"{"id":"u"}"#.into())).await;
        let spec = SeedSpec {
            work: work(server.address),
            count: 100,
            in_flight: NonZeroU32::new(4).unwrap(),
        };
        let ledger = Ledger::new();
        let summary = seed(&spec, &ledger.writer, pending()).await.unwrap();
        let records = ledger.finish();
        assert_eq!((records.len(), summary.acked.len(), summary.outcomes.ok), (100, 100, 100));
        assert_eq!(summary.in_flight_peak, 4);
        assert!(*server.state.connections.lock().unwrap() <= 4);
        let mut keys: Vec<_> = records.iter().filter_map(|r| r.key.clone()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 100);
    }

    #[tokio::test]
    async fn one_refusal_ends_it_and_says_what_was_refused() {
        let server = Server::start(Manner::Answers(403, "quota exceeded".into())).await;
        let spec = SeedSpec {
            work: work(server.address),
            count: 100,
            in_flight: NonZeroU32::new(4).unwrap(),
        };
        let ledger = Ledger::new();
        let error = seed(&spec, &ledger.writer, pending()).await.unwrap_err().to_string();
        assert!(error.contains("http-403: quota exceeded"), "{error}");
        assert!(error.contains("write-7-"), "{error}");
        let records = ledger.finish();
        // Those begun before the first answer, and no more.
        assert_eq!(records.len(), 4);
        assert!(records.iter().all(|r| r.outcome == Outcome::Failed));
    }

    #[tokio::test]
    async fn stopped_it_begins_no_more() {
        let server = Server::start(Manner::Answers(201, "{}".into())).await;
        let spec = SeedSpec {
            work: work(server.address),
            count: 1_000_000,
            in_flight: NonZeroU32::new(4).unwrap(),
        };
        let ledger = Ledger::new();
        let summary = seed(&spec, &ledger.writer, server.has_read(20)).await.unwrap();
        let records = ledger.finish();
        assert_eq!(records.len() as u64, summary.reached);
        assert_eq!(summary.outcomes.ok, summary.reached);
        assert!(summary.not_reached() > 0);
    }
}

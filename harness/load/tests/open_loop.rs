//! The open loop against servers that behave and misbehave: whatever they do,
//! every operation of the schedule is in the ledger once, with the right outcome.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use kab_evidence::ledger::{OpRecord, Outcome};
    use kab_load::{Deadlines, LoadSpec, LoadSummary, Outcomes, run_load};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::sync::watch;

    use crate::support::{Ledger, Manner, Server, assert_on_schedule, load, schedule};

    /// Runs `spec` to its end; every operation must be on schedule.
    async fn run(spec: &LoadSpec) -> (LoadSummary, Vec<OpRecord>) {
        let ledger = Ledger::new();
        let summary = run_load(spec, &ledger.writer, pending()).await.unwrap();
        let records = ledger.finish();
        assert_eq!(summary.reached, schedule(spec).count());
        assert_eq!(summary.outcomes.total(), summary.reached);
        assert_on_schedule(spec, summary.reached, &records);
        (summary, records)
    }

    /// All operations ended like this.
    fn assert_all(records: &[OpRecord], outcome: Outcome, class: &str) {
        for record in records {
            assert_eq!((record.outcome, &*record.class), (outcome, class), "{record:?}");
        }
    }

    #[tokio::test]
    async fn acknowledged_operations_with_their_ids_and_bodies() {
        let server = Server::start(Manner::Answers(201, r#"{"code":"c","id":"u-1"}"#.into())).await;
        let spec = load(server.address, 500.0, 100);
        let (summary, records) = run(&spec).await;
        assert_all(&records, Outcome::Ok, "http-201");
        assert_eq!(summary.outcomes, Outcomes { ok: 100, ..Outcomes::default() });
        assert_eq!(summary.lateness.count(), 100);
        assert_eq!(summary.first_intended, Some(spec.start));
        let requests = server.requests();
        assert_eq!(requests.len(), 100);
        for request in &requests {
            let record =
                records.iter().find(|r| r.op.traceparent() == request.traceparent).unwrap();
            let index = (0..100).find(|&index| spec.work.op(index) == record.op).unwrap();
            assert_eq!(request.body, spec.work.todos.todo(index).body);
            assert_eq!(record.bytes_out, request.body.len() as u64);
            assert_eq!(record.uid.as_deref(), Some("u-1"));
            assert!(summary.acked.contains(&record.op));
        }
    }

    /// A server that stalls delays every operation that was due meanwhile, and
    /// each must show it, counted from its intended start.
    #[tokio::test]
    async fn a_stall_shows_in_every_operation_that_it_delayed() {
        let lasts = Duration::from_millis(300);
        let server = Server::start(Manner::Stalls { at: 50, lasts }).await;
        let (_, records) = run(&load(server.address, 500.0, 400)).await;
        assert_all(&records, Outcome::Ok, "http-201");
        let (start, end) = server.state.stall.lock().await.unwrap();
        let during: Vec<_> =
            records.iter().filter(|r| r.intended >= start && r.intended < end).collect();
        for record in &during {
            let left = end.since(record.intended);
            assert!(u128::from(record.response_nanos().unwrap()) >= left.as_nanos(), "{record:?}");
        }
        // 500/s for 300 ms or longer, unless the schedule ended before.
        let last = records.iter().map(|r| r.intended).max().unwrap();
        let within = last.min(end).since(start).as_secs_f64();
        assert!(during.len() as f64 >= within * 500.0 - 1.0, "{} in {within} s", during.len());
        assert!(during.len() > 1);
    }

    #[tokio::test]
    async fn a_refused_connection_is_a_failure() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (summary, records) = run(&load(closed, 1000.0, 20)).await;
        assert_all(&records, Outcome::Failed, "connect-refused");
        assert!(records.iter().all(|r| r.sent.is_some() && r.bytes_out == 0));
        assert!(summary.acked.is_empty());
    }

    #[tokio::test]
    async fn a_connection_that_is_never_accepted_is_a_failure() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        // Fills the queue of connections that wait to be accepted.
        let mut waiting = Vec::new();
        while let Ok(stream) =
            tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
        {
            waiting.push(stream.unwrap());
        }
        let mut spec = load(address, 1000.0, 5);
        spec.work.deadlines = Deadlines::all(Duration::from_millis(100));
        let (_, records) = run(&spec).await;
        assert_all(&records, Outcome::Failed, "connect-timeout");
        drop((listener, waiting));
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_leaves_the_outcome_open() {
        let server = Server::start(Manner::BreaksOff).await;
        let (_, records) = run(&load(server.address, 1000.0, 20)).await;
        assert_all(&records, Outcome::Indeterminate, "connection-lost");
        assert!(records.iter().all(|r| r.detail.as_ref().unwrap().contains("after status 201")));
        assert!(records.iter().all(|r| r.uid.is_none()));
    }

    #[tokio::test]
    async fn so_does_a_server_that_hangs_up() {
        let server = Server::start(Manner::HangsUp).await;
        let (_, records) = run(&load(server.address, 1000.0, 20)).await;
        assert_all(&records, Outcome::Indeterminate, "connection-lost");
        // Not one was tried again.
        assert_eq!(server.requests().len(), 20);
    }

    #[tokio::test]
    async fn the_system_under_test_says_what_a_status_means() {
        let server = Server::start(Manner::Answers(500, "the database is gone".into())).await;
        let (summary, records) = run(&load(server.address, 1000.0, 20)).await;
        assert_all(&records, Outcome::Indeterminate, "http-500");
        assert_eq!(summary.classes.get("http-500"), Some(&20));
        assert_eq!(records[0].detail.as_deref(), Some("the database is gone"));
        let server = Server::start(Manner::Answers(409, "{}".into())).await;
        let (_, records) = run(&load(server.address, 1000.0, 20)).await;
        assert_all(&records, Outcome::Failed, "http-409");
    }

    #[tokio::test]
    async fn a_long_answer_is_read_to_its_end_and_counted() {
        let server = Server::start(Manner::Answers(201, "x".repeat(9 << 20))).await;
        let spec = load(server.address, 20.0, 3);
        let (_, records) = run(&spec).await;
        assert_all(&records, Outcome::Ok, "http-201");
        assert!(records.iter().all(|r| r.bytes_in == 9 << 20));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_given_up_at_the_deadline() {
        let server = Server::start(Manner::NeverEnds).await;
        let mut spec = load(server.address, 100.0, 3);
        spec.work.deadlines = Deadlines::all(Duration::from_millis(300));
        let (_, records) = run(&spec).await;
        assert_all(&records, Outcome::Indeterminate, "deadline");
        assert!(records.iter().all(|r| r.bytes_in > 0));
    }

    #[tokio::test]
    async fn no_answer_within_the_deadline_leaves_the_outcome_open() {
        let server = Server::start(Manner::Silent).await;
        let mut spec = load(server.address, 1000.0, 20);
        let deadline = Duration::from_millis(200);
        spec.work.deadlines = Deadlines::all(deadline);
        let (_, records) = run(&spec).await;
        assert_all(&records, Outcome::Indeterminate, "deadline");
        assert!(
            records.iter().all(|r| u128::from(r.service_nanos().unwrap()) >= deadline.as_nanos())
        );
        assert!(records.iter().all(|r| r.bytes_out > 0));
    }

    #[tokio::test]
    async fn beyond_the_bound_operations_are_missed_not_skipped() {
        let (open, gate) = watch::channel(false);
        let server = Server::start(Manner::Gated(gate)).await;
        let mut spec = load(server.address, 1000.0, 50);
        spec.max_in_flight = 3;
        let ledger = Ledger::new();
        let opener = async {
            // Opened when all others have been given up.
            while ledger.lines_so_far() < 47 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            open.send(true).unwrap();
        };
        let (summary, ()) = tokio::join!(run_load(&spec, &ledger.writer, pending()), opener);
        let summary = summary.unwrap();
        let records = ledger.finish();
        assert_on_schedule(&spec, 50, &records);
        assert_eq!(summary.outcomes, Outcomes { ok: 3, missed: 47, ..Outcomes::default() });
        assert_eq!(summary.in_flight_peak, 3);
        for record in records.iter().filter(|r| r.outcome == Outcome::Missed) {
            assert_eq!(record.class, "in-flight-limit");
            assert_eq!((record.sent, record.done), (None, None));
        }
        assert_eq!(server.requests().len(), 3);
    }

    /// What kab's own connections kept from being sent is no refusal of the
    /// server's, and has no place in any latency.
    #[tokio::test]
    async fn what_found_no_connection_free_was_never_sent() {
        let server = Server::start(Manner::Silent).await;
        let mut spec = load(server.address, 1000.0, 20);
        spec.connections = Some(1);
        spec.work.deadlines = Deadlines::all(Duration::from_millis(200));
        let (summary, records) = run(&spec).await;
        assert_eq!(summary.outcomes.missed + summary.outcomes.indeterminate, 20);
        assert!(summary.outcomes.missed > 0);
        for record in records.iter().filter(|r| r.outcome == Outcome::Missed) {
            assert_eq!(record.class, "no-connection");
            assert_eq!((record.sent, record.done), (None, None));
        }
        assert_eq!(server.requests().len() as u64, summary.outcomes.indeterminate);
    }

    #[tokio::test]
    async fn time_spent_waiting_for_a_connection_of_kabs_own_is_told() {
        let server = Server::start(Manner::Answers(201, "{}".into())).await;
        let mut spec = load(server.address, 50_000.0, 500);
        spec.connections = Some(1);
        let (summary, _) = run(&spec).await;
        assert_eq!(summary.outcomes.ok, 500);
        assert!(summary.waited.count() > 0);
        let mut spec = load(server.address, 500.0, 50);
        spec.connections = Some(100);
        assert_eq!(run(&spec).await.0.waited.count(), 0);
    }

    #[tokio::test]
    async fn stopped_in_mid_run_nothing_that_was_due_is_lost() {
        let server = Server::start(Manner::Answers(201, "{}".into())).await;
        let spec = load(server.address, 200.0, 720_000);
        let ledger = Ledger::new();
        let summary = run_load(&spec, &ledger.writer, server.has_read(40)).await.unwrap();
        let records = ledger.finish();
        assert_on_schedule(&spec, summary.reached, &records);
        assert_all(&records, Outcome::Ok, "http-201");
        assert!(summary.reached >= 40 && summary.not_reached() > 0);
        assert_eq!(summary.reached + summary.not_reached(), 720_000);
        // Whatever was sent was awaited.
        assert_eq!(server.requests().len() as u64, summary.reached);
    }

    #[tokio::test]
    async fn dropped_in_mid_run_what_was_in_flight_is_written_as_open() {
        let (_open, gate) = watch::channel(false);
        let server = Server::start(Manner::Gated(gate)).await;
        let spec = load(server.address, 1000.0, 100_000);
        let ledger = Ledger::new();
        tokio::select! {
            _ = run_load(&spec, &ledger.writer, pending()) => unreachable!("the gate is shut"),
            () = server.has_read(10) => {}
        }
        let records = ledger.finish();
        assert!(records.len() >= 10);
        assert_on_schedule(&spec, records.len() as u64, &records);
        for record in &records {
            assert_eq!(record.class, "abandoned");
            let open = record.sent.is_some();
            assert_eq!(record.outcome == Outcome::Indeterminate, open, "{record:?}");
        }
    }

    /// As a run does it, with subscribers and probes beside it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_can_be_a_task_of_its_own_on_many_threads() {
        let server = Server::start(Manner::Answers(201, "{}".into())).await;
        let spec = load(server.address, 5000.0, 2000);
        let (summary, records) = tokio::spawn(async move { run(&spec).await }).await.unwrap();
        assert_all(&records, Outcome::Ok, "http-201");
        assert_eq!(summary.acked.len(), 2000);
    }

    #[tokio::test]
    async fn connections_are_used_again() {
        let server = Server::start(Manner::Answers(201, "{}".into())).await;
        let mut spec = load(server.address, 2000.0, 200);
        // One at a time: those in between are missed.
        spec.max_in_flight = 1;
        let (summary, _) = run(&spec).await;
        assert!(summary.outcomes.ok > 1);
        assert_eq!(*server.state.connections.lock().unwrap(), 1);
    }
}

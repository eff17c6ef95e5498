//! The engine against the null server, both real: what holds on any machine,
//! however busy. How fast they are, `kab calibrate` says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::Duration;

use kab_calibrate::check::{self, Asked};
use kab_calibrate::engine::{Load, Transport};
use kab_calibrate::observed::Observed;
use kab_calibrate::server::ServerConfig;
use kab_calibrate::server::config::Watch;
use kab_calibrate::server::evidence::{self, WatchEnd, Witness};
use kab_calibrate::server::script::{Every, Refuse, Script, Service, Window};
use kab_calibrate::{Court, NullServer, Program};
use kab_evidence::calibration::{Finding, Status};
use kab_lab::process::Supervisor;
use kab_load::Schedule;

const RATE: f64 = 400.0;
const LASTS: Duration = Duration::from_millis(500);

fn program() -> Program {
    Program { path: env!("CARGO_BIN_EXE_kab-null").into(), leading_args: Vec::new() }
}

/// 200 operations to a server that plays `script`.
async fn hear(script: Script, transport: Transport) -> (Asked, Observed) {
    let load = Load::open(Schedule::constant(RATE, LASTS).unwrap(), transport);
    let (start, observed) = Court::new(program()).unwrap().hear(&script, &load).await.unwrap();
    assert_eq!(observed.origin, Some(start));
    (Asked::constant("200 operations", start, RATE, LASTS), observed)
}

fn passed(finding: &Finding) {
    assert_eq!(finding.status, Status::Pass, "{finding:#?}");
}

const BOTH: [Transport; 2] = [Transport::Http1, Transport::Http2];

#[tokio::test]
async fn every_operation_is_known_to_both_sides_and_one_clock_measures_both() {
    for transport in BOTH {
        let (asked, observed) = hear(Script::default(), transport).await;
        passed(&check::complete(&asked, &observed));
        passed(&check::one_clock(&asked, &observed));
        let uids: std::collections::HashSet<_> =
            observed.ledger.iter().filter_map(|record| record.uid.clone()).collect();
        assert_eq!(uids.len(), 200, "each object has a UID of its own");
    }
}

#[tokio::test]
async fn refusals_and_resets_are_counted_exactly() {
    for transport in BOTH {
        let refuse = Some(Refuse { nth: 7, status: 429 });
        let (asked, observed) = hear(Script { refuse, ..Script::default() }, transport).await;
        passed(&check::refusals(&asked, &observed, 7, 429));
        let reset = Some(Every { nth: 9 });
        let (asked, observed) = hear(Script { reset, ..Script::default() }, transport).await;
        passed(&check::resets(&asked, &observed, 9));
        passed(&check::complete(&asked, &observed));
    }
}

/// A check that is passed by anything would pass this too.
#[tokio::test]
async fn a_server_that_is_not_as_asked_is_noticed() {
    let (asked, observed) = hear(Script::default(), Transport::Http1).await;
    assert_eq!(check::refusals(&asked, &observed, 7, 429).status, Status::Fail);
    assert_eq!(check::resets(&asked, &observed, 9).status, Status::Fail);
    // Longer than any machine can have made it look.
    let lasts = Duration::from_secs(60);
    let stall = check::Standstill { at: Duration::from_millis(200), lasts };
    assert_eq!(check::stall(&asked, &observed, stall).status, Status::Fail);
    assert_eq!(check::percentiles(&asked, &observed, lasts, 10).status, Status::Fail);
}

#[tokio::test]
async fn an_open_loop_shows_a_stall_that_a_closed_one_hides() {
    let (at, lasts) = (Duration::from_millis(100), Duration::from_millis(250));
    let stall = check::Standstill { at, lasts };
    let stalls = vec![Window { at: at.into(), lasts: lasts.into() }];
    let script = Script { stalls, ..Script::default() };
    let (asked, open) = hear(script.clone(), Transport::Http2).await;
    let one = NonZeroU32::MIN;
    let load = Load::closed(one, Duration::from_millis(2), LASTS, Transport::Http2);
    let (_, closed) = Court::new(program()).unwrap().hear(&script, &load).await.unwrap();
    let finding = check::omission(&asked, &open, &closed, 1, stall);
    // A busy machine may make a few more late; none can hide them.
    assert!(finding.because.iter().all(|why| !why.contains("hides")), "{finding:#?}");
    passed(&check::complete(&asked, &open));
}

#[tokio::test]
async fn no_answer_is_earlier_than_its_service_time() {
    let time = Some(Duration::from_millis(5).into());
    let service = Service { time, steps: None, servers: Some(2) };
    let (_, observed) = hear(Script { service, ..Script::default() }, Transport::Http2).await;
    let shortest = observed.ledger.iter().filter_map(|record| record.service_nanos()).min();
    assert!(shortest >= Some(5_000_000), "{shortest:?}");
}

#[tokio::test]
async fn watchers_are_told_of_every_event_and_the_server_knows_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seen.jsonl");
    let watch = Watch {
        rate: Some("200/s".parse().unwrap()),
        at: Some("1s".parse().unwrap()),
        count: Some(20),
        ..Watch::default()
    };
    let config = ServerConfig { evidence: Some(path.clone()), watch, ..ServerConfig::default() };
    let supervisor = Supervisor::new().unwrap();
    let server = NullServer::start(&program(), &config, dir.path(), &supervisor).await.unwrap();
    let address = server.ready().address;
    let revisions = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // From a revision before the first event: it does not matter when.
        let ask = "GET /todos?watch=1&resourceVersion=1000 HTTP/1.1\r\nhost: null\r\n\r\n";
        stream.write_all(ask.as_bytes()).unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let events = lines.filter(|line| line.starts_with(r#"{"type""#)).take(20);
        let revision = |line: String| {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            event["object"]["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
        };
        events.map(revision).collect::<Vec<_>>()
    });
    let revisions = revisions.await.unwrap();
    assert_eq!(revisions, (1001..=1020).map(|rv| rv.to_string()).collect::<Vec<_>>());
    server.stop().await.unwrap();
    let witness = evidence::read(&path).unwrap();
    let events = witness.iter().filter(|line| matches!(line, Witness::Event { .. })).count();
    assert_eq!(events, 20);
    let ended = witness
        .iter()
        .any(|line| matches!(line, Witness::WatchEnded { sent: 20, why: WatchEnd::Dropped, .. }));
    assert!(ended, "{witness:?}");
}

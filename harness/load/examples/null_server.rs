//! What the generator itself costs and how well it keeps time, against a
//! server in another process that does nothing but answer.
//!
//! `cargo run --release -p kab-load --example null_server`

use std::convert::Infallible;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kab_evidence::clock::Mono;
use kab_evidence::histogram::Latencies;
use kab_evidence::jsonl::{self, JsonlWriter};
use kab_evidence::ledger::{OpRecord, Outcome};
use kab_load::{LoadSpec, Schedule, Target, Todos, Work, open_loop};
use tokio::net::TcpListener;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let one_thread = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return one_thread.block_on(serve());
    }
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut address = String::new();
    BufReader::new(server.stdout.take().ok_or("no stdout")?).read_line(&mut address)?;
    let target = Target {
        address: address.trim().parse()?,
        path: "/api/todo".to_owned(),
        classify: |status| if status < 300 { Outcome::Ok } else { Outcome::Indeterminate },
    };
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for rate in [200.0, 1_000.0, 5_000.0, 10_000.0] {
        for (name, runtime) in [("multi-thread", &threads), ("one thread", &one_thread)] {
            runtime.block_on(measure(name, rate, &target))?;
        }
    }
    // It ends with its standard input.
    drop(server.stdin.take());
    server.wait()?;
    Ok(())
}

async fn measure(name: &str, rate: f64, target: &Target) -> Result<(), Failure> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("ops.jsonl");
    let ledger = JsonlWriter::append_to(&path)?;
    let spec = LoadSpec {
        work: Work {
            step: "write".to_owned(),
            target: target.clone(),
            todos: Todos::new("write", 1, 1024)?,
            deadline: Duration::from_secs(10),
            nonce: 1,
            first_sequence: 0,
        },
        schedule: Schedule::constant(rate, Duration::from_secs(5))?,
        start: Mono::now().plus(Duration::from_millis(20)),
        max_in_flight: 500,
    };
    let before = kab_load::summary::process_cpu();
    let summary = open_loop(&spec, &ledger, std::future::pending()).await?;
    ledger.finish()?;
    let cpu = kab_load::summary::process_cpu().saturating_sub(before);
    let mut service = Latencies::new();
    jsonl::for_each(&path, |record: OpRecord| {
        if let Some(nanos) = record.service_nanos() {
            service.record_nanos(nanos);
        }
    })?;
    let late = |quantile| summary.lateness.quantile(quantile).unwrap_or_default();
    let took = |quantile| service.quantile(quantile).unwrap_or_default();
    writeln!(
        std::io::stdout(),
        "{name:12} {rate:6}/s: {:?}; late p50 {:?} p99 {:?}; service p50 {:?} p99 {:?}; \
         {:.1} us CPU an operation, the ledger included",
        summary.outcomes,
        late(0.5),
        late(0.99),
        took(0.5),
        took(0.99),
        cpu.as_secs_f64() * 1e6 / spec_count(&spec),
    )?;
    Ok(())
}

fn spec_count(spec: &LoadSpec) -> f64 {
    f64::from(u32::try_from(spec.schedule.count()).unwrap_or(u32::MAX))
}

async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(created));
            tokio::spawn(connection);
        }
    };
    let orphaned = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    tokio::select! {
        ended = accept => ended,
        _ = orphaned => Ok(()),
    }
}

async fn created(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let _ = request.into_body().collect().await;
    let body = Bytes::from_static(br#"{"id":"3f1c1f86-6d0e-4f0c-9a43-0b6b5a0d1c11"}"#);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = http::StatusCode::CREATED;
    Ok(response)
}

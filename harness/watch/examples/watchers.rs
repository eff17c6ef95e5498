//! What watchers cost: `watchers ADDRESS|KUBECONFIG COUNT SECONDS [runtime] [NAMESPACE]`,
//! where ADDRESS is that of `kab app null` without TLS.
//! Opens COUNT watchers, lets them watch for SECONDS, and prints what they
//! received, the CPU time of their thread for each event, and the memory of
//! the process for each watcher.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::time::Duration;

use kab_backend::client::{config, install_tls_provider};
use kab_backend::peer::peer;
use kab_evidence::clock::Mono;
use kab_watch::{WatchSpec, raw, runtime};
use kab_wire::{Peer, Protocol};

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    install_tls_provider();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (server, count, seconds) = (&args[0], args[1].parse().unwrap(), args[2].parse().unwrap());
    let runtime_clients = args.iter().any(|arg| arg == "runtime");
    let dir = tempfile::tempdir().unwrap();
    let (group, namespace) = match args.get(4) {
        Some(namespace) => ("k8sasbackend.com", namespace.clone()),
        None => ("example.com", "default".to_owned()),
    };
    let spec = WatchSpec {
        step: "listen".into(),
        watch_dir: dir.path().to_owned(),
        group: group.into(),
        version: "v1".into(),
        plural: "todos".into(),
        kind: "Todo".into(),
        namespace: Some(namespace),
        count,
    };
    let before = resident_kb();
    let began = Mono::now();
    let watchers = if runtime_clients {
        let config = match server.parse::<std::net::SocketAddr>() {
            Ok(address) => kube::Config::new(format!("http://{address}").parse().unwrap()),
            Err(_) => config(Path::new(server)).await.unwrap(),
        };
        runtime::start(&spec, &config).unwrap()
    } else {
        let peer = match server.parse() {
            Ok(address) => Peer::plain(address, Protocol::Http2),
            Err(_) => peer(Path::new(server), Protocol::Auto).await.unwrap(),
        };
        raw::start(&spec, peer).unwrap()
    };
    let opened = watchers.await_opened(Duration::from_secs(120)).await;
    println!("{opened} of {count} open after {:?}", Mono::now().since(began));
    let (open, events, cpu) = (Mono::now(), watchers.progress().events(), process_cpu());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let events = watchers.progress().events() - events;
    let (took, cpu) = (Mono::now().since(open), process_cpu() - cpu);
    let resident = resident_kb() - before;
    let summary = watchers.stop().await.unwrap();
    let size = std::fs::metadata(dir.path().join("listen.jsonl")).unwrap().len();
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / events.max(1) as f64;
    println!("{events} events in {took:?}: {:.0}/s", events as f64 / took.as_secs_f64());
    println!("CPU of the process {cpu:?}: {:.2} us an event", each(cpu));
    println!("CPU of the watching thread from the start {:?}", summary.cpu);
    println!("memory {:.1} kB a watcher ({resident} kB)", resident as f64 / f64::from(count));
    println!(
        "evidence {} lines, {:.2} bytes an event",
        summary.lines,
        size as f64 / events.max(1) as f64
    );
}

/// CPU time of this process, the writer of evidence included.
fn process_cpu() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap())
}

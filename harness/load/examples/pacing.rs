//! How exactly, and at what cost, instants are met: the pacing thread beside
//! tokio's own timer, on the same schedules, with nothing to send.
//!
//! `cargo run --release -p kab-load --example pacing`

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use kab_evidence::clock::Mono;
use kab_evidence::histogram::Latencies;
use kab_load::Schedule;
use kab_load::pace::{Pacer, PacingThread};
use kab_load::summary::process_cpu;

struct TokioTimer;

impl Pacer for TokioTimer {
    fn now(&self) -> Mono {
        Mono::now()
    }

    async fn wait_until(&mut self, at: Mono) {
        while Mono::now() < at {
            tokio::time::sleep(at.since(Mono::now())).await;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for rate in [1_000.0, 10_000.0] {
        let schedule = Schedule::constant(rate, Duration::from_secs(5))?;
        let thread = PacingThread::start()?;
        tokio::spawn(measure("pacing thread", rate, schedule.clone(), thread)).await??;
        tokio::spawn(measure("tokio timer", rate, schedule, TokioTimer)).await??;
    }
    Ok(())
}

async fn measure(
    name: &'static str,
    rate: f64,
    schedule: Schedule,
    mut pacer: impl Pacer + Send,
) -> std::io::Result<()> {
    let start = Mono::now().plus(Duration::from_millis(20));
    let cpu = process_cpu();
    let mut lateness = Latencies::new();
    for (_, due) in schedule.from(start) {
        pacer.wait_until(due).await;
        let late = Mono::now().since(due).as_nanos();
        lateness.record_nanos(u64::try_from(late).unwrap_or(u64::MAX));
    }
    let (cpu, took) = (process_cpu().saturating_sub(cpu), Mono::now().since(start));
    let at = |quantile| lateness.quantile(quantile).unwrap_or_default();
    writeln!(
        std::io::stdout(),
        "{name:14} {rate:6}/s: late p50 {:?} p99 {:?} max {:?}; CPU {:.1} % of a core",
        at(0.5),
        at(0.99),
        at(1.0),
        100.0 * cpu.as_secs_f64() / took.as_secs_f64(),
    )
}

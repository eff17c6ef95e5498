//! The open loop: every operation is started when the schedule says, whatever
//! became of those before it.
//!
//! One task does it all: it waits for the next instant, and polls the
//! operations in flight while it waits. Nothing is handed between tasks, and
//! the whole load ends with the future that runs it.

use std::future::Future;
use std::io;
use std::pin::pin;

use futures::stream::{FuturesUnordered, StreamExt};
use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlWriter;
use kab_evidence::ledger::OpRecord;

use crate::operation::{Ended, Prepared, Work};
use crate::pace::{Pacer, PacingThread};
use crate::schedule::Schedule;
use crate::summary::{LoadSummary, Tally};
use crate::transport::{BadPath, Transport};

/// After so many operations without a pause the runtime gets a turn, so that a
/// generator that is behind still reads its answers.
const TURN: u64 = 32;

/// A load on a schedule.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// What the operations are.
    pub work: Work,
    /// When each is due, counted from `start`.
    pub schedule: Schedule,
    /// When the schedule begins. A few milliseconds ahead, so that the first
    /// operation is not late; the same for all who share a load.
    pub start: Mono,
    /// Most operations in flight; one that is due beyond them is not sent, and
    /// counted as missed.
    pub max_in_flight: u32,
}

/// A load could not be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The target's path is not one.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// No thread to wait in.
    #[error("starting the thread that paces the load: {0}; check the limit of threads (ulimit -u)")]
    Pacing(#[from] io::Error),
}

/// Runs the load of `spec` to its end, or until `stop` is ready.
///
/// Every operation of the schedule that comes due is in `ledger` exactly once
/// when this returns, and also if the future is dropped. When stopped, it sends
/// nothing more, and awaits what is in flight, `deadline` at most.
///
/// Of the instants in the ledger, `sent` is when the request was handed to the
/// transport: before a connection is taken from the pool or, if none is idle,
/// made. So `sent` − `intended` is the generator's own delay and nothing else,
/// while the time to connect is part of the service time, as any client of the
/// gateway would feel it. `done` is when the last byte of the answer had been
/// read, or when it was clear that there will be none.
///
/// # Errors
/// If it cannot begin. That operations fail is no error.
pub async fn open_loop(
    spec: &LoadSpec,
    ledger: &JsonlWriter<OpRecord>,
    stop: impl Future<Output = ()>,
) -> Result<LoadSummary, LoadError> {
    paced(spec, ledger, stop, PacingThread::start()?).await
}

async fn paced(
    spec: &LoadSpec,
    ledger: &JsonlWriter<OpRecord>,
    stop: impl Future<Output = ()>,
    mut pacer: impl Pacer,
) -> Result<LoadSummary, LoadError> {
    let LoadSpec { work, schedule, start, max_in_flight } = spec;
    let limit = usize::try_from(*max_in_flight).unwrap_or(usize::MAX);
    let transport = Transport::new(&work.target)?;
    let mut stop = pin!(stop);
    let mut tally = Tally::begin(schedule.count());
    let mut in_flight = FuturesUnordered::new();
    // The next operation is prepared before its time comes.
    let mut coming =
        schedule.from(*start).map(|(index, at)| Prepared::new(work, &transport, ledger, index, at));
    let mut next = coming.next();
    while let Some(due) = next.as_ref().map(|operation| operation.intended) {
        // At most one ends and at most one begins each time around, so that
        // neither keeps the other waiting.
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = in_flight.next(), if !in_flight.is_empty() => tally.end(&ended),
            () = pacer.wait_until(due) => {}
        }
        if pacer.now() < due {
            continue;
        }
        if in_flight.len() >= limit {
            make_room(&mut in_flight, &mut tally).await;
        }
        let Some(operation) = next.take() else { break };
        tally.reach(due);
        if in_flight.len() < limit {
            in_flight.push(operation.run(&transport, work.deadline));
            tally.in_flight(in_flight.len());
        } else {
            tally.end(&operation.miss());
        }
        next = coming.next();
        if tally.reached().is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
    while let Some(ended) = in_flight.next().await {
        tally.end(&ended);
    }
    Ok(tally.finish())
}

/// Takes out what has ended without having been noticed. An operation must not
/// count as missed because the generator has not looked at its answers yet.
async fn make_room<F: Future<Output = Ended>>(
    in_flight: &mut FuturesUnordered<F>,
    tally: &mut Tally,
) {
    // Lets the runtime look at its sockets.
    tokio::task::yield_now().await;
    // One call polls a few of the ready ones at most, so that many are needed
    // before all have had their turn; with none ready each costs next to nothing.
    for _ in 0..in_flight.len() {
        let polled =
            std::future::poll_fn(|cx| std::task::Poll::Ready(in_flight.poll_next_unpin(cx)));
        if let std::task::Poll::Ready(Some(ended)) = polled.await {
            tally.end(&ended);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Poll;
    use std::time::Duration;

    use kab_evidence::jsonl;
    use kab_evidence::ledger::Outcome;

    use super::*;
    use crate::{Target, Todos};

    /// A clock that goes on only while it is waited for, and then too far.
    #[derive(Clone)]
    struct Virtual {
        now: Arc<AtomicU64>,
        oversleeps: u64,
    }

    impl Pacer for Virtual {
        fn now(&self) -> Mono {
            Mono::from_nanos(self.now.load(Ordering::Relaxed))
        }

        async fn wait_until(&mut self, at: Mono) {
            if at > self.now() {
                self.now.store(at.nanos() + self.oversleeps, Ordering::Relaxed);
            }
        }
    }

    /// One operation a second for 1,000 seconds, to where nobody listens.
    fn spec() -> LoadSpec {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        LoadSpec {
            work: Work {
                step: "write".into(),
                target: Target { address, path: "/".into(), classify: |_| Outcome::Ok },
                todos: Todos::new("write", 1, 10).unwrap(),
                deadline: Duration::from_secs(60),
                nonce: 1,
                first_sequence: 0,
            },
            schedule: Schedule::constant(1.0, Duration::from_secs(1000)).unwrap(),
            start: Mono::from_nanos(5_000_000_000),
            max_in_flight: 10_000,
        }
    }

    async fn run(pacer: Virtual, stop: impl Future<Output = ()>) -> (LoadSummary, Vec<Mono>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ops.jsonl");
        let ledger = JsonlWriter::append_to(&path).unwrap();
        let summary = paced(&spec(), &ledger, stop, pacer).await.unwrap();
        ledger.finish().unwrap();
        let mut intended = Vec::new();
        jsonl::for_each(&path, |record: OpRecord| intended.push(record.intended)).unwrap();
        intended.sort();
        (summary, intended)
    }

    fn clock(oversleeps: Duration) -> Virtual {
        let oversleeps = u64::try_from(oversleeps.as_nanos()).unwrap();
        Virtual { now: Arc::default(), oversleeps }
    }

    #[tokio::test]
    async fn a_generator_that_oversleeps_neither_skips_nor_moves_anything() {
        for oversleeps in [0, 1, 90, 5000] {
            let (summary, intended) = run(clock(Duration::from_secs(oversleeps)), pending()).await;
            assert_eq!((summary.reached, summary.not_reached()), (1000, 0));
            let due: Vec<_> = spec().schedule.from(spec().start).map(|(_, at)| at).collect();
            assert_eq!(intended, due);
        }
    }

    #[tokio::test]
    async fn stopped_at_an_instant_it_has_reached_what_was_due_until_then() {
        let clock = clock(Duration::ZERO);
        let now = clock.clone();
        let limit = spec().start.plus(Duration::from_secs(400));
        let stop = poll_fn(|_| if now.now() >= limit { Poll::Ready(()) } else { Poll::Pending });
        let (summary, intended) = run(clock.clone(), stop).await;
        assert_eq!((summary.reached, summary.not_reached()), (401, 599));
        assert_eq!(summary.last_intended, Some(limit));
        assert_eq!(intended.len(), 401);
    }
}

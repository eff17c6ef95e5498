//! A work queue: the changes of an entity one after the other, entities beside
//! each other, each change until it is delivered or a dead letter.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Event;
use kab_evidence::clock::Mono;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::dead_letter::DeadLetters;
use super::notify::Notifier;
use super::progress::{Progress, Ticket};
use super::{Delivery, Stop};
use crate::app::AppError;
use crate::app::reflector::{Seen, Told};

/// How long tries under way may still take when the process is told to end.
const DRAIN: Duration = Duration::from_secs(2);

/// A change in the queue.
struct Job {
    ticket: Ticket,
    seen: Box<Seen>,
}

/// What delivers one change.
struct Worker {
    notifier: Arc<Notifier>,
    dead_letters: DeadLetters,
    /// So many notifications may be under way at once.
    slots: Semaphore,
    /// Whether the process is told to end.
    ending: watch::Sender<bool>,
}

/// What a worker says at its end: whose turn it was, and whether it came to
/// an end with it.
type Worked = Result<(Job, bool), AppError>;

/// Delivers until told to stop, or until there is no going on.
pub(super) async fn run(
    notifier: Arc<Notifier>,
    recorder: mpsc::UnboundedSender<Event>,
    mut told: mpsc::UnboundedReceiver<Told>,
    progress: &Progress,
    stop: Stop,
) -> Result<(), AppError> {
    let slots = usize::try_from(notifier.config.delivery.parallel).unwrap_or(1).max(1);
    let worker = Arc::new(Worker {
        dead_letters: DeadLetters::new(&notifier, recorder),
        notifier,
        slots: Semaphore::new(slots),
        ending: watch::Sender::new(false),
    });
    // The changes that wait for an earlier one of the same name. Who has an
    // entry is being worked on.
    let mut lanes: HashMap<String, VecDeque<Job>> = HashMap::new();
    let mut working: JoinSet<Worked> = JoinSet::new();
    let begin = |working: &mut JoinSet<Worked>, job| {
        working.spawn(Arc::clone(&worker).work(job));
    };
    loop {
        tokio::select! {
            next = told.recv() => match next {
                Some(Told::Reached(revision)) => progress.reached(revision),
                Some(Told::Change(seen)) => {
                    let name = seen.news.todo.name().to_owned();
                    let job = Job { ticket: progress.begin(), seen };
                    match lanes.get_mut(&name) {
                        Some(lane) => lane.push_back(job),
                        None => {
                            lanes.insert(name, VecDeque::new());
                            begin(&mut working, job);
                        }
                    }
                }
                None => return Ok(()),
            },
            Some(worked) = working.join_next(), if !working.is_empty() => {
                // One that panicked is as lost as the process would be.
                let Ok(worked) = worked else { continue };
                let (job, done) = worked?;
                if done {
                    progress.done(&job.ticket);
                }
                let name = job.seen.news.todo.name();
                match lanes.get_mut(name).and_then(VecDeque::pop_front) {
                    Some(next) => begin(&mut working, next),
                    None => drop(lanes.remove(name)),
                }
            }
            () = stop.clone() => break,
        }
    }
    // What waits, or pauses before its next try, is left to the next process.
    worker.ending.send_replace(true);
    let finishing = async {
        while let Some(worked) = working.join_next().await {
            if let Ok(Ok((job, true))) = worked {
                progress.done(&job.ticket);
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN, finishing).await;
    Ok(())
}

impl Worker {
    async fn work(self: Arc<Self>, job: Job) -> Worked {
        let done = self.deliver(&job.seen).await?;
        Ok((job, done))
    }

    /// Whether the matter is at its end: delivered, or a dead letter.
    async fn deliver(&self, seen: &Seen) -> Result<bool, AppError> {
        let delivery = self.notifier.config.delivery;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let tried = {
                let Ok(_slot) = self.slots.acquire().await else { return Ok(false) };
                if *self.ending.borrow() {
                    return Ok(false);
                }
                let subject = self.notifier.subject(seen).await;
                self.notifier.tell(seen, subject.as_ref()).await
            };
            let cause = match &tried.answer {
                Ok(status) if status.is_success() => {
                    self.notifier.record(seen, &tried);
                    self.dead_letters.clear(seen).await;
                    return Ok(true);
                }
                Ok(status) => format!("the subscriber answered {status}"),
                Err(cause) => cause.clone(),
            };
            let name = seen.news.todo.name();
            tracing::warn!(name, attempt, cause, "a notification failed");
            let last = attempt >= delivery.attempts;
            if last || self.notifier.survives(&tried).is_err() {
                self.notifier.record(seen, &tried);
                self.notifier.survives(&tried)?;
                self.dead_letters.bury(seen, attempt, &cause).await;
                return Ok(true);
            }
            let mut ending = self.ending.subscribe();
            tokio::select! {
                () = tokio::time::sleep(pause(&delivery, attempt)) => {}
                _ = ending.wait_for(|ending| *ending) => return Ok(false),
            }
        }
    }
}

/// How long to wait after the `attempt`th failure: twice as long each time, and
/// not in step with others.
fn pause(delivery: &Delivery, attempt: u32) -> Duration {
    let doubled = 1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
    let whole = delivery.first_pause_ms.saturating_mul(doubled).min(delivery.longest_pause_ms);
    // Anything from half of it on; the clock's nanoseconds are chance enough.
    let spread = whole / 2;
    let jitter = Mono::now().nanos() % (spread + 1);
    Duration::from_millis(whole - spread + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let delivery = Delivery::default();
        for (attempt, most) in [(1, 100), (2, 200), (5, 1_600), (9, 25_600), (10, 30_000)] {
            let pause = pause(&delivery, attempt);
            let most = Duration::from_millis(most);
            assert!(most / 2 <= pause && pause <= most, "{attempt}: {pause:?}");
        }
        assert!(pause(&delivery, u32::MAX) <= Duration::from_millis(30_000));
    }
}

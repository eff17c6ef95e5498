//! What the coordinator knows of its workers: a state machine without streams
//! or processes.

use super::{News, Report};

/// What the coordinator has to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Wait for more news.
    Wait,
    /// All are ready: give the start.
    Start,
    /// A worker was lost before the start: stop the others, the load is off.
    CallOff,
    /// Each has reported, or is lost: the load is over.
    Over,
}

/// A worker that will not report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Which.
    pub worker: u32,
    /// Why, in a sentence.
    pub why: String,
    /// Operations of its slice, if it came so far as to say.
    pub scheduled: u64,
}

/// What a shared load came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The shares of those who reported, merged.
    pub report: Report,
    /// Those who did not: with any, the measurement is invalid.
    pub lost: Vec<Lost>,
}

/// The workers of one load.
#[derive(Debug)]
pub struct Crew {
    clock: String,
    workers: Vec<Worker>,
    started: bool,
}

#[derive(Debug, Default)]
struct Worker {
    scheduled: u64,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Preparing,
    Ready,
    Done(Box<Report>),
    Lost(String),
}

impl Crew {
    /// `workers` of them, none of which has said anything yet. `clock` is the
    /// coordinator's own, as in [`News::Ready`].
    pub fn new(workers: u32, clock: impl Into<String>) -> Self {
        let workers = (0..workers).map(|_| Worker::default()).collect();
        Self { clock: clock.into(), workers, started: false }
    }

    /// Takes note of what `worker` said.
    pub fn hear(&mut self, worker: u32, news: News) -> Next {
        let (started, clock) = (self.started, &self.clock);
        let Some(worker) = self.workers.get_mut(usize::try_from(worker).unwrap_or(usize::MAX))
        else {
            return Next::Wait;
        };
        worker.stage = match (std::mem::take(&mut worker.stage), news) {
            (Stage::Lost(why), _) => Stage::Lost(why),
            (Stage::Preparing, News::Ready { clock: other, .. }) if other != *clock => {
                Stage::Lost(format!(
                    "its clock is another ({other}, and the coordinator's {clock}): workers \
                     have to be on one host"
                ))
            }
            (Stage::Preparing, News::Ready { scheduled, .. }) => {
                worker.scheduled = scheduled;
                Stage::Ready
            }
            (Stage::Ready, News::Done { report }) if started => Stage::Done(report),
            (_, News::Failed { reason }) => Stage::Lost(reason),
            (stage, news) => Stage::Lost(format!("it spoke out of turn: {news:?} when {stage:?}")),
        };
        self.turn()
    }

    /// Takes note that `worker` is gone. Nothing, if it has reported before.
    pub fn lose(&mut self, worker: u32, why: impl Into<String>) -> Next {
        let index = usize::try_from(worker).unwrap_or(usize::MAX);
        if let Some(worker) = self.workers.get_mut(index)
            && matches!(worker.stage, Stage::Preparing | Stage::Ready)
        {
            worker.stage = Stage::Lost(why.into());
        }
        self.turn()
    }

    /// Whether `worker` is lost.
    pub fn is_lost(&self, worker: u32) -> bool {
        let index = usize::try_from(worker).unwrap_or(usize::MAX);
        self.workers.get(index).is_some_and(|worker| matches!(worker.stage, Stage::Lost(_)))
    }

    /// Gives up those that are not ready.
    pub fn lose_unready(&mut self, why: &str) -> Next {
        for worker in &mut self.workers {
            if matches!(worker.stage, Stage::Preparing) {
                worker.stage = Stage::Lost(why.to_owned());
            }
        }
        self.turn()
    }

    /// What there is to do. [`Next::Start`] comes once.
    fn turn(&mut self) -> Next {
        let any = |wanted: fn(&Stage) -> bool| self.workers.iter().any(|w| wanted(&w.stage));
        if !self.started {
            if any(|stage| matches!(stage, Stage::Lost(_))) {
                return Next::CallOff;
            }
            if any(|stage| matches!(stage, Stage::Preparing)) {
                return Next::Wait;
            }
            self.started = true;
            return Next::Start;
        }
        if any(|stage| matches!(stage, Stage::Ready)) { Next::Wait } else { Next::Over }
    }

    /// What the load came to by now. A worker that is still at work counts as
    /// lost.
    pub fn merged(self) -> Merged {
        let mut merged = Merged { report: Report::default(), lost: Vec::new() };
        for (worker, Worker { scheduled, stage }) in (0..).zip(self.workers) {
            let why = match stage {
                Stage::Done(report) => {
                    merged.report.merge(&report);
                    continue;
                }
                Stage::Lost(why) => why,
                Stage::Preparing | Stage::Ready => "it had not reported".to_owned(),
            };
            merged.lost.push(Lost { worker, why, scheduled });
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(scheduled: u64) -> News {
        News::Ready { clock: "boot".into(), scheduled }
    }

    fn done(ok: u64) -> News {
        News::Done {
            report: Box::new(Report { scheduled: 10, reached: 10, ok, ..Report::default() }),
        }
    }

    #[test]
    fn the_start_comes_once_when_all_are_ready_and_the_end_when_all_have_reported() {
        let mut crew = Crew::new(2, "boot");
        assert_eq!(crew.hear(1, ready(10)), Next::Wait);
        assert_eq!(crew.hear(0, ready(10)), Next::Start);
        assert_eq!(crew.hear(0, done(10)), Next::Wait);
        assert_eq!(crew.hear(1, done(9)), Next::Over);
        // That the process then ends is no loss.
        assert_eq!(crew.lose(1, "exit status 0"), Next::Over);
        let merged = crew.merged();
        assert_eq!((merged.report.ok, merged.report.scheduled), (19, 20));
        assert!(merged.lost.is_empty());
    }

    #[test]
    fn a_worker_lost_before_the_start_calls_the_load_off() {
        let mut crew = Crew::new(3, "boot");
        crew.hear(0, ready(10));
        assert_eq!(crew.lose(2, "signal 9"), Next::CallOff);
        assert_eq!(crew.hear(1, ready(10)), Next::CallOff);
        let failed = News::Failed { reason: "no route".into() };
        assert_eq!(Crew::new(1, "boot").hear(0, failed), Next::CallOff);
    }

    #[test]
    fn a_worker_lost_later_is_named_with_what_it_owed() {
        let mut crew = Crew::new(2, "boot");
        crew.hear(0, ready(10));
        crew.hear(1, ready(11));
        assert_eq!(crew.lose(1, "signal 9"), Next::Wait);
        assert_eq!(crew.hear(0, done(10)), Next::Over);
        let lost = Lost { worker: 1, why: "signal 9".into(), scheduled: 11 };
        assert_eq!(crew.merged().lost, [lost]);
    }

    #[test]
    fn a_worker_of_another_boot_or_one_out_of_turn_is_lost() {
        let mut crew = Crew::new(1, "boot");
        let other = News::Ready { clock: "other".into(), scheduled: 1 };
        assert_eq!(crew.hear(0, other), Next::CallOff);
        assert!(crew.merged().lost[0].why.contains("clock"));
        let mut crew = Crew::new(1, "boot");
        assert_eq!(crew.hear(0, done(1)), Next::CallOff);
        assert!(crew.merged().lost[0].why.contains("out of turn"));
    }

    #[test]
    fn whoever_is_never_ready_is_given_up() {
        let mut crew = Crew::new(2, "boot");
        crew.hear(0, ready(4));
        assert_eq!(crew.lose_unready("too slow"), Next::CallOff);
        assert!(!crew.is_lost(0) && crew.is_lost(1) && !crew.is_lost(2));
    }

    #[test]
    fn whoever_has_not_reported_when_it_is_over_is_lost() {
        let mut crew = Crew::new(1, "boot");
        crew.hear(0, ready(4));
        assert_eq!(crew.merged().lost[0].scheduled, 4);
    }
}

//! A queue in front of one server: Poisson arrivals, a fixed service time
//! (M/D/1). Each wait follows from the arrivals (Lindley's recursion), and
//! their mean from theory (Pollaczek-Khinchine).

use std::time::Duration;

use kab_evidence::calibration::Finding;
use kab_verdict::Nanos;

use super::envelope::SLACK;
use super::{Asked, Case, count, text, text_or_none};
use crate::observed::Observed;

/// How many batches the waits are cut into, to see how far their mean is
/// scattered although neighbours are alike.
const BATCHES: usize = 20;

/// So many standard errors the mean may be off. The batches' mean has Student's
/// distribution with 19 degrees of freedom: by chance it is that far off once
/// in 1,300 times. The arrivals come from a fixed seed, so it is so always or
/// never.
const STANDARD_ERRORS: f64 = 4.0;

/// One server that takes `service` for each request; they arrive at `rate` a
/// second, at random.
pub fn queue(asked: &Asked, observed: &Observed, rate: f64, service: Duration) -> Finding {
    let s = service.as_secs_f64();
    let load = rate * s;
    // Pollaczek-Khinchine for a service time that does not vary.
    let theory = load * s / (2.0 * (1.0 - load));
    let leaves = departures(asked, service);
    let waits: Vec<f64> = leaves
        .iter()
        .zip(&asked.due)
        .map(|(leaves, due)| (*leaves - due.since(asked.start)).as_secs_f64() - s)
        .collect();
    let error = standard_error(&waits);
    let response = observed.measured.response.all.mean;
    let wait = response.map_or(f64::NAN, |mean| mean.seconds() - s);

    let mut done: Vec<_> = observed.ledger.iter().filter_map(|record| record.done).collect();
    done.sort_unstable();
    let pairs = || done.iter().map(|done| done.since(asked.start)).zip(&leaves);
    let hastened = pairs().filter(|(done, leaves)| done < *leaves).count() as u64;
    let overdue = pairs().filter(|(done, leaves)| *done > **leaves + SLACK).count() as u64;

    let seconds = |s: f64| Nanos::from_seconds(s).to_string();
    let mut case = Case {
        truth: format!("mean wait {} in theory, load {load:.2}", seconds(theory)),
        observed: format!(
            "mean response {}, less the service time: {}",
            text_or_none(response),
            seconds(wait)
        ),
        tolerance: format!(
            "{STANDARD_ERRORS} standard errors of {} ({BATCHES} batches), and {} to be sent and \
             answered",
            seconds(error),
            text(SLACK)
        ),
        ..Case::default()
    };
    let all = asked.due.len();
    case.wrong(done.len() != all, || format!("{} of {all} ended", done.len()));
    case.wrong(hastened > 0, || format!("{hastened} answers are said to be there too early"));
    case.late(overdue * 100 > all as u64, || format!("{overdue} answers came too late"));
    case.wrong(!(error.is_finite() && theory.is_finite()), || "there are too few".to_owned());
    let margin = STANDARD_ERRORS * error;
    case.wrong(wait < theory - margin, || "the mean wait is too short".to_owned());
    case.late(wait > theory + margin + SLACK.as_secs_f64(), || {
        "the mean wait is too long".to_owned()
    });
    case.conclude("queue", &asked.set, &observed.machine)
}

/// When each operation leaves the server at the earliest, after the start.
fn departures(asked: &Asked, service: Duration) -> Vec<Duration> {
    let mut free = Duration::ZERO;
    let leave = |due: &kab_evidence::clock::Mono| {
        free = free.max(due.since(asked.start)) + service;
        free
    };
    asked.due.iter().map(leave).collect()
}

/// The standard error of the mean of `samples`, from the means of batches, each
/// long enough to hardly depend on the one before it.
fn standard_error(samples: &[f64]) -> f64 {
    let size = samples.len() / BATCHES;
    if size == 0 {
        return f64::NAN;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count(values.len() as u64);
    let means: Vec<f64> = samples.chunks_exact(size).take(BATCHES).map(mean).collect();
    let middle = mean(&means);
    let squares: f64 = means.iter().map(|mean| (mean - middle).powi(2)).sum();
    let n = count(BATCHES as u64);
    (squares / (n - 1.0) / n).sqrt()
}

#[cfg(test)]
mod tests {
    use kab_evidence::calibration::Status;

    use super::super::synthetic::{Engine, ms};
    use super::*;

    /// 250/s for 40 s; a service time of 2 ms, so that half of the time is used.
    fn queued(gap: impl Fn(f64) -> f64) -> Engine {
        let mut engine = Engine::answering(250, 10_000, |due| due);
        let (mut at, mut free) = (Duration::ZERO, Duration::ZERO);
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for i in 0..engine.due.len() {
            engine.due[i] = engine.start.plus(at);
            free = free.max(at) + ms(2);
            let record = &mut engine.ledger[i];
            record.intended = engine.due[i];
            record.sent = Some(engine.due[i]);
            record.done = Some(engine.start.plus(free + Duration::from_micros(200)));
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let uniform = ((random >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            at += Duration::from_secs_f64(gap(uniform));
        }
        engine
    }

    fn status(engine: &Engine) -> Status {
        queue(&engine.asked(), &engine.observed(), 250.0, ms(2)).status
    }

    #[test]
    fn poisson_arrivals_wait_as_theory_says() {
        let engine = queued(|uniform| -uniform.ln() / 250.0);
        let finding = queue(&engine.asked(), &engine.observed(), 250.0, ms(2));
        assert_eq!(finding.status, Status::Pass, "{finding:?}");
        assert!(finding.truth.starts_with("mean wait 1.00 ms"), "{finding:?}");
    }

    #[test]
    fn arrivals_that_are_not_poisson_fail() {
        assert_eq!(status(&queued(|_| 1.0 / 250.0)), Status::Fail, "equal distances");
        assert_eq!(status(&queued(|uniform| uniform * 2.0 / 250.0)), Status::Fail, "uniform");
    }

    #[test]
    fn waits_left_out_fail() {
        let mut engine = queued(|uniform| -uniform.ln() / 250.0);
        for record in &mut engine.ledger {
            record.done = Some(record.intended.plus(ms(2)));
        }
        assert_eq!(status(&engine), Status::Fail);
    }
}
